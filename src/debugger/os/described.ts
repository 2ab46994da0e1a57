// Tasks of any kernel of which a file says where they are, by C expressions (description.ts). An entry that cannot be evaluated is told once, with
// its name; the tasks are shown without it.

import { stripped } from '../../symbols/types.ts';
import { formatValue } from '../../symbols/value/format.ts';
import type { Value } from '../../symbols/value/value.ts';
import { fromBytes, type ReadMemory } from '../../symbols/location-value.ts';
import { Register, type Registers } from '../../symbols/unwind/unwinder.ts';
import type { GuestModule, GuestTask, LogLine, OsAwareness, SystemCall } from './awareness.ts';
import type { OsDescription, TaskExpressions } from './description.ts';

/** Evaluates an expression; `task`: what `$task` is in it. @throws Error with a sentence */
export type Evaluate = (expression: string, task: Value | undefined) => Value;

/** Longer lists are damaged ones. */
const MOST_TASKS = 65_536;
const LONGEST_NAME = 256;
const WORD = 4;

type Entry = Exclude<keyof TaskExpressions, 'saved'>;

export class DescribedOs implements OsAwareness {
  readonly name: string;

  constructor(
    private readonly file: string,
    private readonly description: OsDescription,
    private readonly evaluate: Evaluate,
    private readonly memory: ReadMemory,
    private readonly problem: (sentence: string) => void,
  ) {
    this.name = description.name;
  }

  tasks(): GuestTask[] {
    const current = this.currentTask();
    return [...this.pointers()].flatMap((pointer) => this.task(pointer, addressIn(pointer), current) ?? []);
  }

  currentTask(): number | undefined {
    const current = this.ask('current', undefined);
    return current === undefined ? undefined : addressIn(current);
  }

  /** Each task's pointer: `$task` for the other entries. */
  private *pointers(): Generator<Value> {
    let task = this.ask('first', undefined);
    if (task !== undefined && stripped(task.type).kind !== 'pointer') {
      this.tell('first', `its value is no pointer to a task`);
      return;
    }
    const seen = new Set<number>();
    while (task !== undefined && seen.size < MOST_TASKS) {
      const address = addressIn(task);
      if (address === undefined || address === 0 || seen.has(address) || this.truth('end', task) === true) return;
      seen.add(address);
      if (this.truth('exists', task) !== false) yield task;
      task = this.ask('next', task);
    }
  }

  private task(pointer: Value, address: number | undefined, current: number | undefined): GuestTask | undefined {
    const id = this.number('id', pointer);
    if (address === undefined || id === undefined) return undefined;
    const table = this.number('pageTable', pointer);
    return {
      id,
      process: id,
      name: this.text('name', pointer) ?? '?',
      state: this.text('state', pointer) ?? '',
      address,
      kernel: table === 0,
      registers: address === current ? undefined : this.registers(pointer),
      pageTable: table === 0 ? undefined : table,
      call: undefined,
    };
  }

  /** From the stack that the switch of tasks has left. */
  private registers(task: Value): Registers | undefined {
    const { saved } = this.description.tasks;
    const stack = this.number('stackPointer', task);
    if (saved === undefined || stack === undefined || stack === 0) return undefined;
    const registers: (number | undefined)[] = Array<undefined>(10).fill(undefined);
    for (const [index, name] of saved.entries()) {
      const number = (Register as Readonly<Record<string, number>>)[name.toLowerCase()];
      const bytes = new Uint8Array(WORD);
      if (this.memory((stack + index * WORD) >>> 0, bytes) < WORD) return undefined;
      if (number !== undefined) registers[number] = Number(fromBytes(bytes));
    }
    registers[Register.esp] = (stack + saved.length * WORD) >>> 0;
    return registers[Register.eip] === 0 ? undefined : registers;
  }

  // ---- entries ------------------------------------------------------------------------------------------------------

  private ask(entry: Entry, task: Value | undefined): Value | undefined {
    const expression = this.description.tasks[entry];
    if (expression === undefined) return undefined;
    try {
      const value = this.evaluate(expression, task);
      if (!value.bytes.ok) throw new Error(value.bytes.reason);
      return value;
    } catch (error) {
      this.tell(entry, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
  private tell(entry: Entry, reason: string): void {
    this.problem(`${this.file}: "tasks.${entry}" is ${this.description.tasks[entry]}: ${reason}`);
  }
  private truth(entry: Entry, task: Value): boolean | undefined {
    const value = this.ask(entry, task);
    return value?.integer === undefined ? undefined : value.integer !== 0n;
  }
  private number(entry: Entry, task: Value): number | undefined {
    const value = this.ask(entry, task);
    if (value === undefined) return undefined;
    if (value.integer === undefined) this.tell(entry, 'its value is no number');
    return value.integer === undefined ? undefined : Number(BigInt.asUintN(32, value.integer));
  }
  /** Characters to the first NUL, of an array or behind a pointer; an enumerator's name; else the value as C prints it. */
  private text(entry: Entry, task: Value): string | undefined {
    const value = this.ask(entry, task);
    if (value === undefined) return undefined;
    const type = stripped(value.type);
    const characters = type.kind === 'array' ? type.element : type.kind === 'pointer' ? type.target : undefined;
    if (characters === undefined || !/char$/.test(nameOf(stripped(characters)))) return formatValue(value);
    const bytes = value.bytes.ok && type.kind === 'array' ? value.bytes.bytes : this.behind(value);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }
  private behind(pointer: Value): Uint8Array {
    const bytes = new Uint8Array(LONGEST_NAME);
    return bytes.subarray(0, this.memory(addressIn(pointer) ?? 0, bytes));
  }

  // ---- what nobody describes ----------------------------------------------------------------------------------------

  readonly moduleStart = undefined;
  readonly lowestModule = undefined;
  modules(): GuestModule[] {
    return [];
  }
  systemCall(): SystemCall | undefined {
    return undefined;
  }
  log(): LogLine[] {
    return [];
  }
}

const nameOf = (type: object): string => ('name' in type && typeof type.name === 'string' ? type.name : '');

const addressIn = (value: Value): number | undefined =>
  value.integer === undefined ? undefined : Number(BigInt.asUintN(32, value.integer));
