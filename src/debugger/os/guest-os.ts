// The operating system in the guest, as far as it is known: Linux by its own debug data, any other by a file that describes it. Joins them with the
// machine, and reads its tasks once a moment. Not what a system looks like (linux.ts, described.ts).

import { toBytes } from '../../symbols/location-value.ts';
import type { Value } from '../../symbols/value/value.ts';
import { BUILTIN } from '../expression/builtin-types.ts';
import { evaluate, type EvaluationWorld } from '../expression/evaluate.ts';
import { Names } from '../expression/names.ts';
import type { GuestSymbols } from '../guest-symbols.ts';
import type { DebuggedGuest } from '../machine.ts';
import { OfMoment } from '../moment.ts';
import { registerNamed } from '../registers.ts';
import { holds, type GuestModule, type GuestTask, type ModuleFunction, type OsAwareness } from './awareness.ts';
import { DescribedOs } from './described.ts';
import type { OsDescription } from './description.ts';

/** What of the guest is looked at. */
type Guest = Pick<DebuggedGuest, 'guestSymbols' | 'target'>;

/** What is known of the system as long as the symbols stay what they are. */
interface Known {
  readonly symbols: GuestSymbols;
  readonly generation: number;
  readonly os: OsAwareness | undefined;
  readonly tasks: OfMoment<readonly GuestTask[]>;
}

export class GuestOs {
  private description: { readonly file: string; readonly description: OsDescription } | undefined;
  private last: Known | undefined;
  /** `$task` in the expressions of a description. */
  private task: Value | undefined;
  private readonly told = new Set<string>();

  /** @param say a sentence for the user: an entry of the description cannot be evaluated */
  constructor(
    private readonly guest: Guest,
    private readonly say: (sentence: string) => void,
  ) {}

  describe(file: string, description: OsDescription): void {
    this.description = { file, description };
    this.last = undefined;
  }

  private get known(): Known {
    const { guestSymbols: symbols } = this.guest;
    const { generation } = symbols;
    const { last } = this;
    if (last?.symbols === symbols && last.generation === generation) return last;
    const os = this.described() ?? symbols.linux;
    const tasks = this.ofMoment(() => os?.tasks() ?? []);
    return (this.last = { symbols, generation, os, tasks });
  }
  get awareness(): OsAwareness | undefined {
    return this.known.os;
  }
  tasks(): readonly GuestTask[] {
    return this.known.tasks.now;
  }
  modules(): readonly GuestModule[] {
    return this.awareness?.modules() ?? [];
  }
  /** The loaded module that an address belongs to, without a look at the list where no module can be. */
  moduleAt(address: number): GuestModule | undefined {
    const { awareness } = this;
    if (awareness === undefined || address < (awareness.lowestModule ?? 0)) return undefined;
    return this.modules().find(({ regions }) => holds(regions, address));
  }
  /** A function of a loaded module, by its name or by an address inside it. */
  moduleFunction(
    nameOrAddress: string | number,
  ): { readonly module: GuestModule; readonly is: ModuleFunction } | undefined {
    if (typeof nameOrAddress === 'number') {
      const module = this.moduleAt(nameOrAddress);
      const is = module?.functions.find(
        ({ address, bytes }) => nameOrAddress >= address && nameOrAddress < address + bytes,
      );
      return module === undefined || is === undefined ? undefined : { module, is };
    }
    for (const module of this.modules()) {
      const is = module.functions.find(({ name }) => name === nameOrAddress);
      if (is !== undefined) return { module, is };
    }
    return undefined;
  }
  /** The task that the processor runs. */
  get current(): GuestTask | undefined {
    const address = this.awareness?.currentTask(0);
    return address === undefined ? undefined : this.tasks().find((task) => task.address === address);
  }
  /** The tasks that the processor does not run. */
  get others(): readonly GuestTask[] {
    const { current } = this;
    return this.tasks().filter((task) => task !== current);
  }

  private ofMoment<T>(read: () => T): OfMoment<T> {
    return new OfMoment(() => this.guest.target, read);
  }

  private described(): OsAwareness | undefined {
    if (this.description === undefined) return undefined;
    const { file, description } = this.description;
    const world = this.ofMoment(() => this.makeWorld());
    return new DescribedOs(
      file,
      description,
      (text, task) => this.evaluate(text, task, world.now),
      (linear, into) => this.guest.target.readMemory(linear, into),
      (sentence) => this.tell(sentence),
    );
  }

  private tell(sentence: string): void {
    if (this.told.has(sentence)) return;
    this.told.add(sentence);
    this.say(sentence);
  }

  /** In no frame: globals, and the registers of the processor. @throws Error with a sentence */
  private evaluate(text: string, task: Value | undefined, world: EvaluationWorld): Value {
    this.task = task;
    const result = evaluate(text, world);
    if (!result.ok) throw new Error(result.reason);
    return result.value;
  }
  private makeWorld(): EvaluationWorld {
    const { guestSymbols, target } = this.guest;
    const source = {
      memory: (linear: number, into: Uint8Array): number => target.readMemory(linear, into),
      registers: [],
    };
    const names = new MomentNames(guestSymbols.info, undefined, 0, source, (name) => {
      const { task } = this;
      if (name === 'task' && task?.bytes.ok === true) return { type: task.type, bytes: task.bytes.bytes };
      const register = registerNamed(name);
      if (register === undefined || register.bits > 32) return undefined;
      return { type: BUILTIN['unsigned int'], bytes: toBytes(BigInt(target.vcpu.read(register.name)), 4) };
    });
    return { names, source };
  }
}

/** The same few names are asked for with every task: of one moment their values are looked for once. */
class MomentNames extends Names {
  private readonly known = new Map<string, Value>();

  override value(name: string): Value {
    let value = this.known.get(name);
    if (value === undefined) this.known.set(name, (value = super.value(name)));
    return value;
  }
}
