// Breakpoints on instructions, set in the Disassembly view; also on those of a task that sleeps, where the same address of others does not count.

import { at } from '../../execution.ts';
import { setGroup } from '../placing.ts';
import type { Handler } from '../protocol.ts';
import { placeAt, reference } from '../references.ts';

export const setInstructionBreakpoints: Handler<'setInstructionBreakpoints'> = {
  capabilities: { supportsInstructionBreakpoints: true },
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(session, 'instruction', 'instruction', breakpoints, (wanted) => {
      const { address, pageTable } = placeAt(wanted.instructionReference, wanted.offset);
      return {
        name: session.place(address),
        spots: [at(address)],
        space: session.spaceOf(address, pageTable),
        answer: { instructionReference: reference(address, pageTable) },
      };
    }),
  }),
};
