// From a frame to its caller: by call frame information where there is any, else by the instructions of the prologue and by frame pointers.
// Knows nothing of inlining and names; frames that the processor made (interrupts) are left to a hook of the caller's.
import { evaluateLocation, type Machine } from '../dwarf/expression.ts';
import { rowAt, type CfaRule, type RegisterRule } from '../dwarf/frame-rows.ts';
import type { Fde, FrameTable } from '../dwarf/frame-table.ts';
import { fromBytes, type ReadMemory } from '../location-value.ts';
import type { Unit } from '../dwarf/unit.ts';
import { analyzePrologue } from './prologue.ts';

/** EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, EIP, EFLAGS: DWARF's order. Undefined: lost on the way. */
export type Registers = readonly (number | undefined)[];

export const Register = { eax: 0, ecx: 1, edx: 2, ebx: 3, esp: 4, ebp: 5, esi: 6, edi: 7, eip: 8, eflags: 9 } as const;

/**
 * Where what a frame has in a register is kept: in the register still, or in memory, where a callee has saved it. Undefined: nowhere, it is computed or
 * lost. By the same numbers.
 */
export type RegisterHomes = readonly (RegisterHome | undefined)[];
export type RegisterHome =
  { readonly kind: 'register'; readonly register: number } | { readonly kind: 'memory'; readonly address: number };

export interface KeptRegisters {
  readonly registers: Registers;
  readonly homes: RegisterHomes;
}

/** How a frame was found in its callee: what to think of its values. */
export type FrameOrigin = 'innermost' | 'frame-information' | 'prologue' | 'frame-pointer' | 'interrupt';

/** The registers of what a frame's code interrupted, for frames that an interrupt or exception made; undefined for all others. */
export type InterruptHook = (frame: Frame) => KeptRegisters | undefined;

export interface UnwindSources {
  readonly tables: readonly FrameTable[];
  /** Added to the file's addresses. */
  readonly slide: number;
  /** Start of the function that holds an address, where the program runs. */
  readonly functionStart: (address: number) => number | undefined;
  /** Any unit, for the sizes of expressions in frame information. */
  readonly unit: Unit | undefined;
}

export interface Frame extends KeptRegisters {
  readonly pc: number;
  /** An address within the instruction that is executing: in callers, `pc` may lie in the next line or function already. */
  readonly lookupPc: number;
  readonly registerBytes?: (number: number) => Uint8Array | undefined;
  readonly memory: ReadMemory;
  readonly origin: FrameOrigin;
  /** 0 for the innermost. */
  readonly level: number;
  /** Canonical frame address: ESP before the call. */
  readonly cfa: number | undefined;
  /** The caller, or one sentence that says why there is none. */
  caller(): Frame | { readonly end: string };
}

/** More frames than this are a cycle, or a recursion of no use to anyone. */
const MAX_FRAMES = 100_000;
const PROLOGUE_BYTES = 256;

export class Unwinder {
  /** @param sourcesAt of the file that an address belongs to */
  constructor(
    private readonly sourcesAt: (address: number) => UnwindSources,
    private readonly interrupted: InterruptHook = () => undefined,
  ) {}

  innermost(
    registers: Registers,
    memory: ReadMemory,
    registerBytes?: (number: number) => Uint8Array | undefined,
  ): Frame {
    const homes = registers.map((_, register): RegisterHome => ({ kind: 'register', register }));
    return new UnwoundFrame(this, { registers, homes }, memory, 'innermost', 0, true, registerBytes);
  }

  /** @param frame one of this unwinder's */
  callerOf(frame: UnwoundFrame): Frame | { readonly end: string } {
    const { memory, level, registers } = frame;
    if (level >= MAX_FRAMES) return { end: 'the stack has too many frames' };
    const before = this.interrupted(frame);
    if (before !== undefined) return new UnwoundFrame(this, before, memory, 'interrupt', level + 1, true);
    const step = frame.step;
    if (step === undefined) return { end: 'neither frame information nor frame pointers tell the caller' };
    if ('end' in step) return step;
    const pc = step.registers[Register.eip];
    if (pc === undefined || pc === 0) return { end: 'the outermost function' };
    const esp = step.registers[Register.esp] ?? 0;
    const old = registers[Register.esp] ?? 0;
    // A caller's frame lies above. The same place twice would be found again and again.
    if (step.origin !== 'frame-information' && esp <= old) return { end: 'the stack does not lead on from here' };
    if (esp === old && pc === frame.pc) return { end: 'the stack leads back to the same frame' };
    return new UnwoundFrame(this, step, memory, step.origin, level + 1, step.signalFrame);
  }

  step(frame: UnwoundFrame): Step | { readonly end: string } | undefined {
    const fde = this.#fdeAt(frame.lookupPc);
    if (fde !== undefined) return this.#byInformation(frame, fde);
    return this.#byPrologue(frame) ?? this.#byFramePointer(frame);
  }

  #fdeAt(address: number): Fde | undefined {
    const { slide, tables } = this.sourcesAt(address);
    const own = (address - slide) >>> 0;
    for (const table of tables) {
      const fde = table.find(own);
      if (fde !== undefined) return fde;
    }
    return undefined;
  }

  #byInformation(frame: UnwoundFrame, fde: Fde): Step | { readonly end: string } | undefined {
    const { slide } = this.sourcesAt(frame.lookupPc);
    // The row of the instruction itself: for a caller, of the call, since a call that never returns may end its function.
    const row = rowAt(fde, (frame.lookupPc - slide) >>> 0);
    const cfa = row.cfa === undefined ? undefined : this.#cfa(frame, row.cfa);
    if (cfa === undefined) return undefined;
    const { returnRegister, signalFrame } = fde.cie;
    if (row.rules.get(returnRegister)?.kind === 'undefined') return { end: 'the outermost function' };
    const kept = new Kept(frame);
    for (let number = 0; number <= Register.eflags; number++) {
      const rule = row.rules.get(number === Register.eip ? returnRegister : number);
      if (rule !== undefined) this.#apply(frame, number, rule, cfa, kept);
      else if (number === Register.esp) kept.computed(number, cfa);
      // The others are the callee's to change.
      else if (signalFrame || isPreserved(number)) kept.same(number);
    }
    return { ...kept.all, cfa, origin: 'frame-information', signalFrame };
  }

  #cfa(frame: UnwoundFrame, rule: CfaRule): number | undefined {
    if (rule.kind === 'register') {
      const value = frame.registers[rule.register];
      return value === undefined ? undefined : (value + rule.offset) >>> 0;
    }
    return this.#evaluate(frame, rule.expression, []);
  }

  #apply(frame: UnwoundFrame, number: number, rule: RegisterRule, cfa: number, kept: Kept): void {
    switch (rule.kind) {
      case 'undefined':
        return;
      case 'same':
        return kept.same(number);
      case 'offset':
        return kept.saved(number, cfa + rule.offset);
      case 'value-offset':
        return kept.computed(number, (cfa + rule.offset) >>> 0);
      case 'register':
        return kept.same(number, rule.register);
      case 'expression':
        return kept.saved(number, this.#evaluate(frame, rule.expression, [cfa]));
      case 'value-expression':
        return kept.computed(number, this.#evaluate(frame, rule.expression, [cfa]));
    }
  }

  #evaluate(frame: UnwoundFrame, expression: Uint8Array, initial: readonly number[]): number | undefined {
    const { unit, slide } = this.sourcesAt(frame.lookupPc);
    if (unit === undefined) return undefined;
    const machine: Machine = { memory: frame.memory, register: (number) => frame.registers[number] };
    const location = evaluateLocation({ expression, unit, machine, slide, initial });
    return location.kind === 'memory' ? location.address : undefined;
  }

  #byPrologue(frame: UnwoundFrame): Step | undefined {
    const { pc, registers, memory } = frame;
    const [esp, ebp] = [registers[Register.esp], registers[Register.ebp]];
    const start = this.sourcesAt(frame.lookupPc).functionStart(frame.lookupPc);
    if (start === undefined || esp === undefined) return undefined;
    const executed = pc - start;
    const code = new Uint8Array(Math.min(PROLOGUE_BYTES, executed + 16));
    const read = memory(start, code);
    const known = analyzePrologue(code.subarray(0, read), executed);
    const here = new Uint8Array(2);
    if (frame.level === 0 && memory(pc, here) === 2) {
      // On the way out the frame is taken down again.
      if (isReturn(here[0]!)) return this.#found(frame, esp + 4, new Map());
      if (here[0] === 0x5d && isReturn(here[1]!)) return this.#found(frame, esp + 8, new Map([[Register.ebp, 4]]));
    }
    if (known.framePointer !== undefined) {
      return ebp === undefined ? undefined : this.#found(frame, ebp + known.framePointer + 4, known.saved);
    }
    if (known.exact) return this.#found(frame, esp + known.depth + 4, known.saved);
    // The body may have pushed arguments: what is found must look like a return address.
    const guess = this.#found(frame, esp + known.depth + 4, known.saved);
    return guess !== undefined && followsCall(memory, guess.registers[Register.eip]!) ? guess : undefined;
  }

  /** @param saved distance below the return address's place by register */
  #found(frame: UnwoundFrame, cfa: number, saved: ReadonlyMap<number, number>): Step | undefined {
    const pc = readWord(frame.memory, (cfa - 4) >>> 0);
    if (pc === undefined) return undefined;
    const kept = new Kept(frame);
    for (let number = 0; number <= Register.eflags; number++) if (isPreserved(number)) kept.same(number);
    for (const [number, depth] of saved) kept.saved(number, cfa - 4 - depth);
    kept.computed(Register.esp, cfa >>> 0);
    kept.saved(Register.eip, cfa - 4);
    return { ...kept.all, cfa: cfa >>> 0, origin: 'prologue', signalFrame: false };
  }

  #byFramePointer(frame: UnwoundFrame): Step | undefined {
    const [esp, ebp] = [frame.registers[Register.esp], frame.registers[Register.ebp]];
    if (ebp === undefined || esp === undefined || ebp < esp || (ebp & 3) !== 0) return undefined;
    const pc = readWord(frame.memory, ebp + 4);
    if (pc === undefined || (pc !== 0 && !followsCall(frame.memory, pc))) return undefined;
    const step = this.#found(frame, ebp + 8, new Map([[Register.ebp, 4]]));
    return step === undefined ? undefined : { ...step, origin: 'frame-pointer' };
  }
}

interface Step extends KeptRegisters {
  readonly cfa: number;
  readonly origin: FrameOrigin;
  readonly signalFrame: boolean;
}

/** What a frame's caller goes on with, and where that is kept; each is lost until something is said of it. */
export class Kept {
  readonly #registers: (number | undefined)[] = Array<undefined>(Register.eflags + 1).fill(undefined);
  readonly #homes: (RegisterHome | undefined)[] = Array<undefined>(Register.eflags + 1).fill(undefined);

  constructor(private readonly callee: Frame) {}

  /** It is where the callee has it, in this register or in another. */
  same(number: number, register = number): void {
    this.#registers[number] = this.callee.registers[register];
    this.#homes[number] = this.callee.homes[register];
  }
  /** It was saved in memory. */
  saved(number: number, address: number | undefined): void {
    this.#registers[number] = address === undefined ? undefined : readWord(this.callee.memory, address >>> 0);
    this.#homes[number] = address === undefined ? undefined : { kind: 'memory', address: address >>> 0 };
  }
  computed(number: number, value: number | undefined): void {
    this.#registers[number] = value;
    this.#homes[number] = undefined;
  }
  get all(): KeptRegisters {
    return { registers: this.#registers, homes: this.#homes };
  }
}

class UnwoundFrame implements Frame {
  readonly registers: Registers;
  readonly homes: RegisterHomes;
  #step: { readonly value: Step | { readonly end: string } | undefined } | undefined;
  #caller: Frame | { readonly end: string } | undefined;

  constructor(
    private readonly unwinder: Unwinder,
    { registers, homes }: KeptRegisters,
    readonly memory: ReadMemory,
    readonly origin: FrameOrigin,
    readonly level: number,
    /** `pc` is the next instruction, not the one behind a call. */
    private readonly exact: boolean,
    readonly registerBytes: (number: number) => Uint8Array | undefined = () => undefined,
  ) {
    this.registers = registers;
    this.homes = homes;
  }

  get pc(): number {
    return this.registers[Register.eip] ?? 0;
  }
  get lookupPc(): number {
    return this.exact ? this.pc : (this.pc - 1) >>> 0;
  }
  get step(): Step | { readonly end: string } | undefined {
    return (this.#step ??= { value: this.unwinder.step(this) }).value;
  }
  get cfa(): number | undefined {
    const step = this.step;
    return step === undefined || 'end' in step ? undefined : step.cfa;
  }
  caller(): Frame | { readonly end: string } {
    return (this.#caller ??= this.unwinder.callerOf(this));
  }
}

/** EBX, EBP, ESI, EDI: what a function of the i386 ABI gives back as it found it. */
const isPreserved = (number: number): boolean =>
  number === Register.ebx || number === Register.ebp || number === Register.esi || number === Register.edi;

const isReturn = (opcode: number): boolean => opcode === 0xc3 || opcode === 0xc2;

export function readWord(memory: ReadMemory, address: number): number | undefined {
  const bytes = new Uint8Array(4);
  return memory(address, bytes) === 4 ? Number(fromBytes(bytes)) : undefined;
}

/** Whether the instruction before an address can be a call: CALL rel32, or CALL r/m32 of any length. */
function followsCall(memory: ReadMemory, address: number): boolean {
  const before = new Uint8Array(7);
  if (memory((address - 7) >>> 0, before) < 7) return false;
  if (before[2] === 0xe8) return true;
  // FF /2: two bytes, and a SIB byte and a displacement of one or four more.
  return [5, 4, 3, 1, 0].some((at) => before[at] === 0xff && ((before[at + 1]! >> 3) & 7) === 2);
}
