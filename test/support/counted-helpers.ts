// The rows of a unit that have both a description and a helper, for the specs that hold the one against the other: the helper alone, how
// often the run loop came to it, and the comparison. Not what a start and an end consist of: that is the spec's.

import assert from 'node:assert/strict';
import type { Helper, Operands } from '../../src/machine/cpu/cpu.ts';
import { DS, StateLayout } from '../../src/machine/cpu/state.ts';
import type { Row } from '../../src/machine/isa/row.ts';
import { rows } from '../../src/machine/isa/table.ts';
import { DATA, FloatWorld } from './float-world.ts';

/** What an instruction's ModRM byte and immediate come to. */
export type Decoded = Pick<Operands, 'length' | 'reg' | 'rm' | 'memory' | 'imm' | 'modrm'>;

/** Counts the calls of these rows' helpers by translated code, from now on. */
export const countCalls = (counted: readonly Row[]): { calls: number } => {
  const count = { calls: 0 };
  for (const row of counted) {
    const { helper } = row;
    if (helper === undefined) continue;
    (row as { helper: Helper }).helper = (cpu, op) => {
      count.calls++;
      return helper(cpu, op);
    };
  }
  return count;
};

export class CountedHelpers {
  /** The unit's rows with both. */
  readonly rows: readonly (Row & { readonly helper: Helper })[];
  private readonly count: { calls: number };
  private readonly helpers: ReadonlyMap<Row, Helper>;

  constructor(
    private readonly world: FloatWorld,
    unit: Row['unit'],
  ) {
    this.rows = rows.filter(
      (row): row is Row & { helper: Helper } =>
        row.unit === unit && row.semantics !== undefined && row.helper !== undefined,
    );
    this.helpers = new Map(this.rows.map((row) => [row, row.helper]));
    this.count = countCalls(this.rows);
  }
  /** How often a helper was called by the run loop. */
  get calls(): number {
    return this.count.calls;
  }
  set calls(calls: number) {
    this.count.calls = calls;
  }
  /** As FloatWorld.run, of an instruction at CODE whose memory operand is DATA, by the row's helper. Not counted. */
  run(row: Row, decoded: Decoded): number | undefined {
    const { cpu } = this.world;
    const done = this.helpers.get(row)!(cpu, {
      eip: FloatWorld.CODE,
      size: 32,
      addressSize: 32,
      segment: DS,
      offset: DATA,
      imm2: 0,
      rep: 0,
      opcode: row.opcode,
      ...decoded,
    });
    const fault = done ? undefined : cpu.s.get(StateLayout.faultVector) - 1;
    cpu.clearFault();
    return fault;
  }
}

/** Two ways from the same start come to the same end. */
export const assertSame = <T>(start: () => void, expected: () => T, actual: () => T): void => {
  start();
  const end = expected();
  start();
  assert.deepEqual(actual(), end);
};

/** The two tiers do: code, given as hex bytes, in FloatWorld.loop. */
export const assertSameInTiers = <T>(world: FloatWorld, code: string, start: () => void, end: () => T): void => {
  const inTier = (tiers: 'eager' | 'threaded') => (): T => {
    world.loop(code, tiers);
    return end();
  };
  assertSame(start, inTier('threaded'), inTier('eager'));
};

export const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
export const titleOf = (row: Row): string =>
  `${row.mnemonic} ${hex(row.opcode)} ${row.operands.map((o) => o.code).join(', ')}`;
