// The call stack where the guest stands: physical frames by unwinding, with the inlined calls in each. Made as far as it is asked for.
// Not the protocol's frames (dap/requests/stack-trace.ts) and not how a caller is found (symbols/unwind).

import type { FunctionCode } from '../symbols/debug-info.ts';
import { formatAddress, type SourceLocation } from '../symbols/location.ts';
import type { Frame as PhysicalFrame } from '../symbols/unwind/unwinder.ts';
import { code32Of, pcOf } from './guest-state.ts';
import type { DebuggedMachine } from './machine.ts';
import type { DebugVcpu } from './target.ts';

export interface Frame {
  readonly index: number;
  /** A label is no frame: it says what lies between two. */
  readonly kind: 'function' | 'label';
  readonly name: string;
  /** Linear address of the next instruction in this frame. */
  readonly pc: number;
  /** An address inside the instruction that the frame is at: of a caller, in its CALL. */
  readonly lookup: number;
  readonly place: SourceLocation;
  /** The frame on the stack that this one is, or is inlined into. Undefined in 16-bit code. */
  readonly physical: PhysicalFrame | undefined;
  /** Which of the functions at `lookup` it is: 0 is the innermost. */
  readonly level: number;
}

/** DWARF's order. */
export const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** DWARF's numbers of ST0 and XMM0 (Intel386 psABI, table 2.14). */
const ST0 = 11;
const XMM0 = 21;

export class Frames {
  private list: Frame[] = [];
  private walk: Iterator<Frame> | undefined;
  private innermost: PhysicalFrame | undefined;
  /**
   * Inlined calls that begin exactly where the guest stands, and that the user has stepped into. The others are not entered yet: the
   * guest stands at their call.
   */
  private entered = 0;
  private enteredAt = -1;

  constructor(private readonly machine: DebuggedMachine) {}

  forget(): void {
    this.list = [];
    this.walk = undefined;
    this.innermost = undefined;
  }

  /** The frame the guest stands in. */
  get top(): Frame {
    return this.get(0)!;
  }

  /** The frame on the stack that the guest stands in; undefined where its code is not 32-bit code. */
  get physical(): PhysicalFrame | undefined {
    const { target, debug } = this.machine;
    const vcpu = target.vcpus[0]!;
    if (!code32Of(vcpu)) return undefined;
    return (this.innermost ??= debug.frame(
      [...GENERAL.map((name) => vcpu.read(name)), pcOf(vcpu), vcpu.read('eflags')],
      (address, into) => target.readMemory(address, into),
      (number) => wide(vcpu, number),
    ));
  }

  /** How many inlined calls begin exactly at the pc and are not entered. */
  notEntered(pc: number, functions: readonly FunctionCode[]): number {
    let count = 0;
    while (functions[count]?.inlined === true && functions[count]!.entry === pc) count++;
    return Math.max(0, count - (this.enteredAt === pc ? this.entered : 0));
  }

  /** Steps into the outermost inlined call that begins where the guest stands. */
  enterInlined(): void {
    const pc = pcOf(this.machine.target.vcpus[0]!);
    this.entered = (this.enteredAt === pc ? this.entered : 0) + 1;
    this.enteredAt = pc;
    this.forget();
  }
  /** The guest moves: what was entered is so no more. */
  leaveInlined(): void {
    this.enteredAt = -1;
    this.entered = 0;
  }

  get(index: number): Frame | undefined {
    this.walk ??= this.unwind();
    while (this.list.length <= index) {
      const next = this.walk.next();
      if (next.done === true) return undefined;
      this.list.push(next.value);
    }
    return this.list[index];
  }

  private *unwind(): Generator<Frame> {
    const { symbols, target } = this.machine;
    let physical = this.physical;
    if (physical === undefined) {
      const pc = pcOf(target.vcpus[0]!);
      const place = symbols.locate(pc);
      yield { index: 0, kind: 'function', name: nameOf(place), pc, lookup: pc, place, physical, level: 0 };
      return;
    }
    for (let index = 0; ;) {
      if (physical.origin === 'interrupt') {
        const place = symbols.locate(physical.pc);
        yield {
          index: index++,
          kind: 'label',
          name: '<interrupted>',
          pc: physical.pc,
          lookup: physical.pc,
          place,
          physical,
          level: 0,
        };
      }
      for (const frame of this.functionsOf(physical)) yield { ...frame, index: index++ };
      const caller: PhysicalFrame | { readonly end: string } = physical.caller();
      if ('end' in caller) return;
      physical = caller;
    }
  }

  /** The inlined calls at a physical frame's place, innermost first, and the function itself. */
  private *functionsOf(physical: PhysicalFrame): Generator<Omit<Frame, 'index'>> {
    const { symbols, debug } = this.machine;
    const { pc, lookupPc: lookup } = physical;
    const functions = debug.functionsAt(lookup);
    const here = symbols.locate(lookup);
    const common = { kind: 'function', pc, lookup, physical } as const;
    if (functions.length === 0) {
      yield { ...common, name: nameOf(here), place: here, level: 0 };
      return;
    }
    const first = physical.level === 0 ? this.notEntered(pc, functions) : 0;
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
