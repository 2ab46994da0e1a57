// What each request's arguments must be, in one table, and the sentence about one that is not: every client is answered, also one that is wrong.
// Fields that the table does not name are left alone. Not what the arguments mean (requests/). Debug Adapter Protocol, "Requests".

import type { Part, Saying } from '../saying.ts';
import { type Command, Refusal } from './protocol.ts';

/** What a value should be; undefined: it is. */
type Shape = (value: unknown, name: string) => Saying | undefined;

const wrong = (value: unknown, name: Part, wanted: Saying): Saying =>
  value === undefined ? ['isMissing', { name, wanted }] : ['isWrong', { name, value: brief(value), wanted }];
const brief = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
};

const text: Shape = (value, name) => (typeof value === 'string' ? undefined : wrong(value, name, ['aText']));
const flag: Shape = (value, name) => (typeof value === 'boolean' ? undefined : wrong(value, name, ['trueOrFalse']));
const whole =
  (least: number, most: number): Shape =>
  (value, name) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? undefined
      : wrong(value, name, ['wholeNumber', { least, most }]);
const choice =
  (...names: readonly string[]): Shape =>
  (value, name) =>
    typeof value === 'string' && names.includes(value)
      ? undefined
      : wrong(value, name, ['oneOf', { names: names.join(', ') }]);
const list =
  (of: Shape): Shape =>
  (value, name) => {
    if (!Array.isArray(value)) return wrong(value, name, ['aList']);
    for (const [index, item] of value.entries()) {
      const problem = of(item, `${name}[${index}]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
const fields =
  (needed: Readonly<Record<string, Shape>>, optional: Readonly<Record<string, Shape>> = {}): Shape =>
  (value, name) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return wrong(value, name === '' ? ['itsArguments'] : name, ['anObject']);
    const given = value as Readonly<Record<string, unknown>>;
    const inner = (key: string): string => (name === '' ? key : `${name}.${key}`);
    for (const [key, shape] of Object.entries(needed)) {
      const problem = shape(given[key], inner(key));
      if (problem !== undefined) return problem;
    }
    for (const [key, shape] of Object.entries(optional)) {
      // Some clients write null for what they leave out.
      const problem = given[key] === undefined || given[key] === null ? undefined : shape(given[key], inner(key));
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

const INT = 2 ** 31 - 1;
const number = whole(0, INT);
const bytes = whole(0, 2 ** 32);
const distance = whole(-(2 ** 32), 2 ** 32);
/** More instructions at once would make the guest wait. */
const MOST_INSTRUCTIONS = 20_000;

const source = fields({}, { path: text, name: text });
const conditions = { condition: text, hitCondition: text, logMessage: text };
const granularity = choice('statement', 'line', 'instruction');
const thread = fields({ threadId: number }, { granularity });
const launch = fields({}, { stopOnEntry: flag, stopAt: text });
const anything: Shape = () => undefined;

const ARGUMENTS: Readonly<Record<Command, Shape>> = {
  initialize: fields({}, { linesStartAt1: flag, columnsStartAt1: flag }),
  launch,
  attach: fields({}),
  configurationDone: fields({}),
  disconnect: fields({}, { terminateDebuggee: flag, suspendDebuggee: flag, restart: flag }),
  terminate: fields({}),
  restart: fields({}, { arguments: launch }),
  setBreakpoints: fields(
    { source },
    { breakpoints: list(fields({ line: number }, { column: number, ...conditions })) },
  ),
  setFunctionBreakpoints: fields({ breakpoints: list(fields({ name: text }, conditions)) }),
  setInstructionBreakpoints: fields({
    breakpoints: list(fields({ instructionReference: text }, { offset: distance, ...conditions })),
  }),
  dataBreakpointInfo: fields(
    { name: text },
    { variablesReference: number, frameId: number, bytes: whole(1, 2 ** 32), asAddress: flag },
  ),
  setDataBreakpoints: fields({
    breakpoints: list(fields({ dataId: text }, { accessType: choice('read', 'write', 'readWrite'), ...conditions })),
  }),
  setExceptionBreakpoints: fields(
    { filters: list(text) },
    { filterOptions: list(fields({ filterId: text }, { condition: text })) },
  ),
  exceptionInfo: fields({}),
  breakpointLocations: fields({ source, line: number }, { endLine: number, column: number, endColumn: number }),
  threads: anything,
  stackTrace: fields({ threadId: number }, { startFrame: number, levels: number }),
  scopes: fields({ frameId: number }),
  variables: fields(
    { variablesReference: number },
    { start: number, count: number, filter: choice('indexed', 'named') },
  ),
  setVariable: fields({ variablesReference: number, name: text, value: text }),
  evaluate: fields({ expression: text }, { frameId: number, context: text, format: fields({}, { hex: flag }) }),
  setExpression: fields({ expression: text, value: text }, { frameId: number }),
  completions: fields({ text, column: number }, { frameId: number }),
  continue: fields({}),
  next: thread,
  stepIn: fields({ threadId: number }, { granularity, targetId: bytes }),
  stepInTargets: fields({ frameId: number }),
  stepOut: thread,
  stepBack: thread,
  reverseContinue: thread,
  'kansoku/sample': fields({ expressions: list(text) }),
  'kansoku/lastWrite': fields({ name: text }, { variablesReference: number, frameId: number }),
  'kansoku/lastExecution': fields({ source, line: number }),
  'kansoku/travel': fields({ sequence: whole(0, Number.MAX_SAFE_INTEGER) }),
  pause: fields({}),
  gotoTargets: fields({ source, line: number }),
  goto: fields({ threadId: number, targetId: bytes }),
  restartFrame: fields({ frameId: number }),
  readMemory: fields({ memoryReference: text, count: bytes }, { offset: distance }),
  writeMemory: fields({ memoryReference: text, data: text }, { offset: distance, allowPartial: flag }),
  disassemble: fields(
    { memoryReference: text, instructionCount: whole(0, MOST_INSTRUCTIONS) },
    {
      offset: distance,
      instructionOffset: whole(-MOST_INSTRUCTIONS, MOST_INSTRUCTIONS),
      resolveSymbols: flag,
    },
  ),
  loadedSources: anything,
  modules: fields({}, { startModule: number, moduleCount: number }),
  source: fields({}, { source }),
  cancel: fields({}, { progressId: text, requestId: number }),
};

/** The arguments of a request, which are none other than its handler may expect. @throws Refusal */
export const checked = (command: Command, given: unknown): object => {
  const values = given ?? {};
  const problem = ARGUMENTS[command](values, '');
  if (problem !== undefined) throw new Refusal('badRequest', { command, problem });
  return values as object;
};
