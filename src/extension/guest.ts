// The one guest of this window: its thread, its state, and the questions put to it. Everybody else (console, panels, status bar,
// problems) listens here. Not the boot dialogue (boot/boot-guest.ts) and not what is shown.

import * as vscode from 'vscode';
import type {
  DebugMessage,
  FromMachine,
  LiveView,
  MachineStatus,
  Question,
  QuestionName,
  Questions,
  ToMachine,
} from '../protocol/machine.ts';
import type { GuestState } from '../protocol/pages.ts';
import type { BootConfig } from '../protocol/views.ts';
import type { Host, MachineThread } from './host/host.ts';
import { nameOf } from './paths.ts';

export interface BootedImage {
  readonly uri: vscode.Uri;
  /** As the user knows it. */
  readonly name: string;
}

/** Why a boot came to nothing. `user`: the message is for the user as it is. */
export class BootFailure extends Error {
  override readonly name = 'BootFailure';
  constructor(
    message: string,
    readonly user: boolean,
    readonly detail: string,
  ) {
    super(message);
  }
}

export interface BootBegin {
  readonly image: BootedImage;
  readonly cmdline: string;
  readonly reset: boolean;
  /** Besides the guest's own. */
  readonly domains: readonly FurtherDomain[];
}

/** A domain beside the first, as the user knows it. */
export interface FurtherDomain {
  readonly id: number;
  readonly name: string;
  /** The same with its number: what tells it from others. */
  readonly title: string;
  readonly cmdline: string;
}

type LiveState = Extract<GuestState, { readonly phase: 'live' }>;

export class Guest implements vscode.Disposable {
  private thread: MachineThread | undefined;
  private config: BootConfig | undefined;
  private current: GuestState = { phase: 'none', last: undefined };
  private readonly pending = new Map<
    number,
    { readonly ok: (answer: never) => void; readonly fail: (error: Error) => void }
  >();
  private lastQuestion = 0;
  private readonly watched = new Map<object, LiveView>();
  private settleBoot: ((failure: BootFailure | undefined) => void) | undefined;
  private readonly stateChanged = new vscode.EventEmitter<GuestState>();
  private readonly messageCame = new vscode.EventEmitter<FromMachine>();
  private readonly bootBegan = new vscode.EventEmitter<BootBegin>();

  readonly onDidChangeState = this.stateChanged.event;
  readonly onMessage = this.messageCame.event;
  /** A machine is being made; what the one before showed is history. */
  readonly onDidBegin = this.bootBegan.event;
  image: BootedImage | undefined;

  constructor(private readonly host: Host) {}

  get state(): GuestState {
    return this.current;
  }

  get live(): LiveState | undefined {
    return this.current.phase === 'live' ? this.current : undefined;
  }

  /** The image of an earlier window, for Boot Again. */
  remember(last: BootedImage | undefined): void {
    this.image = last;
    this.change({ phase: 'none', last: last?.name });
  }

  /** Ends what runs and boots. @throws BootFailure */
  async boot(image: BootedImage, config: BootConfig, { reset = false, paused = false } = {}): Promise<void> {
    this.end();
    this.image = image;
    this.config = config;
    this.tellBegin(image, reset);
    this.change({ phase: 'booting', image: image.name });
    const settled = new Promise<BootFailure | undefined>((settle) => (this.settleBoot = settle));
    this.thread = this.host.startMachine({
      message: (message) => this.receive(message),
      died: (reason) => this.died(reason),
    });
    this.send({ type: 'watch', views: this.views });
    this.send({ type: 'boot', config, paused });
    const failure = await settled;
    if (failure !== undefined) {
      this.stop();
      throw failure;
    }
  }

  /** The same machine from the start. @throws BootFailure */
  async reset(): Promise<void> {
    if (this.image !== undefined && this.config !== undefined)
      await this.boot(this.image, this.config, { reset: true });
  }

  pause(): void {
    this.send({ type: 'pause' });
  }

  resume(): void {
    this.send({ type: 'run' });
  }

  /** Ends the machine and forgets it. */
  stop(): void {
    this.end();
    this.change({ phase: 'none', last: this.image?.name });
  }

  /** A message of a debugger's, for the machine to answer. */
  debug(message: DebugMessage): void {
    this.send({ type: 'debug', message });
  }

  /** Typed on a domain's serial line; left out: the first one's. */
  type(bytes: Uint8Array, domain?: number): void {
    this.send({ type: 'serial', bytes, domain });
  }
  /** Domains beside the first. */
  get domains(): readonly FurtherDomain[] {
    return (this.config?.domains ?? []).map(({ id, name: given, image, cmdline }) => {
      const name = given ?? nameOf(vscode.Uri.file(image.name));
      return { id, name, title: `${name} (d${id})`, cmdline };
    });
  }

  /** Pushed data for a panel while it can be seen. */
  watch(owner: object, view: LiveView | undefined): void {
    if (view === undefined) this.watched.delete(owner);
    else this.watched.set(owner, view);
    this.send({ type: 'watch', views: this.views });
  }

  ask<N extends QuestionName>(question: { readonly name: N } & Questions[N]['ask']): Promise<Questions[N]['answer']> {
    if (this.thread === undefined) return Promise.reject(new Error(vscode.l10n.t('No guest is running.')));
    const id = ++this.lastQuestion;
    return new Promise((ok, fail) => {
      this.pending.set(id, { ok, fail });
      this.send({ type: 'ask', id, question: question as Question });
    });
  }

  dispose(): void {
    this.end();
    this.stateChanged.dispose();
    this.messageCame.dispose();
    this.bootBegan.dispose();
  }

  private get views(): LiveView[] {
    return [...new Set(this.watched.values())];
  }

  private send(message: ToMachine): void {
    this.thread?.send(message);
  }

  private end(): void {
    this.thread?.end();
    this.thread = undefined;
    for (const { fail } of this.pending.values()) fail(new Error(vscode.l10n.t('The guest has ended.')));
    this.pending.clear();
    this.settleBoot?.(new BootFailure(vscode.l10n.t('The boot was cancelled.'), true, ''));
    this.settleBoot = undefined;
  }

  private receive(message: FromMachine): void {
    switch (message.type) {
      case 'booted':
        // Without a boot of ours the debugger has restarted the machine.
        if (this.settleBoot === undefined && this.image !== undefined) this.tellBegin(this.image, true);
        this.change({
          phase: 'live',
          image: this.image?.name ?? '',
          lanes: message.lanes,
          cyclesPerSecond: message.cyclesPerSecond,
          status: NEW_STATUS,
          stop: undefined,
          stopLocation: undefined,
        });
        this.settle(undefined);
        break;
      case 'refused':
        this.settle(new BootFailure(message.message, message.user, message.detail));
        break;
      case 'status':
        if (this.live !== undefined) this.change({ ...this.live, status: message.status });
        break;
      case 'stopped':
        if (this.live !== undefined) {
          this.change({ ...this.live, stop: message.stop, stopLocation: message.location });
        }
        break;
      case 'answer':
        this.pending.get(message.id)?.ok(message.answer as never);
        this.pending.delete(message.id);
        break;
      case 'failure':
        this.pending.get(message.id)?.fail(new Error(message.message));
        this.pending.delete(message.id);
        break;
      default:
    }
    this.messageCame.fire(message);
  }

  private died(reason: string): void {
    const failure = new BootFailure(vscode.l10n.t('The machine ended unexpectedly.'), false, reason);
    if (this.settleBoot !== undefined) this.settle(failure);
    else {
      this.messageCame.fire({ type: 'broken', message: failure.message, detail: reason });
      this.stop();
    }
  }

  private settle(failure: BootFailure | undefined): void {
    const settle = this.settleBoot;
    this.settleBoot = undefined;
    settle?.(failure);
  }

  private tellBegin(image: BootedImage, reset: boolean): void {
    this.bootBegan.fire({ image, cmdline: this.config?.cmdline ?? '', reset, domains: this.domains });
  }

  private change(state: GuestState): void {
    this.current = state;
    this.stateChanged.fire(state);
  }
}

const NEW_STATUS: MachineStatus = {
  state: 'running',
  instructions: 0,
  virtualSeconds: 0,
  speed: 0,
  idle: false,
  exits: 0,
  extent: { start: 0, end: 0, records: 0, lost: 0 },
};
