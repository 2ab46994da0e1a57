// Restart Frame: back in time to where the frame was entered, with memory and devices as they were. Nothing is undone by hand, so without a recorded
// past there is none.

import type { Frame } from '../../frames.ts';
import type { Saying } from '../../saying.ts';
import { backToEntry } from '../../stepping-back.ts';
import type { StepEnd } from '../../stepping.ts';
import type { Work } from '../../target.ts';
import { type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';

export const restartFrame: Handler<'restartFrame'> = {
  capabilities: { supportsRestartFrame: true },
  answer: (session, { frameId }) => {
    const frame = session.frame(frameId);
    const entry = entryOf(session, frame);
    const cfa = frame.physical?.cfa;
    if (typeof entry !== 'number') throw new Refusal(...entry);
    if (cfa === undefined) throw new Refusal('frameNoBeginning', { name: frame.name });
    // The return address lies on top when a function begins.
    session.begin('restart', restarted(session, frame, entry, (cfa - 4) >>> 0), {
      title: ['goingToFrameStart'],
      ownPoints: true,
    });
  },
};

/** Whether the editor may offer it. */
export const canRestart = (session: DebugSession, frame: Frame): boolean =>
  typeof entryOf(session, frame) === 'number' && frame.physical?.cfa !== undefined;

/** Address of the first instruction of the frame's function, or why it cannot be started again. */
const entryOf = (session: DebugSession, { kind, name, task, lookup, level }: Frame): number | Saying => {
  if (session.machine.target.history.limit === 0) return ['notRecorded', { then: ['thenRestartFrames'] }];
  if (task !== undefined) return ['frameOfTask', { who: `${task.name} ${task.id}` }];
  if (kind === 'label') return ['noFunctionFrame'];
  const functions = session.guest.debug.functionsAt(lookup);
  if (functions[level]?.inlined === true) return ['inlinedFrame', { name }];
  const entry = functions[level]?.entry ?? session.guest.symbols.symbol(lookup)?.address;
  return entry ?? ['frameNoSymbol', { name }];
};

function* restarted(session: DebugSession, frame: Frame, entry: number, esp: number): Work<StepEnd> {
  if (!(yield* backToEntry(session.context, entry, esp)))
    session.say(session.tell('frameTooOld', { name: frame.name }));
  return { kind: 'done' };
}
