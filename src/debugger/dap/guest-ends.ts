// What is said when guests end, and which of them is looked at then. A further guest ends alone; with the first one all end. Not how the session goes on
// (session.ts).

import type { GuestEnd } from '../machine.ts';
import type { DebugSession } from './session.ts';
import type { Subject } from './subject.ts';

export class GuestEnds {
  /** Back in time a guest has not ended; when it ends again that is another end. */
  private readonly told = new WeakSet<GuestEnd>();

  constructor(private readonly session: DebugSession) {}

  /** A guest that broke is looked at, if the user wants; one that ended by itself is over. */
  isLookedAt({ kind }: GuestEnd): boolean {
    return this.session.standsAtEnd.has(kind === 'unsupported' ? 'vm-entry-failure' : kind);
  }

  /** Says why a guest has ended, once. */
  tell({ prefix }: Subject, end: GuestEnd): void {
    if (this.told.has(end)) return;
    this.told.add(end);
    this.session.say(prefix + end.message);
    for (const line of end.details) this.session.say(`${prefix}  ${line}`);
  }

  /** Tells which further guests have ended; the one that is to be looked at, or that is stepped; undefined: all go on without them. */
  tellFurther(): Subject | undefined {
    const { subjects, subject: stepped } = this.session;
    for (const subject of subjects.slice(1)) {
      const { end } = subject.guest;
      if (end === undefined || this.told.has(end)) continue;
      this.tell(subject, end);
      if (subject === stepped || this.isLookedAt(end)) return subject;
    }
    return undefined;
  }
}
