// That pairs of doubles answer for ordinary operands, in both tiers, and leave it to the helpers under the other roundings and where inexact results
// are not masked. That what they answer is right, cpu/x87/transcendental.spec.ts says of the instructions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countCalls } from '../../../test/support/counted-helpers.ts';
import { FloatWorld, TRANSCENDENTALS } from '../../../test/support/float-world.ts';
import { StateLayout } from '../cpu/state.ts';
import { BIAS, f80, type Float80 } from '../cpu/x87/float80.ts';
import { readSt, setControlWord, Status, statusWord, writeSt } from '../cpu/x87/unit.ts';
import { rows } from './table.ts';

const OPERANDS = 400;

const count = countCalls(rows.filter(({ mnemonic }) => mnemonic in TRANSCENDENTALS));

const world = new FloatWorld();
const { s } = world;
/** ST(0) from 1/8 to 1/4, ST(1) from 1 to 2, by a multiplier that spreads the bits. */
const prepare = (n: number, control = 0x37f): void => {
  const bits = BigInt.asUintN(63, BigInt(n + 1) * 0x9e3779b97f4a7c15n);
  s.set(StateLayout.fpuTop, 6);
  s.set(StateLayout.fpuTags, 0);
  s.set(StateLayout.fpuStatus, 0);
  setControlWord(s, control);
  writeSt(s, 0, f80(0, BIAS - 3, (1n << 63n) | bits));
  writeSt(s, 1, f80(0, BIAS, (1n << 63n) | (bits ^ 0x5555n)));
};
const stack = (): Record<string, number | Float80[]> => ({
  registers: Array.from({ length: 3 }, (_, i) => readSt(s, i)),
  status: statusWord(s) & ~(Status.ES | Status.B),
  tags: s.get(StateLayout.fpuTags),
});

for (const [name, code] of Object.entries(TRANSCENDENTALS))
  test(name, () => {
    // The first provides the tables.
    prepare(0);
    world.run(code);
    let covered = 0;
    for (let n = 0; n < OPERANDS; n++) {
      prepare(n);
      count.calls = 0;
      world.run(code);
      if (count.calls === 0) covered++;
      const emitted = stack();
      // By the helper, which the unmasked exception of the inexact result asks for.
      prepare(n, 0x35f);
      count.calls = 0;
      world.run(code);
      assert.equal(count.calls, 1);
      assert.deepEqual(stack(), emitted);
    }
    assert.ok(covered >= OPERANDS - 2, `${covered} of ${OPERANDS}`);
    for (const control of [0x77f, 0xb7f, 0xf7f]) {
      prepare(0, control);
      count.calls = 0;
      world.run(code);
      assert.equal(count.calls, 1);
    }
  });
