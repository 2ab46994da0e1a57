// GDB's protocol packet by packet, on the sample kernel: what gdb's own commands use seldom or not at all. Several domains are
// gdb-processes.spec.ts's, the real gdb is gdb.spec.ts's.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesOf, hexOf, Rig } from './stub-rig.ts';

describe('the remote stub', () => {
  it('says what it can, and nothing to what it cannot', () => {
    const rig = new Rig();
    assert.match(
      rig.ask('qSupported:swbreak+;xmlRegisters=i386'),
      /PacketSize=4000;.*qXfer:features:read\+.*swbreak\+/,
    );
    // A machine without a past does not offer to go back.
    assert.doesNotMatch(rig.ask('qSupported'), /Reverse/);
    assert.equal(rig.ask('bs'), 'E01');
    for (const unknown of ['vMustReplyEmpty', 'qTStatus', 'Z9,0,1', 'JUNK', '']) assert.equal(rig.ask(unknown), '');
    assert.equal(rig.ask('vCont?'), 'vCont;c;C;s;S;r');
    assert.equal(rig.ask('?'), 'T05thread:1;');
    assert.equal(rig.ask('qfThreadInfo'), 'm1');
    assert.equal(rig.ask('qsThreadInfo'), 'l');
    assert.equal(rig.ask('qThreadExtraInfo,1'), hexOf('v0 ring 0'));
    assert.match(rig.ask('qXfer:features:read:target.xml:0,1000'), /^m<\?xml [^]*org\.gnu\.gdb\.i386\.core/);
    assert.equal(rig.ask('qXfer:features:read:other.xml:0,1000'), 'E00');
  });

  it('reads and writes all registers and any memory', () => {
    const rig = new Rig();
    const all = rig.ask('g');
    assert.equal(all.slice(0, 8), '02b0ad2b');
    assert.equal(rig.ask(`G78563412${all.slice(8)}`), 'OK');
    assert.equal(rig.ask('p0'), '78563412');
    assert.equal(rig.ask('P0=00000001'), 'OK');
    assert.equal(rig.session.debug.guests[0]!.vcpu.read('eax'), 0x0100_0000);
    assert.equal(rig.ask('Pffff=00'), 'E01');
    assert.equal(rig.ask('pffff'), 'E01');
    assert.equal(rig.ask('M5000,4:01020304'), 'OK');
    assert.equal(rig.ask('X5004,3:a}\x03b'), 'OK');
    assert.equal(rig.ask('m5000,7'), '01020304612362');
    assert.equal(rig.ask('m5000,0'), '');
    assert.equal(rig.ask('mf0000000,4'), 'E14');
    assert.equal(rig.ask('Mf0000000,1:00'), 'E14');
    assert.equal(rig.ask('M5000,4:0102'), 'E01');
    for (const wrong of ['mzz,4', 'm5000', 'Mzz,1:00', 'X5000', 'Z0,x,1', 'Z2,5000,0', 'P', 'G0'])
      assert.equal(rig.ask(wrong), 'E01', wrong);
  });

  it('stops at points of every type', () => {
    const rig = new Rig();
    rig.ask('qSupported:swbreak+;hwbreak+');
    const main = rig.symbol('kmain');
    assert.equal(rig.ask(`Z1,${main},1`), 'OK');
    assert.equal(rig.run('c'), 'T05thread:1;hwbreak:;');
    assert.equal(rig.ask(`z1,${main},1`), 'OK');
    const ticks = rig.symbol('ticks');
    assert.equal(rig.ask(`Z2,${ticks},4`), 'OK');
    assert.equal(rig.run('vCont;c:1'), `T05thread:1;watch:${ticks};`);
    rig.ask(`z2,${ticks},4`);
    assert.equal(rig.ask(`Z3,${ticks},4`), 'OK');
    assert.equal(rig.run('c'), `T05thread:1;rwatch:${ticks};`);
    rig.ask(`z3,${ticks},4`);
    assert.equal(rig.ask(`Z4,${ticks},1`), 'OK');
    assert.equal(rig.run('c'), `T05thread:1;awatch:${ticks};`);
    rig.ask(`z4,${ticks},1`);
    assert.equal(rig.ask(`Z0,${rig.symbol('schedule')},1`), 'OK');
    assert.equal(rig.run('c'), 'T05thread:1;swbreak:;');
  });

  it('steps, by ranges too', () => {
    const rig = new Rig();
    const vcpu = rig.session.debug.guests[0]!.vcpu;
    const start = vcpu.read('eip');
    assert.equal(rig.run('s'), 'T05thread:1;');
    assert.notEqual(vcpu.read('eip'), start);
    const main = rig.session.lookup('kmain')!;
    rig.ask(`Z0,${main.toString(16)},1`);
    rig.run('c');
    rig.ask(`z0,${main.toString(16)},1`);
    assert.equal(rig.run(`vCont;r${main.toString(16)},${(main + 5).toString(16)}:1`), 'T05thread:1;');
    assert.ok(vcpu.read('eip') >= main + 5 || vcpu.read('eip') < main);
  });

  it('stops for Ctrl-C while the guest waits, and goes on', () => {
    const rig = new Rig();
    rig.send('c');
    for (let i = 0; i < 20; i++) rig.stub.slice();
    assert.deepEqual(rig.take(), []);
    rig.stub.receive(Uint8Array.of(3));
    assert.deepEqual(rig.take(), ['T02thread:1;']);
    assert.equal(rig.stub.state, 'stopped');
    const { instructions } = rig.session.debug.position;
    assert.ok(instructions > 2_000_000);
    assert.equal(rig.run('s'), 'T05thread:1;');
  });

  it('tells why a guest ended, and starts a new one', () => {
    const rig = new Rig();
    rig.session.typeSerial(bytesOf('poweroff\r'));
    const reply = rig.run('c');
    assert.match(reply, /^O[0-9a-f]+ W21$/);
    assert.equal(rig.ask('R00'), '');
    const { instructions, events } = rig.session.debug.position;
    assert.deepEqual([instructions, events], [0, 0]);
    assert.equal(rig.ask('?'), 'T05thread:1;');
    rig.ask(`Z0,${rig.symbol('kmain')},1`);
    assert.match(rig.run('c'), /^T05/);
    rig.send('k');
    assert.equal(rig.stub.state, 'killed');
  });

  it('has commands of its own', () => {
    const rig = new Rig();
    const monitor = (line: string): string => rig.monitor(line);
    assert.match(monitor('help'), /^registers .*\n(.*\n)*hello +says it\n$/);
    assert.equal(monitor('hello'), 'hello\n');
    assert.match(monitor('nonsense'), /no command "nonsense"/);
    assert.match(monitor('registers'), /cr0 +0x00000011 \[ ET PE \]/);
    assert.match(monitor('registers x'), /no group "x"/);
    assert.match(monitor('walk 0x1234'), /paging is off: 00001234 is physical/);
    assert.match(monitor('walk'), /wants an address/);
    assert.equal(monitor('position'), '0+0, reachable: 0+0 to 0+0\n');
    assert.match(monitor('catch port 0x3f8'), /^\d+: port 0x3f8 to 0x3f8\n$/);
    assert.match(monitor('catch sunshine'), /catch wants/);
    const [said, stop] = rig.run('c').split(' ');
    assert.match(Buffer.from(said!.slice(1), 'hex').toString(), /^OUT to port 0x03f8, value 0x[0-9a-f]+, at 0x/);
    assert.equal(stop, 'T05thread:1;');
    assert.equal(monitor('uncatch'), 'done\n');
    assert.equal(monitor('catch'), 'nothing is caught\n');
    assert.match(monitor('travel 5'), /does not record its past/);
  });
});
