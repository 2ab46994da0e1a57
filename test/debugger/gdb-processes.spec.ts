// GDB's multiprocess extensions packet by packet: each domain is a process, with points, registers, steps and an end of its own, while all share the
// processor. The real gdb is gdb.spec.ts's.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BootConfig, DomainConfig } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { BUSY, DIES, domain, EXITS, kernel, KERNEL_CODE, MEMORY } from '../hypervisor/small-kernels.ts';
import { hexOf, Rig } from './stub-rig.ts';

/** What packets O say, and the others. */
const read = (packets: string): string =>
  packets
    .split(' ')
    .map((packet) => (packet.startsWith('O') ? Buffer.from(packet.slice(1), 'hex').toString().trimEnd() : packet))
    .join(' | ');

const RECORD = { limit: 256 << 20, every: 20_000_000 };
const several = (first: Uint8Array, domains: readonly DomainConfig[], more: Partial<BootConfig> = {}): Rig =>
  new Rig(
    configOf(TSUBAME, {
      image: { name: 'first <&é>', bytes: first },
      memoryBytes: MEMORY,
      observe: 'none',
      domains,
      ...more,
    }),
  );
const TSUBAME_BYTES = configOf(TSUBAME).image.bytes;
const tsubames = (): Rig => several(TSUBAME_BYTES, [domain(3, TSUBAME_BYTES), domain(1, BUSY)], { record: RECORD });
/** As gdb begins. */
const extended = (rig: Rig): void => {
  rig.ask('qSupported:multiprocess+;swbreak+;hwbreak+');
  rig.ask('!');
};
const le = (value: number): string => Buffer.from(Uint32Array.of(value).buffer).toString('hex');
/** INC EAX; PUSH EAX; POP EBX; JMP to the start. */
const COUNTS = kernel(0x40, 0x50, 0x5b, 0xeb, 0xfb);
/** Number of EIP on the wire. */
const EIP = 8;

describe('the remote stub with several domains', () => {
  it('has a process for each, where gdb tells processes apart', () => {
    const rig = tsubames();
    assert.match(rig.ask('qSupported:multiprocess+;swbreak+'), /;multiprocess\+;qXfer:osdata:read\+;/);
    assert.equal(rig.ask('?'), 'T05thread:p1.1;');
    assert.equal(rig.ask('qfThreadInfo'), 'mp1.1');
    assert.equal(rig.ask('qC'), 'QCp1.1');
    // Number 3 has process 4.
    for (const wrong of ['vAttach;3', 'vAttach;0', 'vAttach;', 'vAttach;x'])
      assert.match(rig.ask(wrong), /^E\.there is no such domain/, wrong);
    assert.equal(rig.ask('vAttach;1'), 'E.it is attached already');
    for (const nobody of ['Hgp4.1', 'Tp4.1', 'Hgp1.2', 'Tp1.2', 'Hgx', 'Tp', 'vCont;c:p4.1', 'D;4', 'D;9', 'vCont;t'])
      assert.equal(rig.ask(nobody), 'E01', nobody);
    assert.equal(rig.ask('vAttach;4'), 'T05thread:p4.1;');
    assert.equal(rig.ask('vAttach;4'), 'E.it is attached already');
    assert.equal(rig.ask('qfThreadInfo'), 'mp1.1,p4.1');
    assert.match(rig.ask('qXfer:threads:read::0,1000'), /<thread id="p4.1" core="0" name="d3v0 ring 0"\/>/);
    assert.equal(rig.ask('qThreadExtraInfo,p4.1'), hexOf('d3v0 ring 0'));
    assert.equal(rig.ask('qC'), 'QCp4.1');
    for (const known of ['Hgp1.1', 'Hg0', 'Hgp0.0', 'Hc-1', 'Hcp4.-1', 'Tp4.1', 'Tp1'])
      assert.equal(rig.ask(known), 'OK');
    assert.equal(rig.ask('qC'), 'QCp1.1');
    assert.match(rig.ask('qXfer:osdata:read::0,1000'), /<column name="Type">processes<\/column>/);
    const listed = rig.ask('qXfer:osdata:read:processes:0,1000').matchAll(/<item>(.*?)<\/item>/g);
    assert.deepEqual(
      [...listed].map(([, columns]) => [...columns!.matchAll(/>([^<]+)</g)].map(([, text]) => text).join(' ')),
      ['1 d0 first &#60;&#38;&#233;&#62; attached', '4 d3 kernel-3 attached', '2 d1 kernel-1 not attached'],
    );
    assert.equal(rig.ask('qXfer:osdata:read:files:0,1000'), 'E00');
    assert.equal(rig.ask('D;1'), 'OK');
    assert.equal(rig.ask('qfThreadInfo'), 'mp4.1');
    assert.equal(rig.ask('qC'), 'QCp4.1');
    assert.match(rig.ask('vKill;4'), /^E\.only the first/);
    assert.equal(rig.stub.state, 'stopped');
    assert.equal(rig.ask('vKill;1'), 'OK');
    assert.equal(rig.stub.state, 'killed');
  });

  it('has the first one alone, where gdb does not', () => {
    const rig = several(TSUBAME_BYTES, [domain(1, TSUBAME_BYTES)]);
    assert.doesNotMatch(rig.ask('qSupported:swbreak+'), /multiprocess|osdata/);
    assert.equal(rig.ask('vAttach;2'), '');
    assert.equal(rig.ask('qfThreadInfo'), 'm1');
    assert.equal(rig.ask('qXfer:osdata:read::0,1000'), 'E00');
    const tick = rig.symbol('clock_tick');
    rig.ask(`Z0,${tick},1`);
    for (let i = 0; i < 4; i++) {
      assert.equal(rig.run('vCont;c'), 'T05thread:1;swbreak:;');
      const there = rig.session.debug.guests.map(({ vcpu }) => vcpu.read('eip').toString(16) === tick);
      // The other one passes there unseen.
      assert.deepEqual(there, [true, false]);
    }
    assert.equal(rig.ask('D'), 'OK');
    assert.equal(rig.stub.state, 'detached');
    // With one domain there is nothing to tell apart.
    assert.doesNotMatch(new Rig().ask('qSupported:multiprocess+'), /multiprocess/);
  });

  it('reads and writes the one that is chosen', () => {
    const rig = tsubames();
    extended(rig);
    rig.ask('vAttach;4');
    rig.ask('P3=78563412');
    rig.ask('M5000,4:01020304');
    assert.deepEqual([rig.ask('p3'), rig.ask('m5000,4')], ['78563412', '01020304']);
    rig.ask('Hgp1.1');
    assert.deepEqual([rig.ask('p3'), rig.ask('m5000,4')], ['00000100', '00000000']);
    const [first, other] = rig.session.debug.guests;
    assert.deepEqual([first!.vcpu.read('ebx'), other!.vcpu.read('ebx')], [0x1_0000, 0x1234_5678]);
    const monitor = (line: string): string => rig.monitor(line);
    assert.match(monitor('registers general'), /^\(d0\)\nGeneral registers\n(.*\n)*ebx +0x00010000\n/);
    rig.ask('Hgp4.1');
    assert.match(monitor('registers general'), /^\(d3\)\nGeneral registers\n(.*\n)*ebx +0x12345678\n/);
    assert.match(monitor('walk 0x1234'), /^\(d3\)\npaging is off/);
    assert.equal(monitor('hello'), '(d3)\nhello\n');
    assert.match(monitor('position'), /^0\+0, reachable/);
  });

  it('stops where a point is met in the domain that it is of', () => {
    const rig = tsubames();
    extended(rig);
    rig.ask('vAttach;4');
    const tick = rig.symbol('clock_tick');
    const insert = (process: number): void => {
      rig.ask(`Hgp${process}.1`);
      assert.equal(rig.ask(`Z0,${tick},1`), 'OK');
    };
    insert(4);
    for (let i = 0; i < 4; i++) assert.equal(rig.run('vCont;c'), 'T05thread:p4.1;swbreak:;');
    // gdb takes it that packets are about the thread of the stop.
    assert.equal(rig.ask(`p${EIP}`), le(Number(`0x${tick}`)));
    insert(1);
    const stops = Array.from({ length: 8 }, () => rig.run('vCont;c'));
    assert.ok(stops.includes('T05thread:p1.1;swbreak:;') && stops.includes('T05thread:p4.1;swbreak:;'), String(stops));
    rig.ask('Hgp4.1');
    assert.equal(rig.ask(`z0,${tick},1`), 'OK');
    for (let i = 0; i < 4; i++) assert.equal(rig.run('vCont;c'), 'T05thread:p1.1;swbreak:;');
    rig.ask(`z0,${tick},1`);
    const ticks = rig.symbol('ticks');
    rig.ask('Hgp4.1');
    rig.ask(`Z2,${ticks},4`);
    for (let i = 0; i < 3; i++) assert.equal(rig.run('vCont;c'), `T05thread:p4.1;watch:${ticks};`);
    // Back to the same, and forwards once more.
    rig.ask('Hc0');
    assert.equal(rig.run('bc'), `T05thread:p4.1;watch:${ticks};`);
    assert.equal(rig.run('vCont;c'), `T05thread:p4.1;watch:${ticks};`);
    rig.ask('Hcp1.-1');
    assert.equal(rig.run('bc', 100_000), 'T05thread:p1.1;replaylog:begin;');
    assert.equal(rig.ask('D;4'), 'OK');
    const monitor = (line: string): string => rig.monitor(line);
    rig.ask('vAttach;2');
    assert.match(monitor('catch exit'), /^\d+: \(d1\) exit \(all\)\n$/);
    assert.match(read(rig.run('vCont;c')), /^\(d1\) VM exit: .* \| T05thread:p2\.1;$/);
    assert.match(monitor('catch'), /\(d1\) exit/);
    rig.ask('D;2');
    assert.equal(monitor('catch'), 'nothing is caught\n');
  });

  it('says that all run where gdb resumes some, and stops for those only', () => {
    const rig = tsubames();
    extended(rig);
    rig.ask('vAttach;4');
    for (const process of [1, 4]) {
      rig.ask(`Hgp${process}.1`);
      rig.ask(`Z0,${rig.symbol('clock_tick')},1`);
    }
    assert.match(
      read(rig.run('vCont;c:p1.-1')),
      /^all domains run, .*schedule-multiple.* \| T05thread:p1\.1;swbreak:;$/,
    );
    for (let i = 0; i < 4; i++) assert.equal(rig.run('vCont;c:p1.-1'), 'T05thread:p1.1;swbreak:;');
    assert.equal(rig.run('vCont;c:p4.-1'), 'T05thread:p4.1;swbreak:;');
    // What gdb does on its own before it goes on is no reason to say it.
    const quiet = tsubames();
    extended(quiet);
    quiet.ask('vAttach;4');
    assert.equal(quiet.run('vCont;s:p4.1'), 'T05thread:p4.1;');
    assert.equal(quiet.run('vCont;s:p1.1;c'), 'T05thread:p1.1;');
    assert.match(quiet.run('vCont;s:p1.1;c:p1.-1'), /^O/);
  });

  it('steps the one that is named, and back, across the turns of the others', () => {
    const way = [0, 1, 2, 3].map((offset) => KERNEL_CODE + offset);
    const rig = several(COUNTS, [domain(1, COUNTS), domain(2, BUSY)], { record: RECORD });
    extended(rig);
    rig.ask('vAttach;2');
    rig.send('vCont;c');
    for (let i = 0; i < 40; i++) rig.stub.slice();
    rig.stub.receive(Uint8Array.of(3));
    // The one that packets were about.
    assert.deepEqual(rig.take(), ['T02thread:p2.1;']);
    const registers = (process: number): string => {
      rig.ask(`Hgp${process}.1`);
      return [0, 3, EIP].map((n) => rig.ask(`p${n}`)).join(' ');
    };
    const place = (process: number): number => way.findIndex((address) => registers(process).endsWith(le(address)));
    const other = (process: number): number => 3 - process;
    for (const process of [2, 2, 1, 1, 2, 1]) {
      const before = registers(process);
      const at = place(process);
      assert.equal(rig.run(`vCont;s:p${process}.1;c`), `T05thread:p${process}.1;`);
      assert.equal(place(process), (at + 1) % 4);
      const after = registers(process);
      rig.ask(`Hcp${process}.-1`);
      assert.equal(rig.run('bs'), `T05thread:p${process}.1;`);
      assert.equal(registers(process), before);
      assert.equal(rig.run('s'), `T05thread:p${process}.1;`);
      assert.equal(registers(process), after);
      // Hc0: that of the last stop, unless another was looked at since.
      rig.ask('Hc0');
      registers(other(process));
      assert.match(rig.ask('bs'), /^E\.with "set schedule-multiple on" gdb does not say/);
      registers(process);
      rig.ask(`Hgp${other(process)}.1`);
      assert.equal(rig.run('bs'), `T05thread:p${process}.1;`);
      assert.equal(registers(process), before);
    }
    // A range is left where it ends.
    const [, , third] = way.map((address) => address.toString(16));
    while (place(2) !== 0) rig.run('vCont;s:p2.1');
    assert.equal(rig.run(`vCont;r${KERNEL_CODE.toString(16)},${third}:p2.1;c`), 'T05thread:p2.1;');
    assert.equal(place(2), 2);
  });

  it('tells of domains that end while the others go on', () => {
    const rig = several(BUSY, [domain(1, DIES), domain(2, EXITS), domain(3, EXITS)]);
    extended(rig);
    for (const process of [2, 3]) rig.ask(`vAttach;${process}`);
    // Of those that it has resumed; of another when it does.
    rig.send('vCont;c:p1.-1');
    for (let i = 0; i < 200; i++) rig.stub.slice();
    assert.match(read(rig.take().join(' ')), /^all domains run[^|]*$/);
    rig.stub.receive(Uint8Array.of(3));
    assert.deepEqual(rig.take(), ['T02thread:p1.1;']);
    assert.equal(rig.ask('vAttach;4'), 'E.the domain has ended');
    // One that broke is there to be looked at, and gone if it goes on.
    assert.match(read(rig.run('vCont;c')), /^\(d1\) triple fault at [^|]* \| T0bthread:p2\.1;$/);
    assert.equal(rig.ask(`p${EIP}`), le(KERNEL_CODE));
    assert.equal(rig.run('vCont;c'), 'X0b;process:2');
    assert.match(read(rig.run('vCont;c')), /^\(d2\) the guest wrote 0x5 to port 0xf4 \| W0b;process:3$/);
    assert.equal(rig.ask('qfThreadInfo'), 'mp1.1');
    assert.equal(rig.ask('Tp3.1'), 'E01');
    assert.match(rig.ask('qXfer:osdata:read:processes:0,1000'), />kernel-2<[^/]*\/column><column name="state">ended</);
    assert.equal(rig.run('vCont;s:p1.1'), 'T05thread:p1.1;');
    // Back in time it has not broken.
    const again = several(BUSY, [domain(1, kernel(0x40, 0x40, 0xcc))], { record: RECORD });
    extended(again);
    again.ask('vAttach;2');
    assert.match(again.run('vCont;c'), /T0bthread:p2\.1;$/);
    again.ask('Hcp2.-1');
    assert.equal(again.run('bs'), 'T05thread:p2.1;');
    assert.match(read(again.run('vCont;c')), /^\(d1\) triple fault [^|]* \| T0bthread:p2\.1;$/);
    assert.equal(again.run('vCont;c'), 'X0b;process:2');
    // While it runs.
    const soon = several(BUSY, [domain(1, DIES), domain(2, EXITS)]);
    extended(soon);
    soon.ask('vAttach;3');
    assert.match(read(soon.run('vCont;c')), /^\(d2\) the guest wrote [^|]* \| W0b;process:3$/);
    assert.equal(soon.ask('D;1'), 'OK');
    for (const nobody of ['c', 's', 'bs', 'vCont;c']) assert.equal(soon.ask(nobody), 'E01', nobody);
    assert.equal(soon.ask('qfThreadInfo'), 'l');
    assert.equal(soon.stub.state, 'stopped');
    assert.equal(soon.ask('vAttach;1'), 'T05thread:p1.1;');
  });

  it('ends all with the first domain', () => {
    const rig = several(EXITS, [domain(1, BUSY), domain(2, BUSY)]);
    extended(rig);
    for (const process of [2, 3]) rig.ask(`vAttach;${process}`);
    assert.match(read(rig.run('vCont;c:p2.-1')), /\| \(d0\) the guest wrote 0x5 to port 0xf4 \| X09;process:2$/);
    assert.match(read(rig.run('vCont;c')), /^\(d0\) the guest wrote 0x5 to port 0xf4 \| W0b;process:1$/);
    assert.match(read(rig.run('vCont;c')), /X09;process:3$/);
    assert.equal(rig.ask('vRun;'), 'T05thread:p1.1;');
    assert.equal(rig.ask('qfThreadInfo'), 'mp1.1');
    assert.equal(rig.ask('vAttach;2'), 'T05thread:p2.1;');
    // A stub that leaves with its last process.
    const plain = several(BUSY, [domain(1, BUSY)]);
    plain.ask('qSupported:multiprocess+');
    plain.ask('vAttach;2');
    assert.equal(plain.ask('D;2'), 'OK');
    assert.equal(plain.stub.state, 'stopped');
    assert.equal(plain.ask('D;1'), 'OK');
    assert.equal(plain.stub.state, 'detached');
  });
});
