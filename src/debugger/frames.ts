// Call stacks, where the guest stands and where its sleeping tasks do: physical frames by unwinding, with the inlined calls in each. Made as far as
// they are asked for.
// Not the protocol's frames (dap/requests/stack-trace.ts) and not how a caller is found (symbols/unwind).

import type { FunctionCode } from '../symbols/debug-info.ts';
import { formatAddress, type SourceLocation } from '../symbols/location.ts';
import type { Frame as PhysicalFrame } from '../symbols/unwind/unwinder.ts';
import { code32Of, pcOf } from './guest-state.ts';
import type { DebuggedGuest } from './machine.ts';
import type { GuestTask } from './os/awareness.ts';
import { memoryOf } from './page-tables.ts';
import { english, type Saying } from './saying.ts';
import type { DebugVcpu } from './target.ts';

export interface Frame {
  readonly index: number;
  /** A label is no frame: it says what lies between two. */
  readonly kind: 'function' | 'label';
  readonly name: string;
  readonly label?: Saying;
  /** Linear address of the next instruction in this frame. */
  readonly pc: number;
  /** An address inside the instruction that the frame is at: of a caller, in its CALL. */
  readonly lookup: number;
  readonly place: SourceLocation;
  /** The frame on the stack that this one is, or is inlined into. Undefined in 16-bit code. */
  readonly physical: PhysicalFrame | undefined;
  /** Which of the functions at `lookup` it is: 0 is the innermost. */
  readonly level: number;
  /** The frame is of a task that does not run; left out: of the processor. */
  readonly task?: GuestTask;
}

/** DWARF's order. */
export const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** DWARF's numbers of ST0 and XMM0 (Intel386 psABI, table 2.14). */
const ST0 = 11;
const XMM0 = 21;

export class Frames {
  private stack: Stack | undefined;
  private innermost: PhysicalFrame | undefined;
  /** Where the user has stepped into inlined calls that begin there, or has a breakpoint on one: how many are not entered. */
  private hidden = 0;
  private hiddenAt = -1;

  constructor(private readonly guest: DebuggedGuest) {}

  forget(): void {
    this.stack = undefined;
    this.innermost = undefined;
  }

  /** The frame the guest stands in. */
  get top(): Frame {
    return this.get(0)!;
  }

  /** The frame on the stack that the guest stands in; undefined where its code is not 32-bit code. */
  get physical(): PhysicalFrame | undefined {
    const { target, debug } = this.guest;
    const vcpu = target.vcpu;
    if (!code32Of(vcpu)) return undefined;
    return (this.innermost ??= debug.frame(
      [...GENERAL.map((name) => vcpu.read(name)), pcOf(vcpu), vcpu.read('eflags')],
      (address, into) => target.readMemory(address, into),
      (number) => wide(vcpu, number),
    ));
  }

  /** How many inlined calls are not entered: the guest stands at their call. Those that begin exactly at the pc, if nothing else was said. */
  notEntered(pc: number, functions: readonly FunctionCode[]): number {
    if (this.hiddenAt === pc) return this.hidden;
    let count = 0;
    while (functions[count]?.inlined === true && functions[count]!.entry === pc) count++;
    return count;
  }

  /** Steps into the outermost inlined call that begins where the guest stands. */
  enterInlined(): void {
    const pc = pcOf(this.guest.target.vcpu);
    this.hidden = Math.max(0, this.notEntered(pc, this.guest.debug.functionsAt(pc)) - 1);
    this.hiddenAt = pc;
    this.forget();
  }
  /** Stands in the inlined copy of a function that begins here, where a breakpoint on it was met; undefined: at the outermost call that begins here. */
  standIn(name: string | undefined): void {
    this.leaveInlined();
    this.forget();
    if (name === undefined) return;
    const pc = pcOf(this.guest.target.vcpu);
    // What is inlined into the copy may begin with it, but its ranges may be in another order.
    const level = this.guest.debug.functionsAt(pc).findIndex((one) => one.inlined && one.name === name);
    if (level >= 0) [this.hidden, this.hiddenAt] = [level, pc];
  }
  /** The guest moves: what was entered is so no more. */
  leaveInlined(): void {
    this.hiddenAt = -1;
  }

  get(index: number): Frame | undefined {
    return (this.stack ??= new Stack(this.unwind())).get(index);
  }

  private *unwind(): Generator<Frame> {
    const { symbols, target } = this.guest;
    const { physical } = this;
    if (physical !== undefined) {
      yield* framesFrom(this.guest, physical, (pc, functions) => this.notEntered(pc, functions));
      return;
    }
    const pc = pcOf(target.vcpu);
    const place = symbols.locate(pc);
    yield { index: 0, kind: 'function', name: nameOf(place), pc, lookup: pc, place, physical, level: 0 };
  }
}

/** Frames as far as they were asked for. */
export class Stack {
  private readonly list: Frame[] = [];

  constructor(private readonly walk: Iterator<Frame>) {}

  get(index: number): Frame | undefined {
    while (this.list.length <= index) {
      const next = this.walk.next();
      if (next.done === true) return undefined;
      this.list.push(next.value);
    }
    return this.list[index];
  }
}

/** The call stack of a task that does not run: by the registers with which it will go on, in its own address space. */
export const stackOfTask = (guest: DebuggedGuest, task: GuestTask): Stack => {
  const { registers } = task;
  if (registers === undefined) return new Stack([label(guest, task)][Symbol.iterator]());
  const innermost = guest.debug.frame(registers, memoryOf(guest.target, task.pageTable));
  return new Stack(framesFrom(guest, innermost, () => 0, task));
};

const labelled = (...label: Saying): Pick<Frame, 'name' | 'label'> => ({ name: english(...label), label });

/** Instead of frames, where there are none. */
const label = ({ symbols }: DebuggedGuest, task: GuestTask): Frame => ({
  index: 0,
  kind: 'label',
  ...labelled('goesOnNowhere', { state: task.state }),
  pc: 0,
  lookup: 0,
  place: symbols.locate(0),
  physical: undefined,
  level: 0,
  task,
});

type NotEntered = (pc: number, functions: readonly FunctionCode[]) => number;

function* framesFrom(
  guest: DebuggedGuest,
  innermost: PhysicalFrame,
  notEntered: NotEntered,
  task?: GuestTask,
): Generator<Frame> {
  const { symbols } = guest;
  const whose = task === undefined ? {} : { task };
  let physical = innermost;
  for (let index = 0; ;) {
    const { pc } = physical;
    if (physical.origin === 'interrupt') {
      const place = symbols.locate(pc);
      yield {
        index: index++,
        kind: 'label',
        ...labelled('interrupted'),
        pc,
        lookup: pc,
        place,
        physical,
        level: 0,
        ...whose,
      };
    }
    for (const frame of functionsOf(guest, physical, notEntered)) yield { ...frame, index: index++, ...whose };
    const caller: PhysicalFrame | { readonly end: string } = physical.caller();
    if ('end' in caller) return;
    physical = caller;
  }
}

/** The inlined calls at a physical frame's place, innermost first, and the function itself. */
function* functionsOf(
  { symbols, debug }: DebuggedGuest,
  physical: PhysicalFrame,
  notEntered: NotEntered,
): Generator<Omit<Frame, 'index'>> {
  const { pc, lookupPc: lookup } = physical;
  const functions = debug.functionsAt(lookup);
  const here = symbols.locate(lookup);
  const common = { kind: 'function', pc, lookup, physical } as const;
  if (functions.length === 0) {
    yield { ...common, name: nameOf(here), place: here, level: 0 };
    return;
  }
  const first = physical.level === 0 ? notEntered(pc, functions) : 0;
  for (let level = first; level < functions.length; level++) {
    const call = level === 0 ? undefined : functions[level - 1]!.call;
    const place: SourceLocation =
      level === 0
        ? here
        : {
            address: lookup,
            ...(here.function === undefined ? {} : { function: here.function, offset: here.offset ?? 0 }),
            ...(call === undefined ? {} : call),
          };
    yield { ...common, name: functions[level]!.name, place, level };
  }
}

const wide = (vcpu: DebugVcpu, number: number): Uint8Array | undefined => {
  if (number >= ST0 && number < ST0 + 8) return vcpu.readWide(`st${number - ST0}`);
  if (number >= XMM0 && number < XMM0 + 8) return vcpu.readWide(`xmm${number - XMM0}`);
  return undefined;
};

const nameOf = (place: SourceLocation): string =>
  place.function === undefined
    ? formatAddress(place.address)
    : place.line === undefined && place.offset !== undefined && place.offset > 0
      ? `${place.function}+0x${place.offset.toString(16)}`
      : place.function;
