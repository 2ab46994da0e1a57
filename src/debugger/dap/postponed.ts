// Requests that cannot be answered yet: they need the names of the whole program, which take a second or more of a kernel with debug data. The names
// are read in slices, with a progress that can be cancelled, and the requests are answered then. Not what needs names (symbols/dwarf/names.ts).

import type { DebuggedMachine } from '../machine.ts';
import type { Tell } from '../saying.ts';
import type { Events } from './protocol.ts';

interface Waiting {
  /** The request's own number, and what it asks for. */
  readonly request: number;
  readonly command: string;
  readonly answer: (cancelled: boolean) => void;
}

type Emit = <E extends 'progressStart' | 'progressUpdate' | 'progressEnd'>(event: E, body: Events[E]) => void;

export class Postponed {
  private waiting: Waiting[] = [];
  private progress: string | undefined;
  private count = 0;

  constructor(
    private readonly machine: DebuggedMachine,
    private readonly emit: Emit,
    private readonly tell: Tell,
  ) {}

  add(request: number, command: string, answer: Waiting['answer']): void {
    this.waiting.push({ request, command, answer });
    if (this.progress !== undefined) return;
    this.progress = `names${++this.count}`;
    this.emit('progressStart', {
      progressId: this.progress,
      title: this.tell('readingNames'),
      cancellable: true,
      percentage: 0,
    });
    this.soon();
  }

  /** By the id of the progress all that wait, by a request's number that one. */
  cancel(progressId: string | undefined, request?: number): void {
    if (progressId !== undefined && progressId === this.progress) return this.drop();
    const one = this.waiting.find((waiting) => waiting.request === request);
    if (one === undefined) return;
    this.waiting = this.waiting.filter((other) => other !== one);
    if (this.waiting.length === 0) this.end();
    one.answer(true);
  }

  /** Answers what waits, however long it takes, if there are requests of these kinds among it. */
  finish(commands: ReadonlySet<string>): void {
    // Some need the names first, then what these lead to.
    while (this.waiting.some(({ command }) => commands.has(command))) {
      while (this.indexSome() < 1);
      this.answerAll();
    }
  }

  /** Nobody waits any more. */
  drop(): void {
    const dropped = this.waiting;
    this.end();
    for (const { answer } of dropped) answer(true);
  }

  private soon(): void {
    const { progress } = this;
    this.machine.soon(() => {
      if (progress === this.progress) this.slice();
    });
  }

  private slice(): void {
    const share = this.indexSome();
    const { progress } = this;
    if (progress === undefined) return;
    if (share < 1) {
      this.emit('progressUpdate', { progressId: progress, percentage: Math.floor(share * 100) });
      this.soon();
      return;
    }
    this.answerAll();
  }

  /** Reads some of what is not read yet; how much of all is. */
  private indexSome(): number {
    const { guests } = this.machine;
    for (const [index, { debug }] of guests.entries()) {
      const share = debug.indexSome();
      if (share < 1) return (index + share) / guests.length;
    }
    return 1;
  }

  private answerAll(): void {
    const ready = this.waiting;
    this.end();
    for (const { answer } of ready) answer(false);
  }

  private end(): void {
    this.waiting = [];
    if (this.progress !== undefined) this.emit('progressEnd', { progressId: this.progress });
    this.progress = undefined;
  }
}
