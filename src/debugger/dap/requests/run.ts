// continue, pause and cancel.

import type { Handler } from '../protocol.ts';

export const continueRun: Handler<'continue'> = {
  answer: (session) => {
    session.begin('breakpoint', session.free());
    return { allThreadsContinued: true };
  },
};

export const pause: Handler<'pause'> = {
  answer: (session) => {
    session.later(() => (session.running ? session.pause() : session.stand('pause', 'paused')));
  },
};

/** Every request but a run is answered at once; what can be cancelled is work with a progress. */
export const cancel: Handler<'cancel'> = {
  capabilities: { supportsCancelRequest: true },
  answer: (session, { progressId }) => {
    if (progressId !== undefined) session.later(() => session.cancel(progressId));
  },
};
