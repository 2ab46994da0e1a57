// Threads: the virtual processors and the guest's tasks.

import type { Handler } from '../protocol.ts';

export const threads: Handler<'threads'> = {
  answer: (session) => ({ threads: session.threads.list() }),
};
