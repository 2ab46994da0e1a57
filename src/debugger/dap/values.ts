// C values in the Variables view and the answers to expressions: text, type, children in pages, where they lie, and setting them.

import { sizeOf, stripped } from '../../symbols/types.ts';
import { typeName } from '../../symbols/type-names.ts';
import { formatValue, type FormatOptions, printValue } from '../../symbols/value/format.ts';
import { NUMBER_FORMATS, type NumberLetter } from '../../symbols/value/number-formats.ts';
import { type Part, partCount, partsOf } from '../../symbols/value/parts.ts';
import type { Value } from '../../symbols/value/value.ts';
import type { Frame } from '../frames.ts';
import { reasonOf } from '../saying.ts';
import type { Container } from './containers.ts';
import { type Dap, Refusal } from './protocol.ts';
import type { DebugSession } from './session.ts';

/** A named value, and the expression that names it again; undefined where C has none. */
export interface Named {
  readonly name: string;
  readonly expression: string | undefined;
  readonly value: Value;
}

/** Elements of an array in the one line of text before it is opened. */
const PREVIEW = 32;
/** Characters of a string there. */
const MOST_CHARACTERS = 200;
/** More than this is cut in a line of the view. */
const MOST_TEXT = 400;

/** `value,x`: how numbers are written, as watches of other debuggers have it. */
const FORMAT = new RegExp(`,\\s*([${Object.keys(NUMBER_FORMATS).join('')}])\\s*$`);
export const withoutFormat = (
  expression: string,
): { readonly plain: string; readonly number: NumberLetter | undefined } => ({
  plain: expression.replace(FORMAT, '').trim(),
  number: FORMAT.exec(expression)?.[1] as NumberLetter | undefined,
});

const optionsOf = (session: DebugSession, number: NumberLetter | undefined): FormatOptions => ({
  symbolAt: (address) => session.subject.nameOf(address),
  ...(number === undefined ? {} : { number }),
});

/** The whole text, as gdb prints it: for the console and the clipboard. */
export const wholeText = (session: DebugSession, value: Value, number?: NumberLetter): string =>
  printValue(value, optionsOf(session, number));

/** A value in one line, cut where it is long. */
export const lineText = (session: DebugSession, value: Value, number?: NumberLetter): string => {
  const text = formatValue(value, {
    limit: PREVIEW,
    characters: MOST_CHARACTERS,
    // A part has at least two characters.
    parts: MOST_TEXT / 2,
    trimmed: true,
    ...optionsOf(session, number),
  });
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}...` : text;
};

/** What an expression's answer and a variable have in common. */
export const described = (
  session: DebugSession,
  { expression, value }: Omit<Named, 'name'>,
  frame: Frame,
  number?: NumberLetter,
): {
  readonly text: string;
  readonly type: string;
  readonly variablesReference: number;
  readonly memoryReference?: string;
  readonly indexedVariables?: number;
} => {
  const parts = partCount(value);
  const { kind } = stripped(value.type);
  const address =
    kind === 'pointer' && value.integer !== undefined ? Number(BigInt.asUintN(32, value.integer)) : value.address;
  return {
    text: lineText(session, value, number),
    type: typeName(value.type),
    variablesReference:
      parts === 0 ? 0 : session.containers.add(partsContainer(session, value, expression, frame, number)),
    ...(address === undefined ? {} : { memoryReference: session.subject.reference(address, frame.task?.pageTable) }),
    ...(kind === 'array' ? { indexedVariables: parts } : {}),
  };
};

const variable = (session: DebugSession, named: Named, frame: Frame, number?: NumberLetter): Dap.Variable => {
  const { text, ...rest } = described(session, named, frame, number);
  return {
    name: named.name,
    value: text,
    ...rest,
    ...(named.expression === undefined ? {} : { evaluateName: named.expression }),
  };
};

const partsContainer = (
  session: DebugSession,
  value: Value,
  expression: string | undefined,
  frame: Frame,
  number?: NumberLetter,
): Container => {
  const isPointer = stripped(value.type).kind === 'pointer';
  const named = ({ name, value: part, access }: Part): Named => {
    const whole = expression === undefined ? undefined : /^[\w$]+$/.test(expression) ? expression : `(${expression})`;
    return {
      name: name ?? session.tell('anonymous'),
      value: part,
      // An anonymous member has no name: its own members are named by the whole.
      expression:
        whole === undefined
          ? undefined
          : name === '*' || (isPointer && access === '')
            ? `*${whole}`
            : `${whole}${access}`,
    };
  };
  return listContainer(
    session,
    partCount(value),
    (start, count) => partsOf(value, start, count).map(named),
    frame,
    number,
  );
};

/** A list of values, in pages. */
export const listContainer = (
  session: DebugSession,
  total: number,
  page: (start: number, count: number) => readonly Named[],
  frame: Frame,
  /** How numbers are written: as in what it was opened from. */
  number?: NumberLetter,
): Container => {
  const find = (name: string): Named => {
    // Of a long array not all elements are made to find one.
    const index = /^\[(\d+)\]$/.exec(name);
    const found = (index === null ? page(0, total) : page(Number(index[1]), 1)).find((one) => one.name === name);
    if (found === undefined) throw new Refusal('nothingNamed', { name });
    return found;
  };
  return {
    children: (start, count) =>
      page(start, count ?? total - start).map((named) => variable(session, named, frame, number)),
    set: (name, text) => {
      const { expression } = find(name);
      if (expression === undefined) throw new Refusal('noNameInC', { name });
      return assign(session, expression, text, frame);
    },
    place: (name) => {
      const { value } = find(name);
      return value.address === undefined
        ? undefined
        : { address: value.address, bytes: sizeOf(value.type), pageTable: frame.task?.pageTable };
    },
  };
};

/** Assigns by an expression; the new value. @throws Refusal */
export const assign = (
  session: DebugSession,
  expression: string,
  text: string,
  frame: Frame,
): Dap.SetVariableResponse['body'] => {
  const { context } = session;
  try {
    const assigned = context.evaluate(`${expression} = (${text})`, frame);
    const { text: value, ...rest } = described(session, { expression, value: assigned }, frame);
    return { value, ...rest };
  } catch (error) {
    throw new Refusal('cannotBeSet', { name: expression, reason: reasonOf(error) });
  }
};
