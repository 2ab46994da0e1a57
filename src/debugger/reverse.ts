// Searching the past: the step back, the last stop point that was met before here, who wrote an address last, when a line was last executed.
// Built on the history's travelling and replaying (target.ts); nothing here knows snapshots' contents. The search goes from the newest
// stretch of the past backwards, so that what is near is found soon.

import { icountAt } from '../monitor/record.ts';
import { comparePositions } from './position.ts';
import type { DebugStop, DebugTarget, Position, StopPoint, Work } from './target.ts';

/** Instructions of the first stretch that is searched; each further one is longer. */
const FIRST_STRETCH = 50_000;
const GROWTH = 4;

export interface Met {
  readonly stop: DebugStop;
  readonly at: Position;
}

/** Puts the machine one instruction, or one delivery, back. False: it stands at its oldest moment. */
export function* stepBack(target: DebugTarget): Work<boolean> {
  const { history } = target;
  const from = target.position;
  if (comparePositions(from, history.oldest) <= 0) return false;
  const { instructions, events } = from;
  if (events > 0) {
    yield* history.travel({ instructions, events: events - 1 });
    return true;
  }
  // Behind the instruction before, as many events were delivered as it takes steps from its boundary to here.
  yield* history.travel({ instructions: Math.max(instructions - 1, history.oldest.instructions), events: 0 });
  let last = target.position;
  for (;;) {
    yield {};
    target.run(1);
    const at = target.position;
    if (comparePositions(at, from) >= 0 || comparePositions(at, last) === 0) break;
    last = at;
  }
  yield* history.travel(last);
  return true;
}

/** The last instruction or delivery of one guest is undone, and what others did since. False: it stands at its oldest moment. */
export function* stepGuestBack(target: DebugTarget, index: number): Work<boolean> {
  const guest = target.guests[index]!;
  const { domain, vcpu, ran } = guest;
  const [eip, esp] = [vcpu.read('eip'), vcpu.read('esp')];
  // A delivery takes no time.
  const isBack = (): boolean => guest.ran < ran || vcpu.read('eip') !== eip || vcpu.read('esp') !== esp;
  for (;;) {
    if (!(yield* stepBack(target))) return false;
    if (domain === undefined || isBack()) return true;
    // Another had the processor: to where it was taken from this one.
    target.setPoints([{ id: 0, on: 'switch-out', domain }]);
    if ((yield* continueBack(target)) === undefined) return false;
  }
}

/**
 * The last point that was met before the present moment, and where; undefined: none. The machine stands there, or where it was. `here`: what the
 * instruction that led to the present moment did counts too. `counts` is asked of each point, with the machine where it was met.
 */
export function* lastMet(
  target: DebugTarget,
  here = false,
  counts: (stop: DebugStop) => boolean = () => true,
): Work<Met | undefined> {
  const { history, position: before } = target;
  let end = before;
  for (let stretch = FIRST_STRETCH; comparePositions(end, history.oldest) > 0; stretch *= GROWTH) {
    const wanted = { instructions: Math.max(history.oldest.instructions, end.instructions - stretch), events: 0 };
    const start = comparePositions(wanted, end) < 0 ? wanted : history.oldest;
    let found: Met | undefined;
    // A point that is met where a stretch begins belongs to the stretch before it, which goes an instruction beyond its end.
    yield* history.replay(start, { instructions: end.instructions + 1, events: 0 }, (stop, at) => {
      const order = comparePositions(at, before);
      if ((order < 0 || (here && order === 0)) && counts(stop)) found = { stop, at };
    });
    if (found !== undefined) {
      yield* history.travel(found.at);
      return found;
    }
    end = start;
  }
  yield* history.travel(before);
  return undefined;
}

/** Runs back to the last point that was met before this moment; undefined: there was none, and the machine stands at its oldest moment. */
export function* continueBack(target: DebugTarget, counts?: (stop: DebugStop) => boolean): Work<Met | undefined> {
  const met = yield* lastMet(target, false, counts);
  if (met === undefined) yield* target.history.travel(target.history.oldest);
  return met;
}

/** `lastMet` for other points than the debugger's, which are in force again afterwards. */
export function* lastMetOf(
  target: DebugTarget,
  points: readonly StopPoint[],
  own: readonly StopPoint[],
  here = false,
  counts?: (stop: DebugStop) => boolean,
): Work<Met | undefined> {
  target.setPoints(points);
  try {
    return yield* lastMet(target, here, counts);
  } finally {
    target.setPoints(own);
  }
}

/** In which domain; left out: there is one guest. */
type Whose = Pick<StopPoint, 'domain'>;

/** Who wrote these bytes last: the machine stands behind the instruction. `counts`: writes that are not theirs are left out. */
export const lastWrite = (
  target: DebugTarget,
  address: number,
  bytes: number,
  own: readonly StopPoint[],
  counts?: (stop: DebugStop) => boolean,
  whose: Whose = {},
): Work<Met | undefined> => lastMetOf(target, [{ id: 0, on: 'write', address, bytes, ...whose }], own, true, counts);

/** When one of these addresses (those of a line, say) was executed last: the machine stands before the instruction. */
export const lastExecution = (
  target: DebugTarget,
  addresses: readonly number[],
  own: readonly StopPoint[],
  whose: Whose = {},
): Work<Met | undefined> =>
  lastMetOf(
    target,
    addresses.map((address, id) => ({ id, on: 'execute', address, ...whose })),
    own,
  );

/** The moment of a recorded event: the boundary at which it happened, or in which instruction. */
export const positionOfRecord = (words: Uint32Array, at: number): Position => ({
  instructions: icountAt(words, at),
  events: 0,
});
