// What can be typed on the debug console and in watches: registers and questions behind `$`, members behind `.` and `->`, else names of the frame
// before those of the whole program. Not what they mean (../../expression).

import { DOMAIN } from '../../context.ts';
import { NamesWanted } from '../../../symbols/dwarf/names.ts';
import type { CType } from '../../../symbols/types.ts';
import { stripped } from '../../../symbols/types.ts';
import type { Frame } from '../../frames.ts';
import { REGISTERS } from '../../registers.ts';
import type { Dap, Handler } from '../protocol.ts';
import { QUESTIONS } from '../questions.ts';
import type { DebugSession } from '../session.ts';

const MOST = 100;
/** Structures in structures, without names, that are looked into. */
const DEEPEST = 16;

export const completions: Handler<'completions'> = {
  capabilities: { supportsCompletionsRequest: true, completionTriggerCharacters: ['$', '.', '>'] },
  answer: (session, { text, column, frameId }) => {
    const before = text.slice(0, session.fromColumn(column) - 1);
    const typed = /[$\w]*$/.exec(before)![0];
    const frame = session.frame(frameId);
    const item = (label: string, type: Dap.CompletionItemType): Dap.CompletionItem => ({
      label,
      type,
      start: before.length - typed.length,
      length: typed.length,
    });
    const access = /(?:->|\.)\s*$/.exec(before.slice(0, before.length - typed.length));
    if (access !== null) {
      const found = membersOf(session, lastOperand(before.slice(0, access.index)), frame);
      return { targets: found.filter((name) => name.startsWith(typed)).map((name) => item(name, 'field')) };
    }
    if (typed.startsWith('$')) {
      const wanted = typed.slice(1).toLowerCase();
      const found = REGISTERS.filter(({ name, bits }) => bits <= 32 && name.startsWith(wanted));
      const questions = Object.keys(QUESTIONS).filter((name) => name.startsWith(wanted));
      return {
        targets: [
          ...found.map(({ name }) => item(`$${name}`, 'property')),
          ...(session.subjects.length > 1 && DOMAIN.startsWith(wanted) ? [item(`$${DOMAIN}`, 'property')] : []),
          ...questions.map((name) => item(`$${name}()`, 'function')),
        ],
      };
    }
    const { debug } = session.guest;
    const locals = debug
      .scopesAt(frame.lookup, frame.level)
      .flatMap(({ variables }) => variables.map(({ name }) => name))
      .filter((name) => name.startsWith(typed));
    const globals = typed === '' ? [] : debug.complete(typed, MOST);
    return { targets: [...new Set([...locals, ...globals])].map((name) => item(name, 'variable')) };
  },
};

const OPENS: Readonly<Record<string, string>> = { ')': '(', ']': '[' };

/** The operand that a text ends with: names, members and elements, and what stands in parentheses. */
const lastOperand = (text: string): string => {
  let at = text.length;
  for (;;) {
    while (at > 0 && /\s/.test(text[at - 1]!)) at--;
    // Elements and parentheses behind a name.
    for (let close = text[at - 1]; close === ')' || close === ']'; close = text[at - 1]) {
      let depth = 0;
      do {
        at--;
        if (text[at] === close) depth++;
        else if (text[at] === OPENS[close]) depth--;
      } while (at > 0 && depth > 0);
    }
    while (at > 0 && /[\w$]/.test(text[at - 1]!)) at--;
    const access = /(?:->|\.)\s*$/.exec(text.slice(0, at));
    if (access === null) return text.slice(at);
    at = access.index;
  }
};

/** Names of the members of what an expression is, or points to. */
const membersOf = (session: DebugSession, expression: string, frame: Frame): string[] => {
  if (expression.trim() === '') return [];
  try {
    const type = stripped(session.context.look(expression, frame).type);
    return membersIn(type.kind === 'pointer' ? stripped(type.target) : type, 0);
  } catch (error) {
    if (error instanceof NamesWanted) throw error;
    // What is being typed need not be C yet.
    return [];
  }
};

const membersIn = (type: CType, depth: number): string[] =>
  (type.kind !== 'struct' && type.kind !== 'union' && type.kind !== 'class') || depth > DEEPEST
    ? []
    : type.members.flatMap(({ name, type: inner }) =>
        name === undefined ? membersIn(stripped(inner), depth + 1) : [name],
      );
