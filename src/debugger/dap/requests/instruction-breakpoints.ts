// Breakpoints on instructions, set in the Disassembly view.

import { at } from '../../execution.ts';
import type { Handler } from '../protocol.ts';
import { addressOf, badHit, badHitText, given, reference } from './source-breakpoints.ts';

export const setInstructionBreakpoints: Handler<'setInstructionBreakpoints'> = {
  capabilities: { supportsInstructionBreakpoints: true },
  answer: (session, { breakpoints }) => {
    const found = breakpoints.map((wanted) => ({
      wanted,
      address: addressOf(wanted.instructionReference, wanted.offset),
    }));
    const set = session.book.replace(
      'instruction',
      found.map(({ wanted, address }) => ({
        kind: 'instruction',
        name: session.place(address),
        spots: badHit(wanted) ? [] : [at(address)],
        condition: given(wanted.condition),
        hitCondition: given(wanted.hitCondition),
      })),
    );
    session.execution.arm();
    return {
      breakpoints: found.map(({ wanted, address }, index) => {
        const { id } = set[index]!;
        if (badHit(wanted)) return { id, verified: false, message: badHitText(wanted), reason: 'failed' };
        return { id, verified: true, instructionReference: reference(address) };
      }),
    };
  },
};
