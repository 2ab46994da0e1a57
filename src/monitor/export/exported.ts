// What an export gives back, and how it says no. Not the formats (index.ts).

export interface Exported {
  /** Files to write: relative path to bytes; a single file has the path ''. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Lines for the user: how to open the result, what was left out. */
  readonly notes: readonly string[];
}

/** An export that cannot be made: what was asked, why not, what to do. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}
