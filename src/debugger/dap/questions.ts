// Questions about the machine that C has no expression for, asked like a function: `$walk(0xC0100000)`. For watches and the console. Each takes one C
// expression. Not expressions themselves (../expression).

import type { Frame } from '../frames.ts';
import { describeWalk, walkPages } from '../page-tables.ts';
import type { Dap } from './protocol.ts';
import type { DebugSession } from './session.ts';
import { opening, rows } from './system-scopes.ts';

type Answer = Dap.EvaluateResponse['body'];

/** By name. @throws Error with a sentence */
export const QUESTIONS: Readonly<Record<string, (session: DebugSession, argument: string, frame: Frame) => Answer>> = {
  /** What the page tables say of a linear address. */
  walk: (session, argument, frame) => {
    const { target } = session.guest;
    const linear = session.context.address(argument, frame);
    const walk = walkPages(target, session.context.vcpu, linear, frame.task?.pageTable);
    const lines = describeWalk(walk, linear);
    const { variablesReference } = opening(
      session,
      'walk',
      '',
      rows(
        () => walk.levels.length,
        (start, count) =>
          walk.levels.slice(start, start + count).map(({ name }, index) => ({
            name,
            value: lines[start + index]!.replace(/^\w+\s+/, ''),
            variablesReference: 0,
          })),
      ),
    );
    return {
      result:
        walk.levels.length === 0 ? lines[0]! : session.tell('walked', { paging: walk.paging, text: lines.at(-1)! }),
      variablesReference: walk.levels.length === 0 ? 0 : variablesReference,
      memoryReference: session.subject.reference(linear, frame.task?.pageTable),
    };
  },
  /** The symbol and the line of an address. */
  symbol: (session, argument, frame) => {
    const address = session.context.address(argument, frame);
    const { file, line } = session.guest.symbols.locate(address);
    const place = file === undefined || line === undefined ? '' : `, ${file}:${line}`;
    return {
      result: `${session.subject.place(address)}${place}`,
      variablesReference: 0,
      memoryReference: session.subject.reference(address, frame.task?.pageTable),
    };
  },
};

/** The answer to `$name(expression)`; undefined: the text is no such question. */
export const answerTo = (session: DebugSession, text: string, frame: Frame): Answer | undefined => {
  const match = /^\s*\$([a-z]+)\s*\((.*)\)\s*$/s.exec(text);
  const question = match === null || !Object.hasOwn(QUESTIONS, match[1]!) ? undefined : QUESTIONS[match[1]!];
  return question?.(session, match![2]!, frame);
};
