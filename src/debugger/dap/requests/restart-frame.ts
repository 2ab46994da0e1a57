// Restart Frame: back in time to where the frame was entered, with memory and devices as they were. Nothing is undone by hand, so without a recorded
// past there is none.

import type { Frame } from '../../frames.ts';
import { backToEntry } from '../../stepping-back.ts';
import type { StepEnd } from '../../stepping.ts';
import type { Work } from '../../target.ts';
import { type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { notRecorded } from './reverse.ts';

export const restartFrame: Handler<'restartFrame'> = {
  capabilities: { supportsRestartFrame: true },
  answer: (session, { frameId }) => {
    const frame = session.frame(frameId);
    const entry = entryOf(session, frame);
    const cfa = frame.physical?.cfa;
    if (typeof entry === 'string') throw new Refusal(entry);
    if (cfa === undefined)
      throw new Refusal(`Where ${frame.name} was entered is not known: its frame has no beginning.`);
    // The return address lies on top when a function begins.
    session.begin('restart', restarted(session, frame, entry, (cfa - 4) >>> 0), {
      title: 'Going back to the start of the frame',
      ownPoints: true,
    });
  },
};

/** Whether the editor may offer it. */
export const canRestart = (session: DebugSession, frame: Frame): boolean =>
  typeof entryOf(session, frame) !== 'string' && frame.physical?.cfa !== undefined;

/** Address of the first instruction of the frame's function, or why it cannot be started again. */
const entryOf = (session: DebugSession, { kind, name, task, lookup, level }: Frame): number | string => {
  if (session.machine.target.history.limit === 0) return notRecorded('frames can be started again');
  if (task !== undefined) return `${task.name} ${task.id} does not run: its frames cannot be started again.`;
  if (kind === 'label') return 'This is no frame of a function.';
  const functions = session.machine.debug.functionsAt(lookup);
  if (functions[level]?.inlined === true) return `${name} is inlined: it has no frame of its own.`;
  const entry = functions[level]?.entry ?? session.machine.symbols.symbol(lookup)?.address;
  return entry ?? `Where ${name} begins is not known: there is no symbol for it.`;
};

function* restarted(session: DebugSession, frame: Frame, entry: number, esp: number): Work<StepEnd> {
  if (!(yield* backToEntry(session.context, entry, esp)))
    session.say(`${frame.name} was entered before the oldest moment that is recorded.`);
  return { kind: 'done' };
}
