// The text of a log point: C expressions stand in braces, `\{` and `\}` are braces. Each expression may end in a format (`,x`). Not when a message is due
// (../breakpoints.ts).

import { reasonOf, type Tell } from '../saying.ts';

/** @param value text of an expression's value; where it throws, the message has what that says instead */
export const expandMessage = (message: string, value: (expression: string) => string, tell: Tell): string => {
  let text = '';
  for (let at = 0; at < message.length;) {
    const here = message[at]!;
    if (here === '\\' && /[{}]/.test(message[at + 1] ?? '')) {
      text += message[at + 1]!;
      at += 2;
      continue;
    }
    const end = here === '{' ? closing(message, at) : undefined;
    if (end === undefined) {
      text += here;
      at++;
      continue;
    }
    const expression = message.slice(at + 1, end);
    try {
      text += value(expression);
    } catch (error) {
      text += `{${tell('withReason', { text: expression, reason: reasonOf(error) })}}`;
    }
    at = end + 1;
  }
  return text;
};

/** Where the brace is closed that is opened here: an expression may have braces of its own, `{struct process} 0x1000`. */
const closing = (message: string, open: number): number | undefined => {
  let depth = 0;
  for (let at = open; at < message.length; at++) {
    if (message[at] === '{') depth++;
    else if (message[at] === '}' && --depth === 0) return at;
  }
  return undefined;
};
