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
      title: 'Stepping back',
      ownPoints: true,
    });
  },
};

export const reverseContinue: Handler<'reverseContinue'> = {
  answer: (session, { threadId }) => {
    session.threads.mustRun(threadId);
    mayGoBack(session);
    session.begin('step', runBack(session.execution), { title: 'Running back' });
  },
};

/** Refuses where nothing lies before the present moment. */
export const mayGoBack = (session: DebugSession): void => {
  const { history, position } = session.machine.target;
  if (history.limit === 0) throw new Refusal(notRecorded('the guest can go back'));
  if (comparePositions(position, history.oldest) <= 0)
    throw new Refusal('This is the oldest moment that is recorded: there is nothing before it.');
};

/** A guest that Boot Guest has booted is such a one. @param then what is possible where the past is recorded */
export const notRecorded = (then: string): string =>
  `This machine does not record its past: start it with F5, without "record": 0 in the launch configuration, and ${then}.`;
