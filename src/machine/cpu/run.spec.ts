// The run loop comes to its end and leaves no trace of how far it decodes ahead: loops in which nothing retires, and accessed bits of pages
// that control never reaches. Exact counts of slices are translate/slicing.spec.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';

describe('a loop without instructions', () => {
  /** UD2 whose handler is itself. */
  const machine = (): BareProcessor => {
    const m = new BareProcessor(1 << 16);
    m.load(0x1000, [0x0f, 0x0b]);
    m.cpu.s.eip = 0x1000;
    m.onFault = () => undefined;
    return m;
  };
  it('of faults takes time, and as much however it is sliced', () => {
    const whole = machine();
    whole.run(100);
    assert.equal(whole.clock.now, 100);
    assert.equal(whole.processor.retired, 0);
    const cut = machine();
    for (const slice of [1, 1, 30, 3, 65]) cut.run(slice);
    assert.deepEqual(cut.state(), whole.state());
    assert.equal(cut.faults.length, whole.faults.length);
  });
  it('of interrupts takes time', () => {
    const m = machine();
    let taken = 0;
    m.cpu.interrupts = { intr: true, acknowledge: () => ++taken & 0xff };
    m.cpu.s.eflags = 0x202;
    m.run(10);
    assert.equal(m.clock.now, 10);
    assert.equal(taken, 11 * 65 - 1);
  });
});

describe('decoding ahead', () => {
  it('walks no page tables for an instruction that control may not reach', () => {
    const m = new BareProcessor(1 << 16);
    const s = m.cpu.s;
    m.memory.write32(0x4000, 0x5007);
    for (let page = 0; page < 16; page++) m.memory.write32(0x5000 + page * 4, (page << 12) | 7);
    // An instruction that faults, and behind it one that lies across the end of the page.
    m.load(0x1ffc, [0xf7, 0xf1, 0xb8, 1, 2, 3, 4]);
    s.cr3 = 0x4000;
    s.cr0 = 0x8000_0033;
    m.cpu.mmu.controlsChanged();
    m.cpu.modeDirty = true;
    s.eip = 0x1ffc;
    m.run(500);
    assert.equal(m.faults[0]!.vector, 0, 'DIV by zero');
    assert.equal(s.eip, 0x1ffc);
    assert.equal(m.memory.read32(0x5004) & 0x20, 0x20);
    assert.equal(m.memory.read32(0x5008) & 0x20, 0, 'the next page was not accessed');
  });
});

describe('counts', () => {
  it('the last instruction of a block, which stores into that block, is counted', () => {
    const m = new BareProcessor(1 << 16);
    const nops = (count: number): number[] => Array<number>(count).fill(0x90);
    // MOV [1000h], AL: what it stores is what was there.
    m.load(0x1000, [...nops(63), 0xa2, 0x00, 0x10, 0, 0, ...nops(200)]);
    m.cpu.s.setGpr(0, 0x90);
    m.cpu.s.eip = 0x1000;
    m.run(100);
    assert.equal(m.cpu.s.eip, 0x1000 + 63 + 5 + 36);
    assert.equal(m.processor.retired, 100);
  });
});
