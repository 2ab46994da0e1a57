// Threads as the editor knows them: the virtual processors, and the guest's tasks that none of them runs. A task keeps its number as long as it
// lives. There is one page of tasks; the rest is in the scope "Operating system".

import { type Frame, type Stack, stackOfTask } from '../frames.ts';
import type { GuestTask } from '../os/awareness.ts';
import { type Dap, Late, Refusal } from './protocol.ts';
import type { DebugSession } from './session.ts';

/** One virtual processor has the number 1. */
export const FIRST_THREAD = 1;
const FIRST_TASK = 1000;
/** More are not shown as threads: programs come before the kernel's own tasks. */
const MOST = 200;
/** Stands for all that are not shown. */
const THE_REST = 999;

export const taskLabel = ({ name, id, state }: GuestTask): string =>
  `${name} ${id}${state === '' ? '' : ` (${state})`}`;

export class Threads {
  /** By the task's structure and number: both are used again, but seldom together. */
  private readonly numbers = new Map<string, number>();
  private shown = new Map<number, GuestTask>();
  private stacks = new Map<number, Stack>();

  constructor(private readonly session: DebugSession) {}

  /** The guest has moved. */
  forget(): void {
    this.shown = new Map();
    this.stacks = new Map();
  }

  list(): Dap.Thread[] {
    const { session } = this;
    const { vcpus } = session.machine.target;
    if (session.running) return vcpus.map(({ name }, index) => ({ id: FIRST_THREAD + index, name }));
    const { current, others } = session.os;
    const chosen =
      others.length <= MOST ? others : [...others].sort((a, b) => Number(a.kernel) - Number(b.kernel)).slice(0, MOST);
    this.shown = new Map(chosen.map((task) => [this.numberOf(task), task]));
    return [
      ...vcpus.map(({ name }, index) => ({
        id: FIRST_THREAD + index,
        name: index > 0 || current === undefined ? name : `${name}: ${current.name} ${current.id}`,
      })),
      ...[...this.shown].map(([id, task]) => ({ id, name: taskLabel(task) })),
      ...(chosen.length === others.length
        ? []
        : [{ id: THE_REST, name: session.tell('moreTasks', { count: others.length - chosen.length }) }]),
    ];
  }

  /** Frames of a thread; the processor's own where it is one. */
  frame(threadId: number, index: number): Frame | undefined {
    if (this.isVcpu(threadId)) return this.session.frames.get(index);
    if (threadId === THE_REST) return undefined;
    let stack = this.stacks.get(threadId);
    if (stack === undefined) {
      const task = this.task(threadId);
      if (task === undefined) throw new Late('taskIsOver');
      this.stacks.set(threadId, (stack = stackOfTask(this.session.machine, task)));
    }
    return stack.get(index);
  }

  /** @throws Refusal where the thread is a task: only a processor can be stepped */
  mustRun(threadId: number): void {
    if (this.isVcpu(threadId)) return;
    const task = this.task(threadId);
    throw new Refusal('taskDoesNotRun', { who: task === undefined ? ['thisTask'] : taskLabel(task) });
  }

  private isVcpu(threadId: number): boolean {
    const { vcpus } = this.session.machine.target;
    if (threadId < THE_REST && (threadId < FIRST_THREAD || threadId >= FIRST_THREAD + vcpus.length))
      throw new Refusal('noThread', { id: threadId });
    return threadId < THE_REST;
  }

  private task(threadId: number): GuestTask | undefined {
    if (this.shown.size === 0) this.list();
    return this.shown.get(threadId);
  }

  private numberOf({ address, id }: GuestTask): number {
    const key = `${address} ${id}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = FIRST_TASK + this.numbers.size;
    this.numbers.set(key, number);
    return number;
  }
}
