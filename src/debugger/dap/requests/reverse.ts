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
    session.begin(
      'step',
      granularity === 'instruction' ? stepInstructionBack(context) : stepLineBack(context),
      'Stepping back',
    );
  },
};

export const reverseContinue: Handler<'reverseContinue'> = {
  answer: (session, { threadId }) => {
    session.threads.mustRun(threadId);
    mayGoBack(session);
    session.begin('step', runBack(session.execution), 'Running back');
  },
};

/** Refuses where nothing lies before the present moment. */
export const mayGoBack = (session: DebugSession): void => {
  const { history, position } = session.machine.target;
  if (comparePositions(position, history.oldest) <= 0)
    throw new Refusal('This is the oldest moment that is recorded: there is nothing before it.');
};
