// Makes a failing fuzz case smaller while it still fails in the same way: fewer cycles, fewer instructions, less memory.
// Not the running of cases (case-runner.ts).

import type { FuzzCase } from './fuzz-case.ts';
import type { Finding } from './invariants.ts';

const NOP = 0x90;

/** `fails` runs a case and says which invariant it breaks, if any. */
export const shrink = async (
  c: FuzzCase,
  fails: (smaller: FuzzCase) => Promise<Finding | undefined>,
): Promise<FuzzCase> => {
  const first = await fails(c);
  if (first === undefined) return c;
  let best = c;
  const attempt = async (smaller: FuzzCase): Promise<boolean> => {
    const finding = await fails(smaller);
    if (finding?.invariant !== first.invariant) return false;
    best = smaller;
    return true;
  };

  let low = 0;
  while (low + 1 < best.cycles) {
    const middle = (low + best.cycles) >> 1;
    if (!(await attempt({ ...best, cycles: middle }))) low = middle;
  }
  for (let size = Math.ceil(best.pieces.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < best.pieces.length; at += size) {
      const inside = (i: number): boolean => i >= at && i < at + size;
      if (best.pieces.every((piece, i) => !inside(i) || piece.every((byte) => byte === NOP))) continue;
      const pieces = best.pieces.map((piece, i) => (inside(i) ? piece.map(() => NOP) : piece));
      await attempt({ ...best, pieces });
    }
  for (let i = best.memory.length - 1; i >= 0; i--)
    await attempt({ ...best, memory: best.memory.filter((_, k) => k !== i) });
  return best;
};

/** The code that is not NOP, a line a piece, with its offset. */
export const listing = (c: FuzzCase): string[] => {
  const lines: string[] = [];
  let at = c.codeAddress;
  for (const piece of c.pieces) {
    const bytes = piece.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    if (piece.some((byte) => byte !== NOP)) lines.push(`0x${at.toString(16)}: ${bytes}`);
    at += piece.length;
  }
  return lines;
};
