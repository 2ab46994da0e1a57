// Live values: C expressions read between two slices of a guest that runs, or stands. A request of ours, kansoku/sample, as the Debug Adapter Protocol
// has watches for stopped programs only. Reading changes nothing: assignments are refused, and the guest does not see it.

import { reasonOf } from '../../saying.ts';
import { type Handler, Refusal } from '../protocol.ts';
import { lineText, withoutFormat } from '../values.ts';

/** A list of more is cut: a sample must not hold up the guest. */
const MOST = 64;

export const sample: Handler<'kansoku/sample'> = {
  answer: (session, { expressions }) => {
    const { context, frames, running, travelling } = session;
    // What is known of the call stack was true at another moment.
    if (running) frames.forget();
    const values = expressions.slice(0, MOST).map((expression) => {
      try {
        if (travelling) throw new Refusal('samplesOnTheWay');
        const { plain, number } = withoutFormat(expression);
        return { result: lineText(session, context.look(plain), number) };
      } catch (error) {
        return { problem: session.tell('plain', { text: reasonOf(error) }) };
      }
    });
    if (running) frames.forget();
    return { values, running, instructions: session.execution.target.position.instructions };
  },
};
