// C expressions: evaluate for watches, hovers, the console and the clipboard, setExpression, completions.

import { REGISTERS } from '../../registers.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';
import { answerTo, QUESTIONS } from '../questions.ts';
import { assign, described, wholeText, withoutFormat } from '../values.ts';

export const evaluate: Handler<'evaluate'> = {
  capabilities: { supportsEvaluateForHovers: true, supportsClipboardContext: true },
  answer: (session, { expression, frameId, context: purpose, format }) => {
    const frame = session.frame(frameId);
    const { plain, hex: marked } = withoutFormat(expression);
    const hex = format?.hex === true || marked;
    session.context.written = false;
    try {
      const asked = answerTo(session, plain, frame);
      if (asked !== undefined) return asked;
      const value = session.context.evaluate(plain, frame);
      const { text, ...rest } = described(session, { expression: plain, value }, frame, hex);
      const whole = purpose === 'repl' || purpose === 'clipboard';
      return { result: whole ? wholeText(session, value, hex) : text, ...rest };
    } catch (error) {
      throw new Refusal(error instanceof Error ? error.message : String(error));
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

const MOST_COMPLETIONS = 100;

/** Names of locals and registers first, then those of the program. */
export const completions: Handler<'completions'> = {
  capabilities: { supportsCompletionsRequest: true, completionTriggerCharacters: ['$'] },
  answer: (session, { text, column, frameId }) => {
    const before = text.slice(0, session.fromColumn(column) - 1);
    const typed = /[$\w]*$/.exec(before)![0];
    const frame = session.frame(frameId);
    const { debug } = session.machine;
    const item = (label: string, type: Dap.CompletionItemType): Dap.CompletionItem => ({
      label,
      type,
      start: before.length - typed.length,
      length: typed.length,
    });
    if (typed.startsWith('$')) {
      const wanted = typed.slice(1).toLowerCase();
      const found = REGISTERS.filter(({ name, bits }) => bits <= 32 && name.startsWith(wanted));
      const questions = Object.keys(QUESTIONS).filter((name) => name.startsWith(wanted));
      return {
        targets: [
          ...found.map(({ name }) => item(`$${name}`, 'property')),
          ...questions.map((name) => item(`$${name}()`, 'function')),
        ],
      };
    }
    const locals = debug
      .scopesAt(frame.lookup, frame.level)
      .flatMap(({ variables }) => variables.map(({ name }) => name))
      .filter((name) => name.startsWith(typed));
    const globals = typed === '' ? [] : debug.complete(typed, MOST_COMPLETIONS);
    return { targets: [...new Set([...locals, ...globals])].map((name) => item(name, 'variable')) };
  },
};
