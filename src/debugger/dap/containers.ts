// What the editor can open in its Variables view: a named list, asked for in pages. The kinds are made by scopes.ts and values.ts.

import type { Dap } from './protocol.ts';

export interface Container {
  /** @param start first child; @param count how many; undefined: all */
  children(start: number, count: number | undefined, filter: 'indexed' | 'named' | undefined): Dap.Variable[];
  /** Sets a child's value from text; its new text. @throws Refusal */
  set?(name: string, value: string): Dap.SetVariableResponse['body'];
  /** Where a child lies in memory, for data breakpoints. */
  place?(
    name: string,
  ): { readonly address: number; readonly bytes: number; readonly pageTable?: number | undefined } | undefined;
}
