// A thread is a virtual processor of the guest.

import type { Handler } from '../protocol.ts';
import { FIRST_THREAD } from '../session.ts';

export const threads: Handler<'threads'> = {
  answer: (session) => ({
    threads: session.machine.target.vcpus.map(({ name }, index) => ({ id: FIRST_THREAD + index, name })),
  }),
};
