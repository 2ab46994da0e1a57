import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { EBP, ESP, SS } from './state.ts';

const STACK = 0x2_0000;

/** Runs one ENTER with these operands on a 16-bit stack at STACK. */
const enterOn16Bits = (
  prefix: readonly number[],
  size: number,
  level: number,
  esp: number,
  ebp: number,
): BareProcessor => {
  const m = new BareProcessor();
  const s = m.cpu.s;
  s.setSegment(SS, 0x10, STACK, 0xffff, 0x93);
  m.cpu.modeDirty = true;
  m.load(0x1000, [...prefix, 0xc8, size & 0xff, size >> 8, level]);
  for (let i = 0; i < 4; i++) m.memory.write32(STACK + 0xff00 + i * 4, 0x1111_1111 * (i + 1));
  s.setGpr(ESP, esp);
  s.setGpr(EBP, ebp);
  s.eip = 0x1000;
  m.run(1);
  assert.deepEqual(m.faults, []);
  return m;
};

test('ENTER on a 16-bit stack keeps the upper half of ESP, and stores it with the frame pointer', () => {
  const m = enterOn16Bits([], 8, 4, 0x1_0000, 0x1_ff10);
  const s = m.cpu.s;
  // SP wraps from 0 to FFFCh; what was above it in ESP is part of the 32-bit frame pointer.
  assert.equal(s.gpr(EBP), 0x1_fffc);
  assert.equal(s.gpr(ESP), 0x1_fffc - 4 * 4 - 8);
  const words = [0, 1, 2, 3, 4].map((i) => m.memory.read32(STACK + 0xfffc - i * 4));
  assert.deepEqual(words, [0x1_ff10, 0x4444_4444, 0x3333_3333, 0x2222_2222, 0x1_fffc]);
});

test('ENTER on a 16-bit stack: a 32-bit frame pointer takes all of EBP, a 16-bit one its lower half', () => {
  assert.equal(enterOn16Bits([], 0, 0, 0xabcd_8000, 0x1234_5678).cpu.s.gpr(EBP), 0xabcd_7ffc);
  const m = enterOn16Bits([0x66], 0, 0, 0xabcd_8000, 0x1234_5678);
  assert.equal(m.cpu.s.gpr(EBP), 0x1234_7ffe);
  assert.equal(m.cpu.s.gpr(ESP), 0xabcd_7ffe);
});
