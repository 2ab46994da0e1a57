// Breakpoints on instructions, set in the Disassembly view; also on those of a task that sleeps, where the same address of others does not count.

import { at } from '../../execution.ts';
import { setGroup } from '../placing.ts';
import type { Handler } from '../protocol.ts';
import { placeAt } from '../references.ts';

export const setInstructionBreakpoints: Handler<'setInstructionBreakpoints'> = {
  capabilities: { supportsInstructionBreakpoints: true },
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(
      session,
      'instruction',
      'instruction',
      breakpoints,
      (wanted) => {
        const { address, pageTable } = placeAt(wanted.instructionReference, wanted.offset);
        const { subject } = session;
        return {
          name: subject.place(address),
          spots: [at(address)],
          space: subject.spaceOf(address, pageTable),
          answer: { instructionReference: subject.reference(address, pageTable) },
        };
      },
      ({ instructionReference }) => session.subjectIn(instructionReference),
    ),
  }),
};
