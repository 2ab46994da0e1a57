// C expressions: evaluate for watches, hovers, the console and the clipboard, setExpression.

import { reasonOf } from '../../saying.ts';
import { type Handler, Refusal } from '../protocol.ts';
import { answerTo } from '../questions.ts';
import { assign, described, wholeText, withoutFormat } from '../values.ts';

export const evaluate: Handler<'evaluate'> = {
  capabilities: { supportsEvaluateForHovers: true, supportsClipboardContext: true },
  answer: (session, { expression, frameId, context: purpose, format }) => {
    const frame = session.frame(frameId);
    const { plain, number: marked } = withoutFormat(expression);
    const number = marked ?? (format?.hex === true ? 'x' : undefined);
    session.context.written = false;
    try {
      const asked = answerTo(session, plain, frame);
      if (asked !== undefined) return asked;
      const { context } = session;
      // Only what is asked once, on the console, may change something: the rest is asked at every stop, or by moving the mouse.
      const value =
        purpose === undefined || purpose === 'repl' ? context.evaluate(plain, frame) : context.look(plain, frame);
      const { text, ...rest } = described(session, { expression: plain, value }, frame, number);
      const whole = purpose === 'repl' || purpose === 'clipboard';
      return { result: whole ? wholeText(session, value, number) : text, ...rest };
    } catch (error) {
      throw new Refusal('plain', { text: reasonOf(error) });
    } finally {
      if (session.context.written) session.changed('all');
    }
  },
};

export const setExpression: Handler<'setExpression'> = {
  capabilities: { supportsSetExpression: true },
  answer: (session, { expression, value, frameId }) => {
    const body = assign(session, withoutFormat(expression).plain, value, session.frame(frameId));
    session.changed('all');
    return body;
  },
};
