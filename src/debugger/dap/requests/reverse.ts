// stepBack and reverseContinue: in the recorded past, with memory and devices as they were.

import { comparePositions } from '../../position.ts';
import { runBack, stepInstructionBack, stepLineBack } from '../../stepping-back.ts';
import { type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';

export const stepBack: Handler<'stepBack'> = {
  capabilities: { supportsStepBack: true },
  answer: (session, { threadId, granularity }) => {
    session.threads.mustRun(threadId);
    mayGoBack(session);
    const { context } = session;
    session.begin('step', granularity === 'instruction' ? stepInstructionBack(context) : stepLineBack(context), {
      title: ['steppingBack'],
      ownPoints: true,
    });
  },
};

export const reverseContinue: Handler<'reverseContinue'> = {
  answer: (session, { threadId }) => {
    session.threads.mustRun(threadId);
    mayGoBack(session);
    session.begin('step', runBack(session.execution), { title: ['runningBack'] });
  },
};

/** Refuses where nothing lies before the present moment, as in a guest that Boot Guest has booted. */
export const mayGoBack = (session: DebugSession): void => {
  const { history, position } = session.machine.target;
  if (history.limit === 0) throw new Refusal('notRecorded', { then: ['thenGoBack'] });
  if (comparePositions(position, history.oldest) <= 0) throw new Refusal('isOldest');
};
