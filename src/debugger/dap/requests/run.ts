// continue, pause and cancel.

import type { Handler } from '../protocol.ts';

export const continueRun: Handler<'continue'> = {
  answer: (session) => {
    session.begin('breakpoint', session.free());
    return { allThreadsContinued: true };
  },
};

export const pause: Handler<'pause'> = {
  answer: (session, { threadId }) => {
    session.later(() => (session.running ? session.pause(threadId) : session.stand('pause', 'paused')));
  },
};

/** What can be cancelled is work with a progress, and a request that waits for such work. */
export const cancel: Handler<'cancel'> = {
  capabilities: { supportsCancelRequest: true },
  answer: (session, { progressId, requestId }) => {
    session.later(() => {
      session.postponed.cancel(progressId, requestId);
      if (progressId !== undefined) session.cancel(progressId);
    });
  },
};
