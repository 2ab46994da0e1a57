// The messages between the extension and the language server beyond the Language Server Protocol: what the guest did, by source line.
// Types and method names only.

export interface LineReport {
  /** From 1. */
  readonly line: number;
  readonly function?: string;
  /** First line of the function, if it begins in this file. */
  readonly functionLine?: number;
  readonly exits: number;
  readonly reasons: readonly { readonly name: string; readonly count: number }[];
}

/** One file's exits. The server replaces what it had for the file. */
export interface FileReport {
  readonly uri: string;
  readonly lines: readonly LineReport[];
}

export interface GuestActivity {
  readonly files: readonly FileReport[];
  /** Lenses are off by the user's setting. */
  readonly lenses: boolean;
}

export const GUEST_ACTIVITY = 'kansoku/guestActivity';

/** The strings of the server in the display language, English text to translation. */
export interface ServerOptions {
  readonly strings: Readonly<Record<string, string>>;
}
