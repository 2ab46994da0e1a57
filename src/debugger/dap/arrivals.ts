// Breakpoints that wait for what comes up later, a kernel that places itself or a module, and what is placed anew when others are there: also back in time. Not
// where a breakpoint of a kind lies (requests/) and not how a kernel is found (../guest-symbols.ts).

import type { Breakpoint } from '../breakpoints.ts';
import { at, type Errand } from '../execution.ts';
import type { DebugSession } from './session.ts';
import type { Subject } from './subject.ts';

export class Arrivals {
  private placedBy = 0;
  private placedFor = '';

  constructor(
    private readonly session: DebugSession,
    /** In whose guest things come up. */
    private readonly subject: Subject,
  ) {}

  /** Where the debugger itself has something to do when the guest comes there. */
  get errand(): Errand | undefined {
    return this.kernelStart ?? this.moduleStart;
  }

  /** Takes note of where the kernel is, as soon as that can be told; breakpoints are placed there. @param early it has only just begun */
  look(early = false): boolean {
    const { session, subject } = this;
    const { guestSymbols } = subject.guest;
    if (early) guestSymbols.lookNow();
    else guestSymbols.look();
    if (guestSymbols.generation === this.placedBy) {
      // Also back in time, before a module was loaded.
      if (this.session.book.all.some((breakpoint) => this.mayMove(breakpoint)) && this.modulesMoved())
        session.placeAgain();
      return false;
    }
    this.placedBy = guestSymbols.generation;
    subject.frames.forget();
    const { problem } = guestSymbols;
    if (problem !== undefined) session.say(subject.prefix + session.tell(...problem));
    session.placeAgain();
    return true;
  }

  /** Breakpoints wait for a kernel: where it begins it is looked for, before it can pass them. */
  private get kernelStart(): Errand | undefined {
    const spot = this.session.book.all.length === 0 ? undefined : this.subject.guest.guestSymbols.start;
    return spot === undefined ? undefined : { spot, met: () => void this.look(true) };
  }

  /** Breakpoints that lie nowhere may lie in a module, and those in a module may lie elsewhere: each is placed when one is loaded, before it runs. */
  private get moduleStart(): Errand | undefined {
    const { book } = this.session;
    const { guest, os } = this.subject;
    if (guest.guestSymbols.awaited || !book.all.some((breakpoint) => this.mayMove(breakpoint))) return undefined;
    const address = os.awareness?.moduleStart;
    if (address === undefined) return undefined;
    const met = (): void => {
      this.modulesMoved();
      this.session.placeAgain();
    };
    return { spot: at(address), met };
  }
  private mayMove({ order: { kind, spots } }: Breakpoint): boolean {
    const own = spots.filter(({ domain }) => domain === this.subject.domain);
    if (own.length === 0) return spots.length === 0 || kind === 'source' || kind === 'function';
    const { kernel } = this.subject.guest.guestSymbols;
    return (
      (kind === 'source' || kind === 'function') &&
      own.some((spot) => 'address' in spot && kernel.map.symbol(spot.address) === undefined)
    );
  }
  /** Other modules are loaded than when it was asked last. */
  private modulesMoved(): boolean {
    const now = this.subject.os
      .modules()
      .map(({ name, base }) => `${name} ${base}`)
      .join();
    const moved = now !== this.placedFor;
    this.placedFor = now;
    return moved;
  }
}
