// That pairs of doubles answer for ordinary operands, and leave the stack and status alone where they do not. That what they answer is right,
// transcendental.spec.ts says of the instructions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FloatWorld } from '../../../../test/support/float-world.ts';
import { StateLayout } from '../state.ts';
import { BIAS, f80 } from './float80.ts';
import * as quick from './quick.ts';
import { setControlWord, writeSt } from './unit.ts';

const { s } = new FloatWorld();
const { fsin, fcos, fsincos, fptan, fpatan, f2xm1, fyl2x, fyl2xp1 } = quick;
const FUNCTIONS = { fsin, fcos, fsincos, fptan, fpatan, f2xm1, fyl2x, fyl2xp1 };
const OPERANDS = 400;
/** ST(0) from 1/8 to 1/4, ST(1) from 1 to 2, by a multiplier that spreads the bits. */
const prepare = (n: number, control = 0x37f): void => {
  const bits = BigInt.asUintN(63, BigInt(n + 1) * 0x9e3779b97f4a7c15n);
  s.set(StateLayout.fpuTop, 6);
  s.set(StateLayout.fpuTags, 0);
  setControlWord(s, control);
  writeSt(s, 0, f80(0, BIAS - 3, (1n << 63n) | bits));
  writeSt(s, 1, f80(0, BIAS, (1n << 63n) | (bits ^ 0x5555n)));
};
const unit = (): string => Buffer.from(s.u8.slice(StateLayout.fpuRegisters, StateLayout.fpuOpcode + 4)).toString('hex');

for (const [name, execute] of Object.entries(FUNCTIONS))
  test(name, () => {
    let covered = 0;
    for (let n = 0; n < OPERANDS; n++) {
      prepare(n);
      if (execute(s)) covered++;
    }
    assert.ok(covered >= OPERANDS - 2, `${covered} of ${OPERANDS}`);
    for (const control of [0x77f, 0xb7f, 0xf7f]) {
      prepare(0, control);
      const before = unit();
      assert.equal(execute(s), false);
      assert.equal(unit(), before);
    }
  });
