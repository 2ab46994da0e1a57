// A table for a jump to one of several known EIPs: bits of the EIP in which they differ choose the way, and the whole EIP is compared there. Not
// which EIPs these are (flow-graph.ts) and not the code (region-function.ts).

export interface TargetTable {
  /** The number of an EIP's way: `eip >>> shift & mask`. */
  readonly shift: number;
  readonly mask: number;
  /** By that number: index in the list of EIPs; -1: none. */
  readonly ways: readonly number[];
}

/** A table may have so many ways for each EIP. */
const SPARSEST = 16;

/** The smallest table that tells the EIPs apart; undefined: there is none. */
export const targetTable = (eips: readonly number[]): TargetTable | undefined => {
  for (let size = 1; size <= eips.length * SPARSEST; size *= 2) {
    if (size < eips.length) continue;
    for (let shift = 0; shift < 20; shift++) {
      const ways = new Array<number>(size).fill(-1);
      const fits = eips.every((eip, i) => {
        const way = (eip >>> shift) & (size - 1);
        const free = ways[way] === -1;
        ways[way] = i;
        return free;
      });
      if (fits) return { shift, mask: size - 1, ways };
    }
  }
  return undefined;
};
