// The debug adapter: takes the protocol's requests, has each answered by its handler, sends events. It knows neither VS Code nor the
// thread it lives in. Not what a request does (requests/) and not the state behind them (session.ts).

import { NamesWanted } from '../../symbols/dwarf/names.ts';
import type { Tell } from '../saying.ts';
import { checked } from './arguments.ts';
import { CAPABILITIES, HANDLERS } from './handlers.ts';
import { type Command, type Dap, type Events, type Handler, Late, Refusal } from './protocol.ts';
import { type DebuggedMachine, DebugSession } from './session.ts';

/** Requests that look at the moment the guest stands at, or change it. Other moments than the user's are passed on a way through the past. */
const OF_THE_MOMENT: ReadonlySet<string> = new Set<Command>([
  'scopes',
  'variables',
  'setVariable',
  'evaluate',
  'setExpression',
  'completions',
  'dataBreakpointInfo',
  'stepInTargets',
  'gotoTargets',
  'goto',
  'readMemory',
  'writeMemory',
  'disassemble',
]);
/** Requests that set breakpoints: they do nothing before they know all names, so that they may be made again when the names of the program are read. */
const SETS: ReadonlySet<string> = new Set<Command>([
  'setBreakpoints',
  'setFunctionBreakpoints',
  'setInstructionBreakpoints',
  'setDataBreakpoints',
]);
/** These and those that only ask. */
const WAIT_FOR_NAMES: ReadonlySet<string> = new Set<string>([
  ...SETS,
  'scopes',
  'variables',
  'evaluate',
  'completions',
  'dataBreakpointInfo',
  'kansoku/sample',
]);
/** What lets the guest run: breakpoints that were set before must be in force. */
const RUNS: ReadonlySet<string> = new Set<Command>([
  'configurationDone',
  'continue',
  'next',
  'stepIn',
  'stepOut',
  'stepBack',
  'reverseContinue',
  'restartFrame',
  'restart',
]);
type Send = (message: Dap.ProtocolMessage) => void;

export class DebugAdapter {
  readonly session: DebugSession;
  private sequence = 0;

  constructor(
    machine: DebuggedMachine,
    private readonly send: Send,
  ) {
    this.session = new DebugSession(machine, (event, body) => this.event(event, body), CAPABILITIES);
  }

  receive(message: Dap.ProtocolMessage): void {
    // Answers to requests of ours: there are none.
    if (message.type !== 'request') return;
    const request = message as Dap.Request;
    // What sets breakpoints must not be overtaken by what lets the guest run, or sets them again.
    const { command } = request;
    if (RUNS.has(command)) this.session.postponed.finish(SETS);
    else if (SETS.has(command)) this.session.postponed.finish(new Set([command]));
    this.answer(request);
  }

  private answer(request: Dap.Request): void {
    const { session } = this;
    const handler = (Object.hasOwn(HANDLERS, request.command) ? HANDLERS[request.command as Command] : undefined) as
      Handler<Command> | undefined;
    try {
      if (handler === undefined) throw new Refusal('unknownRequest', { command: request.command });
      if (session.travelling && OF_THE_MOMENT.has(request.command)) throw new Late('onTheWay');
      const given = checked(request.command as Command, request.arguments) as never;
      session.turnTo(given);
      const body = WAIT_FOR_NAMES.has(request.command)
        ? hurriedly(session, () => handler.answer(session, given))
        : handler.answer(session, given);
      this.respond(request, { success: true, ...(body === undefined ? {} : { body }) });
      session.answered();
    } catch (error) {
      if (error instanceof NamesWanted)
        return session.postponed.add(request.seq, request.command, (cancelled) => {
          if (cancelled) this.respond(request, { success: false, ...failure(new Late('namesNotRead'), session.tell) });
          else this.answer(request);
        });
      this.respond(request, { success: false, ...failure(error, session.tell) });
    }
  }

  /** The user lets the guest run on by a command outside the debugger. */
  resume(): void {
    const { session } = this;
    if (session.running) return;
    session.begin('breakpoint', session.free());
    this.event('continued', { threadId: session.threads.current, allThreadsContinued: true });
  }

  private respond(request: Dap.Request, rest: { success: boolean; message?: string; body?: unknown }): void {
    const response: Dap.Response = {
      seq: ++this.sequence,
      type: 'response',
      request_seq: request.seq,
      command: request.command,
      ...rest,
    };
    this.send(response);
  }

  private event<E extends keyof Events>(event: E, body: Events[E]): void {
    const message: Dap.Event = { seq: ++this.sequence, type: 'event', event, ...(body === undefined ? {} : { body }) };
    this.send(message);
  }
}

/** What needs the names of a program that are not read yet says so, instead of reading them. @throws NamesWanted */
const hurriedly = <T>({ subjects }: DebugSession, ask: () => T): T =>
  subjects.reduce<() => T>(
    (inner, { guest }) =>
      () =>
        guest.debug.hurriedly(inner),
    ask,
  )();

/** Error numbers: 1 for what the user asked in vain, 2 for defects. */
const failure = (error: unknown, tell: Tell): { message: string; body: { error: Dap.Message } } => {
  const user = error instanceof Refusal;
  const text = error instanceof Error ? (user ? tell(...error.saying) : (error.stack ?? error.message)) : String(error);
  return {
    message: text.split('\n')[0]!,
    body: { error: { id: user ? 1 : 2, format: escape(text), showUser: !(error instanceof Late) } },
  };
};
/** Braces are placeholders to the protocol. */
const escape = (text: string): string => text.replaceAll('{', '(').replaceAll('}', ')');
