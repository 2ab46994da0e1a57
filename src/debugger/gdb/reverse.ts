// Going back for GDB: one boundary, or to the last stop point that was met before this moment. By travelling and running again, in stretches that
// double. Not the recording (the target's history) and not GDB's packets (stub.ts).

import type { DebugStop, DebugTarget, Position, Work } from '../target.ts';

/** Instructions of the first stretch that is searched. */
const STRETCH = 1_000_000;

export const before = (a: Position, b: Position): boolean =>
  a.instructions < b.instructions || (a.instructions === b.instructions && a.events < b.events);
const same = (a: Position, b: Position): boolean => a.instructions === b.instructions && a.events === b.events;

/** Stands at the boundary before this one. False: there is none. */
export function* stepBack(target: DebugTarget): Work<boolean> {
  const { position, history } = target;
  if (!before(history.oldest, position)) return false;
  const from = { instructions: Math.max(history.oldest.instructions, position.instructions - 1), events: 0 };
  let last = before(from, history.oldest) ? history.oldest : from;
  yield* history.travel(last);
  // Events may have been delivered between the two instructions.
  target.setPoints([]);
  for (;;) {
    target.run(1);
    if (!before(target.position, position)) break;
    last = target.position;
  }
  yield* history.travel(last);
  return true;
}

/** Stands at the last point met before this moment, which is answered; undefined: at the oldest moment, nothing was met. */
export function* continueBack(target: DebugTarget): Work<DebugStop | undefined> {
  const { position, history } = target;
  let end = position;
  for (let stretch = STRETCH; before(history.oldest, end); stretch *= 2) {
    const start = { instructions: Math.max(0, end.instructions - stretch), events: 0 };
    const from = before(start, history.oldest) ? history.oldest : start;
    let found: { readonly stop: DebugStop; readonly at: Position } | undefined;
    yield* history.replay(from, end, (stop, at) => {
      if (stop.kind === 'point' && !same(at, position) && before(at, position)) found = { stop, at };
    });
    if (found !== undefined) {
      const { stop, at } = found as { stop: DebugStop; at: Position };
      yield* history.travel(at);
      return stop;
    }
    end = from;
  }
  yield* history.travel(history.oldest);
  return undefined;
}
