// What is under way: the guest that runs to somewhere, or goes through its recorded past. One at a time, in slices; long ways through the past show
// progress. Broken off, a run ends where it is, between two instructions; a way through the past leads back to where the guest stood when it began,
// as what lies between is nowhere that the user has been. Not where the ways lead (../stepping.ts, ../reverse.ts) and not what is told about stops
// (session.ts).

import type { Saying, Tell } from '../saying.ts';
import type { StepEnd } from '../stepping.ts';
import type { DebugTarget, Position, Work } from '../target.ts';
import type { Events } from './protocol.ts';

/** A way through the recorded past. */
export interface Past {
  /** What a person calls it. */
  readonly title: Saying;
  /** It looks for places of its own, so that breakpoints set meanwhile wait until it has ended. */
  readonly ownPoints?: boolean;
}

interface Activity {
  readonly work: Work<StepEnd>;
  /** What a stop at its end is called. */
  readonly reason: string;
  readonly past: (Past & { readonly home: Position; readonly cancelled?: Saying }) | undefined;
  slices: number;
  progress: string | undefined;
}

/** How it came to its end; `description` where it was broken off. */
export type ActivityEnd = StepEnd & { readonly reason: string; readonly description?: Saying };

/** Slices of silence before progress is shown. */
const QUIET_SLICES = 40;

type Emit = <E extends 'progressStart' | 'progressUpdate' | 'progressEnd'>(event: E, body: Events[E]) => void;

export class Activities {
  private current: Activity | undefined;
  /** Where the guest stood before a way that another has taken the place of. */
  private home: Position | undefined;
  private progressCount = 0;

  constructor(
    private readonly target: () => DebugTarget,
    private readonly emit: Emit,
    private readonly tell: Tell,
  ) {}

  get running(): boolean {
    return this.current !== undefined;
  }
  /** The guest is on its way through the past: it stands at no moment that means something. */
  get past(): Past | undefined {
    return this.current?.past;
  }

  begin(reason: string, work: Work<StepEnd>, past?: Past): void {
    const home = this.home ?? this.target().position;
    this.home = undefined;
    this.current = { work, reason, past: past && { ...past, home }, slices: 0, progress: undefined };
  }

  /** One slice; how it ended, if it did. */
  slice(): ActivityEnd | undefined {
    const { current } = this;
    if (current === undefined) return undefined;
    const result = current.work.next();
    if (result.done !== true) {
      this.showProgress(current, result.value.done);
      return undefined;
    }
    this.end(current);
    const cancelled = current.past?.cancelled;
    return { ...result.value, reason: current.reason, ...(cancelled === undefined ? {} : { description: cancelled }) };
  }

  /** Breaks off what is under way; how it ended, unless the guest is on its way back now. */
  breakOff(description: Saying): ActivityEnd | undefined {
    const { current } = this;
    if (current === undefined || current.past?.cancelled !== undefined) return undefined;
    this.drop();
    if (current.past === undefined) return { kind: 'done', reason: 'pause', description };
    const { home, title } = current.past;
    this.home = undefined;
    this.current = {
      work: returning(this.target(), home),
      reason: 'pause',
      past: { title: ['goingHome'], home, cancelled: ['brokenOff', { how: description, way: title }] },
      slices: 0,
      progress: undefined,
    };
    return undefined;
  }

  /** The way with this progress is broken off. */
  cancel(progressId: string): ActivityEnd | undefined {
    return this.current?.progress === progressId ? this.breakOff(['cancelled']) : undefined;
  }

  /** Ends what is under way where it is: another takes its place, or nothing comes any more. */
  drop(): void {
    const { current } = this;
    if (current === undefined) return;
    current.work.return(undefined as never);
    this.home = current.past?.home;
    this.end(current);
  }

  /** Ends what is under way, at once, with the guest at a moment where it can be left to itself. */
  dropAtHome(): void {
    this.drop();
    const { home } = this;
    this.home = undefined;
    if (home !== undefined) for (const work = this.target().history.travel(home); work.next().done !== true;);
  }

  private end(activity: Activity): void {
    this.current = undefined;
    if (activity.progress !== undefined) this.emit('progressEnd', { progressId: activity.progress });
  }

  private showProgress(activity: Activity, done: number | undefined): void {
    const { past } = activity;
    if (past === undefined || ++activity.slices < QUIET_SLICES) return;
    if (activity.progress === undefined) {
      activity.progress = `p${++this.progressCount}`;
      const cancellable = past.cancelled === undefined;
      this.emit('progressStart', { progressId: activity.progress, title: this.tell(...past.title), cancellable });
    } else if (activity.slices % QUIET_SLICES === 0)
      this.emit('progressUpdate', {
        progressId: activity.progress,
        ...(done === undefined ? {} : { percentage: Math.round(done * 100) }),
      });
  }
}

function* returning(target: DebugTarget, home: Position): Work<StepEnd> {
  yield* target.history.travel(home);
  return { kind: 'done' };
}
