// Breakpoints on functions by name. In C they lie behind the prologue, in assembly on the label itself.

import { at } from '../../execution.ts';
import type { Handler } from '../protocol.ts';
import { badHit, badHitText, given, reference } from './source-breakpoints.ts';

export const setFunctionBreakpoints: Handler<'setFunctionBreakpoints'> = {
  capabilities: { supportsFunctionBreakpoints: true },
  answer: (session, { breakpoints }) => {
    const { symbols, image } = session.machine;
    const found = breakpoints.map((wanted) => {
      const symbol = symbols.symbol(wanted.name.trim());
      const numeric = /^\*?(0x[0-9a-f]+)$/i.exec(wanted.name.trim());
      const address =
        symbol !== undefined
          ? (session.context.bodyOf(symbol.address) ?? symbol.address)
          : numeric === null
            ? undefined
            : Number(numeric[1]);
      return { wanted, address };
    });
    const set = session.book.replace(
      'function',
      found.map(({ wanted, address }) => ({
        kind: 'function',
        name: wanted.name,
        spots: address === undefined || badHit(wanted) ? [] : [at(address)],
        condition: given(wanted.condition),
        hitCondition: given(wanted.hitCondition),
      })),
    );
    session.execution.arm();
    return {
      breakpoints: found.map(({ wanted, address }, index) => {
        const { id } = set[index]!;
        if (address === undefined)
          return { id, verified: false, message: `${image} has no function ${wanted.name}.`, reason: 'failed' };
        if (badHit(wanted)) return { id, verified: false, message: badHitText(wanted), reason: 'failed' };
        const { file, line } = session.context.visiblePlace(address);
        return {
          id,
          verified: true,
          instructionReference: reference(address),
          ...(file === undefined ? {} : { source: session.source(file) }),
          ...(line === undefined ? {} : { line: session.toLine(line) }),
        };
      }),
    };
  },
};
