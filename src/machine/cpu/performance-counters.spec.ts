// The performance counters on a running processor: exact counts, levels, widths, RDPMC's rules. SDM vol. 3, 18.2.1.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { readMsr, writeMsr } from './msr.ts';
import { Cr4, CS, EAX, ECX, EDX, SS } from './state.ts';
import { refreshMode } from '../translate/mode.ts';

const INSTRUCTIONS = 0xc0;
const CYCLES = 0x3c;
const EN = 1 << 22;
const USR = 1 << 16;
const OS = 1 << 17;
const out = { low: 0, high: 0 };

/** A loop of two instructions: inc eax; jmp. */
const LOOP = [0x40, 0xeb, 0xfd];
/** rdpmc; jmp to itself. */
const READ = [0x0f, 0x33, 0xeb, 0xfe];

const machine = (code: readonly number[]): BareProcessor => {
  const p = new BareProcessor();
  p.load(0x1000, code);
  p.cpu.s.eip = 0x1000;
  return p;
};
const counter = (p: BareProcessor, n: number): number => {
  assert.ok(readMsr(p.cpu, 0xc1 + n, out));
  return out.high * 2 ** 32 + out.low;
};

test('instructions and unhalted cycles are counted exactly, whatever the slices', () => {
  const p = machine(LOOP);
  p.run(7);
  assert.ok(writeMsr(p.cpu, 0x186, INSTRUCTIONS | EN | OS, 0));
  assert.ok(writeMsr(p.cpu, 0x187, CYCLES | EN | OS | USR, 0));
  for (const slice of [1, 100, 3, 1000]) p.run(slice);
  assert.deepEqual([counter(p, 0), counter(p, 1)], [1104, 1104]);
  assert.ok(writeMsr(p.cpu, 0x186, INSTRUCTIONS | OS, 0), 'off');
  p.run(10);
  assert.deepEqual([counter(p, 0), counter(p, 1)], [1104, 1114]);
});

test('the OS and USR bits: each instruction belongs to the level it ran at', () => {
  const p = machine(LOOP);
  const s = p.cpu.s;
  writeMsr(p.cpu, 0x186, INSTRUCTIONS | EN | OS, 0);
  writeMsr(p.cpu, 0x187, INSTRUCTIONS | EN | USR, 0);
  p.run(40);
  s.cpl = 3;
  s.setSegment(CS, 0x1b, 0, 0xffffffff, 0xc0fb);
  s.setSegment(SS, 0x23, 0, 0xffffffff, 0xc0f3);
  p.cpu.modeDirty = true;
  p.run(25);
  s.cpl = 0;
  refreshMode(p.cpu);
  assert.deepEqual([counter(p, 0), counter(p, 1)], [40, 25]);
});

test('the counter mask, its inversion, edges and unknown events', () => {
  for (const [select, counted] of [
    [1 << 24, 10],
    [2 << 24, 0],
    [(2 << 24) | (1 << 23), 10],
    [(1 << 24) | (1 << 23), 0],
    [(1 << 24) | (1 << 18), 0],
  ] as const) {
    const p = machine(LOOP);
    writeMsr(p.cpu, 0x186, INSTRUCTIONS | EN | OS | select, 0);
    writeMsr(p.cpu, 0x187, 0x4f2e | EN | OS, 0);
    p.run(10);
    assert.deepEqual([counter(p, 0), counter(p, 1)], [counted, 0]);
  }
});

test('40 bits: writes copy bit 31 upwards, and the count wraps', () => {
  const p = machine(LOOP);
  writeMsr(p.cpu, 0xc1, 0xffff_fff8, 0x1234);
  assert.equal(counter(p, 0), 0xff_ffff_fff8);
  writeMsr(p.cpu, 0x186, INSTRUCTIONS | EN | OS, 0);
  p.run(10);
  assert.equal(counter(p, 0), 2);
  writeMsr(p.cpu, 0xc1, 0x7fff_ffff, 0xff);
  assert.equal(counter(p, 0), 0x7fff_ffff);
  assert.equal(writeMsr(p.cpu, 0x186, 1 << 21, 0), false, 'reserved');
  assert.equal(writeMsr(p.cpu, 0x186, 0, 1), false);
});

test('RDPMC: two counters, and above level 0 only with CR4.PCE', () => {
  for (const [number, cpl, pce, fault] of [
    [0, 0, false, undefined],
    [1, 3, true, undefined],
    [0, 3, false, 13],
    [2, 0, false, 13],
    [0x8000_0000, 0, false, 13],
  ] as const) {
    const p = machine(READ);
    const s = p.cpu.s;
    p.reset(cpl);
    s.eip = 0x1000;
    p.load(0x1000, READ);
    if (pce) s.cr4 |= Cr4.PCE;
    writeMsr(p.cpu, 0xc1, 0x8000_0001, 0);
    writeMsr(p.cpu, 0xc2, 0x8000_0001, 0);
    s.setGpr(ECX, number);
    p.run(2);
    assert.equal(p.faults[0]?.vector, fault, `counter ${number} at level ${cpl}`);
    if (fault === undefined) assert.deepEqual([s.gpr(EAX), s.gpr(EDX)], [0x8000_0001, 0xff]);
  }
});
