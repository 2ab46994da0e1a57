// Where an address is in the source, and how that reads in one line of text. The type every panel, report and event link shares.

export interface SourceLocation {
  readonly address: number;
  /** The symbol that contains the address: a function, an assembly label or a variable. Absent outside any symbol. */
  readonly function?: string;
  /** Bytes from the start of `function`. */
  readonly offset?: number;
  /** As the line table has it, joined with its compilation directory. */
  readonly file?: string;
  /** From 1. Absent where the compiler says that no line is responsible. */
  readonly line?: number;
  /** From 1. Absent where the compiler gives none. */
  readonly column?: number;
}

export const formatAddress = (address: number): string => `0x${(address >>> 0).toString(16).padStart(8, '0')}`;

/** `file:line (function+0x12)`, with whatever is unknown left out; `0x00100abc` if nothing is known. */
export function formatLocation(location: SourceLocation): string {
  const place =
    location.file === undefined
      ? undefined
      : location.line === undefined
        ? location.file
        : `${location.file}:${location.line}`;
  const offset = location.offset ?? 0;
  const symbol =
    location.function === undefined
      ? undefined
      : offset === 0
        ? location.function
        : `${location.function}+0x${offset.toString(16)}`;
  if (place === undefined) return symbol ?? formatAddress(location.address);
  return symbol === undefined ? place : `${place} (${symbol})`;
}
