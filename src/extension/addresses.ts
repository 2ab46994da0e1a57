// Numbers in a line of console text that could be guest addresses. Whether they are, the symbols know.

const ADDRESS = /\b(?:0x[0-9a-f]{1,8}|[0-9a-f]{8})\b/gi;
/** Smaller numbers are counts and flags, not code. */
const LEAST = 0x1000;

export interface AddressMatch {
  readonly start: number;
  readonly length: number;
  readonly address: number;
}

export const addressesIn = (line: string): AddressMatch[] =>
  [...line.matchAll(ADDRESS)]
    .map((match) => ({ start: match.index, length: match[0].length, address: Number.parseInt(match[0], 16) }))
    .filter(({ address }) => address >= LEAST);
