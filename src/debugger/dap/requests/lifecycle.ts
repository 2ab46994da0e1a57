// The beginning and the end of a session: initialize, launch, attach, configurationDone, restart, disconnect, terminate. The machine is
// booted, paused, before launch comes; what is launched here is the guest's first instruction.

import { at } from '../../execution.ts';
import { isAssembly } from '../../context.ts';
import { tellIn } from '../../saying.ts';
import { type DescriptionResult, parseDescription } from '../../os/description.ts';
import type { StepEnd } from '../../stepping.ts';
import type { Work } from '../../target.ts';
import type { Dap, Handler } from '../protocol.ts';
import { Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { filtersIn } from './exception-breakpoints.ts';

/** What a launch configuration may say to the adapter; the rest of it is the extension's, for the boot. */
interface LaunchConfiguration extends Dap.LaunchRequestArguments {
  readonly stopOnEntry?: boolean;
  /** A function or an address; `entry` is the guest's first instruction. */
  readonly stopAt?: string;
  /** The file that says where the kernel's tasks are, with its contents. */
  readonly osDescription?: { readonly name: string; readonly text: string; readonly problem?: string };
}

const describeOs = (session: DebugSession, { osDescription }: LaunchConfiguration): void => {
  if (osDescription === undefined) return;
  const { name, text, problem } = osDescription;
  const parsed: DescriptionResult =
    problem === undefined ? parseDescription(name, text) : { ok: false, reason: `${name}: ${problem}` };
  if (parsed.ok) {
    // Further domains may run the same kernel.
    const { image } = session.subjects[0]!.guest;
    for (const { os, guest } of session.subjects) if (guest.image === image) os.describe(name, parsed.description);
  } else session.say(session.tell('sentence', { text: parsed.reason }));
};

export const initialize: Handler<'initialize'> = {
  answer: (session, { linesStartAt1, columnsStartAt1, locale }) => {
    session.tell = tellIn(locale);
    session.firstLine = linesStartAt1 === false ? 0 : 1;
    session.firstColumn = columnsStartAt1 === false ? 0 : 1;
    session.later(() => session.emit('initialized', undefined));
    // Only a machine that records its past can go back.
    const recorded = session.machine.target.history.limit > 0;
    return {
      ...session.capabilities,
      // Complete here: the editor takes no later word on them.
      exceptionBreakpointFilters: filtersIn(session.tell),
      supportsStepBack: recorded,
      supportsRestartFrame: recorded,
    };
  },
};

export const launch: Handler<'launch'> = {
  answer: (session, request) => {
    session.attached = false;
    configure(session, request as LaunchConfiguration);
  },
};

const configure = (session: DebugSession, configuration: LaunchConfiguration): void => {
  const { stopOnEntry, stopAt } = configuration;
  describeOs(session, configuration);
  session.firstStop = stopAt !== undefined ? { at: stopAt } : stopOnEntry === true ? 'first-line' : 'run';
  // Names of a kernel that has not come up are known only then.
  if (typeof session.firstStop === 'object' && !session.guest.guestSymbols.awaited)
    void stopAddress(session, session.firstStop.at);
};

export const attach: Handler<'attach'> = {
  answer: (session, request) => {
    session.attached = true;
    describeOs(session, request as LaunchConfiguration);
    for (const subject of session.subjects) session.within(subject, () => subject.arrivals.look());
  },
};

export const configurationDone: Handler<'configurationDone'> = {
  capabilities: { supportsConfigurationDoneRequest: true },
  answer: (session) => {
    if (session.attached) {
      if (session.machine.running) session.begin('breakpoint', session.free());
      else session.later(() => session.stand('pause', 'paused'));
    } else begin(session);
  },
};

/** From the machine's start to where the user wants the first stop. */
const begin = (session: DebugSession): void => {
  const { firstStop } = session;
  if (firstStop === 'run') session.begin('breakpoint', session.free());
  else if (typeof firstStop === 'object' && firstStop.at === 'entry')
    session.later(() => session.stand('entry', 'pausedOnEntry'));
  else session.begin('entry', toFirst(session, firstStop));
};

function* toFirst(session: DebugSession, firstStop: 'first-line' | { readonly at: string }): Work<StepEnd> {
  const { guestSymbols } = session.guest;
  const { start } = guestSymbols;
  if (start !== undefined) {
    const come = (): boolean => {
      session.subject.arrivals.look(true);
      return !guestSymbols.awaited;
    };
    const outcome = yield* session.execution.run([{ spot: start, accept: come }]);
    if (outcome.kind !== 'landed') return outcome;
  }
  let addresses: readonly number[];
  try {
    addresses = firstStop === 'first-line' ? firstLines(session) : [stopAddress(session, firstStop.at)];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // The kernel is up, and has no such name.
    session.say(session.tell(...error.saying));
    return { kind: 'done' };
  }
  const landings = addresses.map((address) => ({ spot: at(address), accept: () => true }));
  const outcome = yield* session.execution.run(landings);
  return outcome.kind === 'landed' ? { kind: 'done' } : outcome;
}

/** More functions than this are not all given a point: a kernel so large has a well-known name. */
const MOST_FUNCTIONS = 2000;
const MAIN = [
  'kmain',
  'kernel_main',
  'main',
  'start_kernel',
  'i386_start_kernel',
  'c_boot_entry',
  'cmain',
  'k_main',
  '_main',
];

/** Bodies of the functions in C, or of that which is known to come first. */
const firstLines = (session: DebugSession): number[] => {
  const { symbols } = session.guest;
  const named = MAIN.map((name) => symbols.symbol(name)).find(
    (symbol) => symbol !== undefined && symbols.locate(symbol.address).line !== undefined,
  );
  // A kernel with the table of symbols that Linux has in itself: there are no lines, but a place.
  const begin = symbols.hasLines ? undefined : symbols.symbol('start_kernel');
  if (begin !== undefined) return [begin.address];
  const functions = named === undefined ? symbols.symbolsInRange(0, 2 ** 32) : [named];
  const inC = functions.filter((symbol) => {
    const { file } = symbols.locate(symbol.address);
    return symbol.kind === 'function' && file !== undefined && !isAssembly(file);
  });
  if (inC.length === 0 || inC.length > MOST_FUNCTIONS) {
    const { image } = session.guest;
    session.say(
      inC.length === 0
        ? session.tell('noFirstLine', { image })
        : session.tell('tooManyFirst', { image, count: inC.length }),
    );
    return [];
  }
  return inC.map((symbol) => symbols.bodyOf(symbol));
};

const stopAddress = (session: DebugSession, where: string): number => {
  const { symbols } = session.guest;
  const symbol = symbols.symbol(where);
  if (symbol !== undefined) return session.context.bodyOf(symbol.address) ?? symbol.address;
  if (/^(0x[0-9a-f]+|\d+)$/i.test(where)) return Number(where) >>> 0;
  if (where === 'entry') return 0;
  throw new Refusal('noSuchStop', { where, image: session.guest.image });
};

export const restart: Handler<'restart'> = {
  capabilities: { supportsRestartRequest: true },
  answer: (session, request) => {
    if (session.attached) throw new Refusal('bootedOutside');
    // The configuration may have been edited since.
    if (request.arguments !== undefined) configure(session, request.arguments as LaunchConfiguration);
    session.restart();
    begin(session);
  },
};

export const disconnect: Handler<'disconnect'> = {
  capabilities: { supportTerminateDebuggee: true, supportSuspendDebuggee: true },
  answer: (session, { terminateDebuggee, suspendDebuggee }) => {
    session.leave((terminateDebuggee ?? !session.attached) ? 'end' : suspendDebuggee === true ? 'suspend' : 'run');
  },
};

export const terminate: Handler<'terminate'> = {
  capabilities: { supportsTerminateRequest: true },
  answer: (session) => {
    session.later(() => session.terminate());
  },
};
