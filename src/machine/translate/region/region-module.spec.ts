// Regions are given back to the host: more modules than one table is given to, and what becomes of the first table.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BareProcessor } from '../../../../test/support/bare-processor.ts';
import { EAX, ECX } from '../../cpu/state.ts';

describe('code that changes', () => {
  it('forms more regions than fit, is right, and holds no old table', async () => {
    const machine = new BareProcessor(1 << 20, 'eager');
    const { cpu, processor } = machine;
    const { s } = cpu;
    // 1000h: add eax, imm32; inc ecx; jmp 1000h
    machine.load(0x1000, [0x05, 0, 0, 0, 0, 0x41, 0xeb, 0xf8]);
    s.eip = 0x1000;
    const table = new WeakRef(processor.regions['compiler']['table']);
    const rounds = 500;
    const turns = 100;
    for (let i = 1; i <= rounds; i++) {
      machine.memory.write32(0x1001, i);
      processor.forgetCode(1);
      machine.run(3 * turns);
    }
    assert.deepEqual([s.gpr(ECX), s.gpr(EAX)], [rounds * turns, (turns * rounds * (rounds + 1)) / 2]);
    assert.ok(processor.regions.formed >= rounds, `${processor.regions.formed} regions`);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let i = 0; i < 10 && table.deref() !== undefined; i++) {
      await setImmediate();
      collect();
    }
    assert.equal(table.deref(), undefined);
  });
});

describe('many regions at once', () => {
  it('have a table that grows with them and has none of the forms', () => {
    const machine = new BareProcessor(1 << 20, 'eager');
    const { cpu, processor } = machine;
    const [loops, turns] = [300, 100];
    const table = (): WebAssembly.Table => processor.regions['compiler']['table'];
    const least = table().length;
    // Each: inc ecx; jmp to it
    for (let i = 0; i < loops; i++) machine.load(0x1000 + i * 16, [0x41, 0xeb, 0xfd]);
    for (let round = 0; round < 2; round++)
      for (let i = 0; i < loops; i++) {
        cpu.s.eip = 0x1000 + i * 16;
        machine.run(2 * turns);
      }
    assert.equal(cpu.s.gpr(ECX), 2 * loops * turns);
    assert.ok(processor.regions.formed >= loops && processor.regions.lost === 0);
    assert.ok(table().length > least && table().length < processor['module'].instance.table.length / 2);
  });
});

describe('a loop', () => {
  const formed = (instructions: number, debugged: boolean): number => {
    const machine = new BareProcessor(1 << 20, 'adaptive');
    const { cpu, processor } = machine;
    // 1000h: inc ecx; jmp 1000h
    machine.load(0x1000, [0x41, 0xeb, 0xfd]);
    cpu.s.eip = 0x1000;
    if (debugged) cpu.points.begin({ instructions, events: 0 }, false);
    machine.run(instructions);
    assert.equal(cpu.s.gpr(ECX), instructions / 2);
    return processor.regions.formed;
  };
  it('gets a region at once, but where a debugger runs the machine only if it goes on', () => {
    assert.equal(formed(200, false), 1);
    assert.equal(formed(200, true), 0);
    assert.equal(formed(20_000, true), 1);
  });
});
