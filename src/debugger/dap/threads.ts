// Threads as the editor knows them: the virtual processors, and the guest's tasks that none of them runs. A task keeps its number as long as it
// lives. There is one page of tasks; the rest is in the scope "Operating system".

import { type Frame, type Stack, stackOfTask } from '../frames.ts';
import type { GuestTask } from '../os/awareness.ts';
import { type Dap, Late, Refusal } from './protocol.ts';
import type { DebugSession } from './session.ts';
import type { Subject } from './subject.ts';

/** The virtual processors have the first numbers, in the order of their guests. */
const FIRST_THREAD = 1;
const FIRST_TASK = 1000;
/** More are not shown as threads: programs come before the kernel's own tasks. */
const MOST = 200;
/** Stands for all that are not shown. */
const THE_REST = 999;

export const taskLabel = ({ name, id, state }: GuestTask): string =>
  `${name} ${id}${state === '' ? '' : ` (${state})`}`;

interface Shown {
  readonly subject: Subject;
  readonly task: GuestTask;
}

export class Threads {
  /** By the guest, the task's structure and number: the latter are used again, but seldom together. */
  private readonly numbers = new Map<string, number>();
  private shown = new Map<number, Shown>();
  private stacks = new Map<number, Stack>();

  constructor(private readonly session: DebugSession) {}

  /** The guest has moved. */
  forget(): void {
    this.shown = new Map();
    this.stacks = new Map();
  }

  /** The virtual processor of the guest that is looked at. */
  get current(): number {
    return FIRST_THREAD + this.session.subject.index;
  }

  list(): Dap.Thread[] {
    const { subjects, running, tell } = this.session;
    const id = (subject: Subject): number => FIRST_THREAD + subject.index;
    if (running) return subjects.map((subject) => ({ id: id(subject), name: subject.guest.target.vcpu.name }));
    const others = subjects.flatMap((subject) => subject.os.others.map((task): Shown => ({ subject, task })));
    const chosen =
      others.length <= MOST
        ? others
        : [...others].sort((a, b) => Number(a.task.kernel) - Number(b.task.kernel)).slice(0, MOST);
    this.shown = new Map(chosen.map((one) => [this.numberOf(one), one]));
    return [
      ...subjects.map((subject) => {
        const { name } = subject.guest.target.vcpu;
        const { current } = subject.os;
        return { id: id(subject), name: current === undefined ? name : `${name}: ${current.name} ${current.id}` };
      }),
      ...[...this.shown].map(([number, { subject, task }]) => ({ id: number, name: subject.prefix + taskLabel(task) })),
      ...(chosen.length === others.length
        ? []
        : [{ id: THE_REST, name: tell('moreTasks', { count: others.length - chosen.length }) }]),
    ];
  }

  /** Frames of a thread, of the guest that is looked at; the processor's own where it is one. */
  frame(threadId: number, index: number): Frame | undefined {
    if (this.isVcpu(threadId)) return this.session.frames.get(index);
    if (threadId === THE_REST) return undefined;
    let stack = this.stacks.get(threadId);
    if (stack === undefined) {
      const shown = this.task(threadId);
      if (shown === undefined) throw new Late('taskIsOver');
      this.stacks.set(threadId, (stack = stackOfTask(shown.subject.guest, shown.task)));
    }
    return stack.get(index);
  }

  /** Whose a thread is. @throws Refusal where there is no such thread */
  subjectOf(threadId: number): Subject | undefined {
    return this.isVcpu(threadId) ? this.session.subjects[threadId - FIRST_THREAD] : this.task(threadId)?.subject;
  }

  /** @throws Refusal where the thread is a task: only a processor can be stepped */
  mustRun(threadId: number): void {
    if (this.isVcpu(threadId)) return;
    const task = this.task(threadId)?.task;
    throw new Refusal('taskDoesNotRun', { who: task === undefined ? ['thisTask'] : taskLabel(task) });
  }

  private isVcpu(threadId: number): boolean {
    const { subjects } = this.session;
    if (threadId < THE_REST && (threadId < FIRST_THREAD || threadId >= FIRST_THREAD + subjects.length))
      throw new Refusal('noThread', { id: threadId });
    return threadId < THE_REST;
  }

  private task(threadId: number): Shown | undefined {
    if (this.shown.size === 0) this.list();
    return this.shown.get(threadId);
  }

  private numberOf({ subject, task: { address, id } }: Shown): number {
    const key = `${subject.index} ${address} ${id}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = FIRST_TASK + this.numbers.size;
    this.numbers.set(key, number);
    return number;
  }
}
