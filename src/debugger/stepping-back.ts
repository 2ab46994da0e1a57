// Steps back in time: to the line before, to the instruction before, to the last breakpoint. The past is run again between two moments, and
// the last place that counts is gone to. A step back by line ends where a step forwards would have ended, so that both are each other's
// inverse; calls are passed, because only lines of the same frame count. Not the recorded past itself (target.ts, History).

import { at, type Execution } from './execution.ts';
import { comparePositions } from './position.ts';
import { continueBack, lastMet, stepGuestBack } from './reverse.ts';
import { isSameFrame, type StepContext, type StepEnd, type StepLine } from './stepping.ts';
import type { History, Position, StopPoint, Work } from './target.ts';

/** Instructions of the past that are looked through first, and by what they grow while nothing is found. */
const FIRST_STRETCH = 2_000;
const GROWTH = 8;

export interface BackContext extends StepContext {
  /** Of the function at an address: starts of all runs of lines where a statement begins. */
  statements(address: number): readonly number[];
}

const before = (a: Position, b: Position): boolean => comparePositions(a, b) < 0;

/** The last instruction or delivery of the guest is undone, and what others did since. */
export function* stepInstructionBack({ execution: { target, index } }: BackContext): Work<StepEnd> {
  yield* stepGuestBack(target, index);
  return { kind: 'done' };
}

/** To where the line began that was executed before this one; from the middle of a line to its beginning. */
export function* stepLineBack(context: BackContext): Work<StepEnd> {
  const { target } = context.execution;
  const { history } = target;
  while (before(history.oldest, target.position)) {
    const entry = context.entryOf(context.pc);
    if (context.pc === entry) {
      // The line before is the caller's, that of the CALL.
      yield* stepInstructionBack(context);
      const caller = context.line(context.pc, false);
      if (caller === undefined || caller.begins) break;
      continue;
    }
    const line = context.line(context.pc, false);
    if (line === undefined) return yield* stepInstructionBack(context);
    const found = yield* lineBefore(context, line, entry);
    yield* history.travel(found?.position ?? history.oldest);
    if (found === undefined || found.line !== undefined) break;
  }
  return { kind: 'done' };
}

interface Found {
  readonly position: Position;
  /** The line that begins there; undefined: it is where the function was entered, and nothing of the frame lies before it. */
  readonly line: string | undefined;
  /** A search from there is this one. */
  readonly same: boolean;
}

/** The last moment at which a step forwards in this frame would have ended. Looked for in stretches, from the last one backwards. */
function* lineBefore(context: BackContext, first: StepLine, entry: number): Work<Found | undefined> {
  const { execution, pc, frame } = context;
  const { target } = execution;
  const { history } = target;
  // The last line that was met; it may have begun before the stretches that were looked through.
  const known = context.trail.before(history, target.position);
  let last: Found | undefined = known && { ...known, same: true };
  if (known?.certain === true) return last;
  const note = (from: Found | undefined, to: Found): void => {
    if (from?.line !== undefined && to.same)
      context.trail.note(history, { ...from, line: from.line }, to.position, true);
  };
  const spots = new Set([entry, ...context.statements(pc)]);
  const points = pointsAt(execution, spots);
  // A step into a function without a prologue ends at its entry.
  const stopsAtEntry = context.bodyOf(entry) === entry;
  let end = known?.position ?? { ...target.position };
  for (let length = FIRST_STRETCH; before(history.oldest, end); length *= GROWTH) {
    const from = startOf(history, end, length);
    let met: Found | undefined;
    let changes = 0;
    const look = (position: Position): void => {
      if (!before(position, end)) return;
      const here = context.frame;
      if (!isSameFrame(here, frame)) return;
      const entered = context.pc === entry;
      if (entered) [met, changes] = [{ position: { ...position }, line: undefined, same: false }, changes + 1];
      const line = context.line(context.pc, false, first.owner);
      if (line === undefined || !line.begins || line.nobody || line.key === met?.line || (entered && !stopsAtEntry))
        return;
      const same = frame !== undefined && here === frame && line.owner === first.owner;
      const now = { position: { ...position }, line: line.key, same };
      note(met, now);
      if (met?.line !== undefined) changes++;
      met = now;
    };
    target.setPoints(points);
    yield* history.travel(from);
    // Points do not stop the guest where it is put.
    if (spots.has(context.pc)) look(target.position);
    yield* history.replay(from, end, (_stop, position) => look(position));
    if (met !== undefined) {
      if (last !== undefined && met.line !== last.line) {
        note(met, last);
        return last;
      }
      last = met;
      if (changes > 0) return last;
    }
    end = { ...from };
  }
  return last;
}
/** Where a stretch begins that ends at `end`: at the last moment with a snapshot, if it is near, as the way from there has to be run anyway. */
const startOf = (history: History, end: Position, length: number): Position => {
  const mark = history.markBefore({ instructions: Math.max(0, end.instructions - 1), events: 0 });
  if (end.instructions - mark.instructions <= 2 * length) return mark;
  return { instructions: end.instructions - length, events: 0 };
};

/** To the last moment at which a breakpoint would have stopped the guest; without one, to the oldest moment. */
export function* runBack(execution: Execution): Work<StepEnd> {
  const { target } = execution;
  target.setPoints(execution.book.points);
  const met = yield* continueBack(target, (stop) => stop.kind === 'point' && execution.pastStops(stop).length > 0);
  if (met?.stop.kind !== 'point') return { kind: 'done' };
  return { kind: 'met', breakpoints: execution.pastStops(met.stop), detail: met.stop.detail };
}

const pointsAt = (execution: Execution, addresses: ReadonlySet<number>): StopPoint[] =>
  [...addresses].map((address) => execution.own(at(address)));

/**
 * To where a frame was entered: the last time that its function began on this place of the stack; from there on behind the prologue. False: that
 * was before the oldest moment, and the machine stands where it stood.
 * @param esp ESP at the function's first instruction
 */
export function* backToEntry(context: BackContext, entry: number, esp: number): Work<boolean> {
  const { execution } = context;
  const { target } = execution;
  if (context.pc !== entry || context.esp !== esp) {
    target.setPoints(pointsAt(execution, new Set([entry])));
    if ((yield* lastMet(target, false, () => context.esp === esp)) === undefined) return false;
  }
  const body = context.bodyOf(entry) ?? entry;
  if (body !== entry) yield* execution.run([{ spot: at(body), accept: () => true }]);
  return true;
}
