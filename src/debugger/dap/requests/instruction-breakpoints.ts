// Breakpoints on instructions, set in the Disassembly view.

import { at } from '../../execution.ts';
import { setGroup } from '../placing.ts';
import type { Handler } from '../protocol.ts';
import { addressOf, reference } from '../references.ts';

export const setInstructionBreakpoints: Handler<'setInstructionBreakpoints'> = {
  capabilities: { supportsInstructionBreakpoints: true },
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(session, 'instruction', 'instruction', breakpoints, (wanted) => {
      const address = addressOf(wanted.instructionReference, wanted.offset);
      return {
        name: session.place(address),
        spots: [at(address)],
        answer: { instructionReference: reference(address) },
      };
    }),
  }),
};
