// A debugger's editor without an editor: the machine's thread (machine-server.ts) with the real engine, driven by hand, and the protocol's
// messages put into it and taken out. Time is counted in turns, so that a transcript is the same every time.

import assert from 'node:assert/strict';
import type { Dap, Events, Requests } from '../../src/debugger/dap/protocol.ts';
import type { FileAccess } from '../../src/debugger/os/module-files.ts';
import type { DebugMessage, FromMachine, ToMachine } from '../../src/protocol/machine.ts';
import type { EventRow } from '../../src/protocol/timeline.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import { MachineServer } from '../../src/workers/machine-server.ts';
import type { BootConfig } from '../../src/workers/session.ts';

type Args<C extends keyof Requests> = Requests[C]['arguments'];
type Body<C extends keyof Requests> = NonNullable<Requests[C]['body']>;

export class DapBench {
  /** All that was said, a message a line. */
  readonly transcript: string[] = [];
  readonly events: { readonly event: string; readonly body: unknown }[] = [];
  serial = '';
  readonly posted: FromMachine[] = [];
  private handler: (message: ToMachine) => void = () => {};
  private readonly tasks: { readonly run: () => void; readonly due: number }[] = [];
  private now = 0;
  private seq = 0;
  private readonly responses = new Map<number, Dap.Response>();

  /**
   * @param clock wall time in milliseconds; left out: counted in looks at it
   * @param files for debug data of modules
   */
  constructor(config: BootConfig, clock?: () => number, files?: FileAccess) {
    new MachineServer(
      { post: (message) => this.take(message), listen: (handler) => (this.handler = handler) },
      {
        createSession: (asked) => createSession(asked, undefined, files),
        now: clock ?? (() => (this.now += 0.05)),
        later: (task, ms) => {
          const waiting = { run: task, due: this.now + ms };
          this.tasks.push(waiting);
          return () => {
            const at = this.tasks.indexOf(waiting);
            if (at >= 0) this.tasks.splice(at, 1);
          };
        },
      },
    );
    this.handler({ type: 'boot', config, paused: true });
    const refused = this.posted.find(({ type }) => type === 'refused');
    assert.equal(refused, undefined, JSON.stringify(refused));
  }

  tell(message: ToMachine): void {
    this.handler(message);
  }
  type(text: string): void {
    this.handler({ type: 'serial', bytes: new TextEncoder().encode(text) });
  }
  /** Recorded events, as the timeline's table has them. */
  rows(from: number, count: number): readonly EventRow[] {
    this.handler({ type: 'ask', id: 1, question: { name: 'rows', from, count } });
    const last = this.posted.at(-1);
    assert.ok(last?.type === 'answer', JSON.stringify(last));
    return last.answer as readonly EventRow[];
  }
  /** How many there are. */
  get records(): number {
    const told = this.posted.findLast((message) => message.type === 'status');
    return told?.type === 'status' ? told.status.extent.records : 0;
  }
  /** One slice of what is under way. */
  turn(): boolean {
    const [next] = this.tasks.toSorted((a, b) => a.due - b.due);
    if (next === undefined) return false;
    this.tasks.splice(this.tasks.indexOf(next), 1);
    this.now = Math.max(this.now, next.due);
    next.run();
    return true;
  }

  /** Sends a request; its answer, or the sentence of its refusal. */
  ask<C extends keyof Requests>(command: C, args?: Args<C>): Body<C> | string {
    const seq = ++this.seq;
    this.transcript.push(`--> ${command} ${JSON.stringify(args ?? {})}`);
    this.handler({ type: 'debug', message: { seq, type: 'request', command, arguments: args } as DebugMessage });
    // Some wait until the names of the program are read.
    while (!this.responses.has(seq) && this.turn());
    const response = this.responses.get(seq);
    assert.ok(response !== undefined, `${command} was not answered`);
    return response.success ? (response.body as Body<C>) : (response.message ?? '');
  }
  /** Sends a request that must succeed. */
  request<C extends keyof Requests>(command: C, args?: Args<C>): Body<C> {
    const body = this.ask(command, args);
    assert.ok(typeof body !== 'string', `${command}: ${String(body)}`);
    return body;
  }

  /** Runs until the next event of the name; its body. */
  until<E extends keyof Events>(event: E, turns = 20_000): NonNullable<Events[E]> {
    const from = this.events.length;
    const found = () => this.events.slice(from).find((said) => said.event === event);
    for (let i = 0; i < turns && found() === undefined; i++) if (!this.turn()) break;
    const said = found();
    assert.ok(
      said !== undefined,
      `no event ${event}; the guest said:\n${this.serial}\n${this.transcript.slice(-8).join('\n')}`,
    );
    return said.body as NonNullable<Events[E]>;
  }
  /** Runs until the guest has printed it. */
  untilPrinted(pattern: RegExp, turns = 20_000): void {
    for (let i = 0; i < turns && !pattern.test(this.serial); i++) this.turn();
    assert.match(this.serial, pattern);
  }

  /** Initialize, launch, breakpoints by `set`, and the run to the first stop. */
  launch(options: Record<string, unknown> = {}, set: () => void = () => {}): Dap.StoppedEvent['body'] {
    this.request('initialize', {
      adapterID: 'kansoku',
      linesStartAt1: true,
      columnsStartAt1: true,
      pathFormat: 'path',
    });
    this.request('launch', options as never);
    set();
    this.request('configurationDone');
    return this.until('stopped');
  }
  /** A request that lets the guest run, until it stops. */
  run<C extends 'continue' | 'next' | 'stepIn' | 'stepOut' | 'stepBack' | 'reverseContinue'>(
    command: C,
    args: Partial<NonNullable<Args<C>>> = {},
  ): Dap.StoppedEvent['body'] {
    this.request(command, { threadId: 1, ...args } as never);
    return this.until('stopped');
  }
  /** The frames, as `function file:line`. */
  stack(levels = 20): string[] {
    const { stackFrames } = this.request('stackTrace', { threadId: 1, startFrame: 0, levels });
    return stackFrames.map(({ name, source, line }) =>
      source === undefined ? name : `${name} ${source.name}:${line}`,
    );
  }
  /** The frame on top. */
  get where(): string {
    return this.stack(1)[0]!;
  }

  private take(message: FromMachine): void {
    this.posted.push(message);
    if (message.type === 'serial') this.serial += new TextDecoder('latin1').decode(message.bytes).replaceAll('\r', '');
    if (message.type !== 'debug') return;
    const said = message.message as Dap.Response & Dap.Event;
    if (said.type === 'response') {
      this.responses.set(said.request_seq, said);
      this.transcript.push(`<-- ${said.success ? JSON.stringify(said.body ?? {}) : `refused: ${said.message ?? ''}`}`);
    } else {
      this.events.push({ event: said.event, body: said.body });
      this.transcript.push(`<-- event ${said.event} ${JSON.stringify(said.body ?? {})}`);
    }
  }
}
