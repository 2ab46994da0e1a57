// The editor's end of the debug adapter: passes messages between VS Code and the machine's thread, which answers them, and gives sources their
// paths on this machine. Not the adapter itself (src/debugger/dap).

import * as vscode from 'vscode';
import type { DebugMessage } from '../../protocol/machine.ts';
import type { Guest } from '../guest.ts';
import type { SourceNavigator } from '../source.ts';

/** A source as messages have it, somewhere in their bodies. */
interface Source {
  path?: string;
  name?: string;
}

export class GuestDebugAdapter implements vscode.DebugAdapter {
  private readonly sent = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.sent.event;
  private readonly disposables: vscode.Disposable[];
  /** Messages go out in the order they came, also while paths are looked for. */
  private outgoing: Promise<void> = Promise.resolve();
  private ended = false;
  private terminates = false;

  /** @param launched the guest was booted for this session, and ends with it */
  constructor(
    private readonly guest: Guest,
    private readonly sources: SourceNavigator,
    private readonly launched: boolean,
  ) {
    this.disposables = [
      this.sent,
      guest.onMessage((message) => {
        if (message.type === 'debug') this.deliver(message.message);
      }),
      // Stopped or booted anew outside the debugger.
      guest.onDidChangeState(({ phase }) => {
        if (phase !== 'live') this.end();
      }),
    ];
  }

  handleMessage(message: vscode.DebugProtocolMessage): void {
    const request = message as DebugMessage & { readonly arguments?: { readonly terminateDebuggee?: boolean } };
    if (this.ended) {
      this.deliver(answerTo(request));
      return;
    }
    // The editor's Stop; it disconnects then as from a guest that has ended by itself, with `terminateDebuggee` false.
    if (request.command === 'terminate') this.terminates = true;
    if (request.command !== 'disconnect') {
      this.guest.debug(request);
      return;
    }
    this.ended = true;
    const end = this.terminates || (request.arguments?.terminateDebuggee ?? this.launched);
    this.guest.debug({ ...request, arguments: { ...request.arguments, terminateDebuggee: end } } as DebugMessage);
    // What has ended by itself stays in view.
    if (end && this.guest.live?.status.state !== 'stopped') this.guest.stop();
    else return;
    this.deliver(answerTo(request));
  }

  dispose(): void {
    for (const disposable of this.disposables) disposable.dispose();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.deliver({ seq: 0, type: 'event', event: 'terminated' } as DebugMessage);
  }

  private deliver(message: DebugMessage): void {
    this.outgoing = this.outgoing.then(async () => {
      await this.localize((message as { readonly body?: unknown }).body);
      this.sent.fire(message);
    });
  }

  /** Gives every source in a body its path on this machine. One that is not here is left out: the editor shows instructions then. */
  private async localize(value: unknown): Promise<void> {
    if (Array.isArray(value)) {
      for (const item of value) await this.localize(item);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const body = value as Record<string, unknown>;
    for (const key of ['source', 'location'] as const) {
      const source = body[key] as Source | undefined;
      if (typeof source?.path !== 'string') continue;
      const uri = await this.sources.resolve(source.path);
      if (uri === undefined) delete body[key];
      else source.path = uri.fsPath;
    }
    for (const key of LISTS) if (Array.isArray(body[key])) await this.localize(body[key]);
    if (Array.isArray(body['sources'])) body['sources'] = await this.present(body['sources'] as Source[]);
    if (typeof body['breakpoint'] === 'object') await this.localize(body['breakpoint']);
  }

  private async present(list: readonly Source[]): Promise<Source[]> {
    const found: Source[] = [];
    for (const source of list) {
      const uri = source.path === undefined ? undefined : await this.sources.resolve(source.path);
      if (uri !== undefined) found.push({ ...source, path: uri.fsPath });
    }
    return found;
  }
}

/** Where bodies have things with sources. */
const LISTS = ['stackFrames', 'breakpoints', 'instructions', 'targets'];

/** To a request that comes when there is no machine to answer it. */
const answerTo = (request: DebugMessage): DebugMessage =>
  ({ seq: 0, type: 'response', request_seq: request.seq, command: request.command, success: true }) as DebugMessage;
