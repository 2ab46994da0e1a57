// What was read of the guest, for as long as it holds: between two runs nothing changes in the guest unless the debugger changes it. Not the order of
// moments (position.ts).

import type { DebugGuest, Position } from './target.ts';

/** What tells one moment from another. */
export type Moments = Pick<DebugGuest, 'position' | 'changes'>;

/** Read when it is asked for, once a moment. */
export class OfMoment<T> {
  private known:
    { readonly guest: Moments; readonly at: Position; readonly changes: number; readonly value: T } | undefined;

  constructor(
    private readonly guest: () => Moments,
    private readonly read: () => T,
  ) {}

  get now(): T {
    const guest = this.guest();
    const { position: at, changes } = guest;
    const { known } = this;
    if (known?.guest === guest && known.changes === changes && isSame(known.at, at)) return known.value;
    const value = this.read();
    this.known = { guest, at, changes, value };
    return value;
  }
}

const isSame = (a: Position, b: Position): boolean =>
  a.instructions === b.instructions && a.events === b.events && a.cycles === b.cycles;
