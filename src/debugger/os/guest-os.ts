// The operating system in the guest, as far as it is known: Linux by its own debug data, any other by a file that describes it. Joins them with the
// machine, and remembers the tasks of one moment. Not what a system looks like (linux.ts, described.ts).

import { toBytes, type ReadMemory } from '../../symbols/location-value.ts';
import type { Value } from '../../symbols/value/value.ts';
import { BUILTIN } from '../expression/builtin-types.ts';
import { evaluate, type EvaluationWorld } from '../expression/evaluate.ts';
import { Names } from '../expression/names.ts';
import type { DebuggedMachine } from '../machine.ts';
import { registerNamed } from '../registers.ts';
import { holds, type GuestModule, type GuestTask, type ModuleFunction, type OsAwareness } from './awareness.ts';
import { DescribedOs } from './described.ts';
import type { OsDescription } from './description.ts';
import { Linux } from './linux.ts';

/** What of the machine is looked at. */
type Machine = Pick<DebuggedMachine, 'guestSymbols' | 'target'>;

export class GuestOs {
  private description: { readonly file: string; readonly description: OsDescription } | undefined;
  private known: { readonly generation: number; readonly os: OsAwareness | undefined } | undefined;
  private listed: readonly GuestTask[] | undefined;
  private loaded: readonly GuestModule[] | undefined;
  /** For the expressions of a description; `$task` in them is `task`. */
  private world: EvaluationWorld | undefined;
  private task: Value | undefined;
  private readonly told = new Set<string>();

  /** @param say a sentence for the user: an entry of the description cannot be evaluated */
  constructor(
    private readonly machine: Machine,
    private readonly say: (sentence: string) => void,
  ) {}

  describe(file: string, description: OsDescription): void {
    this.description = { file, description };
    this.known = undefined;
    this.forget();
  }

  /** The guest has moved, or was changed. */
  forget(): void {
    this.listed = undefined;
    this.loaded = undefined;
    this.world = undefined;
  }

  get awareness(): OsAwareness | undefined {
    const { generation } = this.machine.guestSymbols;
    if (this.known?.generation !== generation) this.known = { generation, os: this.recognise() };
    return this.known.os;
  }

  tasks(): readonly GuestTask[] {
    return (this.listed ??= this.awareness?.tasks() ?? []);
  }
  modules(): readonly GuestModule[] {
    return (this.loaded ??= this.awareness?.modules() ?? []);
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

  private recognise(): OsAwareness | undefined {
    const debug = this.machine.guestSymbols.kernel;
    const memory: ReadMemory = (linear, into) => this.machine.target.readMemory(linear, into);
    if (this.description !== undefined) {
      const { file, description } = this.description;
      return new DescribedOs(
        file,
        description,
        (text, task) => this.evaluate(text, task),
        memory,
        (sentence) => this.tell(sentence),
      );
    }
    if (!debug.hasDebugData) return undefined;
    return Linux.recognise(debug, memory, (linear) => this.machine.target.translate(linear));
  }

  private tell(sentence: string): void {
    if (this.told.has(sentence)) return;
    this.told.add(sentence);
    this.say(sentence);
  }

  /** In no frame: globals, and the registers of the processor. @throws Error with a sentence */
  private evaluate(text: string, task: Value | undefined): Value {
    const world = (this.world ??= this.makeWorld());
    this.task = task;
    const result = evaluate(text, world);
    if (!result.ok) throw new Error(result.reason);
    return result.value;
  }
  private makeWorld(): EvaluationWorld {
    const { guestSymbols, target } = this.machine;
    const source = {
      memory: (linear: number, into: Uint8Array): number => target.readMemory(linear, into),
      registers: [],
    };
    const names = new MomentNames(guestSymbols.info, undefined, 0, source, (name) => {
      const { task } = this;
      if (name === 'task' && task?.bytes.ok === true) return { type: task.type, bytes: task.bytes.bytes };
      const register = registerNamed(name);
      if (register === undefined || register.bits > 32) return undefined;
      return { type: BUILTIN['unsigned int'], bytes: toBytes(BigInt(target.vcpus[0]!.read(register.name)), 4) };
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
