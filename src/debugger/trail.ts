// What is known of the lines of one guest's past: from steps by line, and from searches for one. A step back need not look again for what it led
// past, which may lie millions of instructions back, behind a call. Nothing but what the search would find (stepping-back.ts), and only as long as
// the past is the same one.

import type { History, Position } from './target.ts';

export interface LineStart {
  readonly position: Position;
  readonly line: string;
}

interface Known {
  readonly from: LineStart;
  readonly begins: boolean;
}

/** So many moments are remembered. */
const MOST = 2000;

export class Trail {
  /** By moment: a place where its line began. */
  private readonly moments = new Map<string, Known>();
  private history: History | undefined;
  private futures = 0;

  /** From the beginning of a line to a moment of the same frame no other line began. @param begins another does there */
  note(history: History, from: LineStart, to: Position, begins: boolean): void {
    this.follow(history);
    this.moments.set(keyOf(to), { from, begins });
    if (this.moments.size > MOST) this.moments.delete(this.moments.keys().next().value!);
  }

  /**
   * The last line that began in the frame before a moment; undefined: it is not known. `certain`: it had not begun before already, as lines do that
   * jump to their beginning.
   */
  before(history: History, at: Position): (LineStart & { readonly certain: boolean }) | undefined {
    this.follow(history);
    const from = this.moments.get(keyOf(at))?.from;
    return from && { ...from, certain: this.moments.get(keyOf(from.position))?.begins === true };
  }

  /** Another future or another machine: moments do not mean what they meant. */
  private follow(history: History): void {
    if (history !== this.history || history.futures !== this.futures) this.moments.clear();
    this.history = history;
    this.futures = history.futures;
  }
}

const keyOf = ({ instructions, events, cycles }: Position): string => `${instructions} ${events} ${cycles}`;
