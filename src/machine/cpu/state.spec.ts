// EFLAGS in and out of the lazy words, for every combination; and what instructions make of lazily kept flags.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { ESP, Flag } from './state.ts';

const machine = new BareProcessor(1 << 16);
const s = machine.cpu.s;
const ARITHMETIC = [Flag.CF, Flag.PF, Flag.AF, Flag.ZF, Flag.SF, Flag.OF];
const combinations = Array.from({ length: 64 }, (_, n) =>
  ARITHMETIC.reduce((f, flag, i) => f | (n & (1 << i) ? flag : 0), 0),
);

describe('lazy flags', () => {
  it('what is written is read, all 64 combinations beside any other bits', () => {
    for (const rest of [0, Flag.DF, Flag.IF | Flag.IOPL | Flag.NT | Flag.ID | Flag.AC | Flag.VM | Flag.RF])
      for (const flags of combinations) {
        s.eflags = flags | rest;
        assert.equal(s.eflags, flags | rest | 2);
        assert.equal(s.eflagsRest, rest | 2);
        s.eflagsRest = Flag.DF;
        assert.equal(s.eflags, flags | Flag.DF | 2, 'the others do not touch the arithmetic ones');
      }
  });
  it('translated code agrees: PUSHF, LAHF, SETcc, POPF', () => {
    const CONDITIONS: readonly ((f: number) => boolean)[] = [
      (f) => (f & Flag.OF) !== 0,
      (f) => (f & Flag.CF) !== 0,
      (f) => (f & Flag.ZF) !== 0,
      (f) => (f & (Flag.CF | Flag.ZF)) !== 0,
      (f) => (f & Flag.SF) !== 0,
      (f) => (f & Flag.PF) !== 0,
      (f) => ((f & Flag.SF) !== 0) !== ((f & Flag.OF) !== 0),
      (f) => (f & Flag.ZF) !== 0 || ((f & Flag.SF) !== 0) !== ((f & Flag.OF) !== 0),
    ];
    const code = [0x9c, 0x9f];
    for (let cc = 0; cc < 16; cc++) code.push(0x0f, 0x90 | cc, 0x05, cc, 0x90, 0, 0);
    // pop ebx: what PUSHF stored; push ecx; popf; pushf; pop edx
    code.push(0x5b, 0x51, 0x9d, 0x9c, 0x5a);
    for (const flags of combinations) {
      machine.reset();
      machine.load(0x1000, code);
      s.eip = 0x1000;
      s.setGpr(ESP, 0x8000);
      s.setGpr(1, flags ^ 0x8d5);
      s.eflags = flags;
      machine.run(2 + 16 + 5);
      assert.equal(s.gpr(3), flags | 2);
      assert.equal(s.gpr8(4), (flags & 0xd5) | 2);
      assert.equal(s.gpr(2), (flags ^ 0x8d5) | 2);
      for (let cc = 0; cc < 16; cc++)
        assert.equal(
          machine.memory.read8(0x9000 + cc),
          Number(CONDITIONS[cc >> 1]!(flags) !== ((cc & 1) === 1)),
          `condition ${cc} of ${flags.toString(16)}`,
        );
    }
  });
});
