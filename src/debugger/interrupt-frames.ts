// The frame that an interrupt, exception or system call left on the kernel's stack: from the assembly stub that called the C handler back to what
// was interrupted, also in user space. Kernels describe these stubs by no call frame information, so the frame is recognised by its contents:
// EIP, CS and EFLAGS as the processor pushes them (SDM vol. 3, 6.12.1), the general registers as PUSHA leaves them or as Linux's pt_regs has them.
// Not ordinary calls (symbols/unwind).

import type { CodeMap } from '../symbols/program.ts';
import { fromBytes } from '../symbols/location-value.ts';
import { Kept, Register, type Frame, type InterruptHook, type KeptRegisters } from '../symbols/unwind/unwinder.ts';

export interface InterruptWorld {
  /** Lines and symbols of the kernel. */
  readonly map: () => CodeMap;
  /** CS of the kernel's code. */
  readonly kernelCs: () => number;
  /** Byte offsets in Linux's `struct pt_regs`, by DWARF's register numbers; undefined: not Linux. */
  readonly ptRegs: readonly number[] | undefined;
}

/** Words between a stub's stack pointer and the frame: PUSHA, four segment registers, vector, error code, arguments, room to align. */
const FARTHEST = 40;
const PUSHA_BYTES = 32;
/** Byte offsets in what PUSHA leaves, by DWARF's numbers of EAX to EDI. */
const PUSHA = [28, 24, 20, 16, 12, 8, 4, 0] as const;
const FIXED_ONE = 1 << 1;
const INTERRUPTS = 1 << 9;
const RESERVED = 0xffc0_8028;

/** The hook for `DebugInfo`. */
export const interruptFrames = (world: InterruptWorld): InterruptHook => {
  return (frame) => {
    if (isCompiled(world, frame.lookupPc)) return undefined;
    const at = frameBefore(frame, world);
    return at === undefined ? undefined : interrupted(frame, at, world);
  };
};

/** Stubs are written in assembly, and have no lines of another language; what a compiler made has its callers found by ordinary means. */
const isCompiled = (world: InterruptWorld, address: number): boolean => {
  const { file } = world.map().locate(address);
  return file !== undefined && !/\.(?:[sS]|asm)$/.test(file);
};

const wordAt = (frame: Frame, address: number): number | undefined => {
  const bytes = new Uint8Array(4);
  return frame.memory(address >>> 0, bytes) === 4 ? Number(fromBytes(bytes)) : undefined;
};

/**
 * Where EIP, CS and EFLAGS are: on the stack above the stub's own words. Where Linux keeps frame pointers its stubs say it: they put the address of
 * pt_regs into EBP, its highest bit cleared (arch/x86/entry/entry_32.S).
 */
const frameBefore = (frame: Frame, world: InterruptWorld): number | undefined => {
  const ebp = frame.registers[Register.ebp];
  const esp = frame.registers[Register.esp];
  if (world.ptRegs !== undefined && ebp !== undefined && ebp !== 0 && ebp >>> 31 === 0) {
    const at = ((ebp | 0x8000_0000) >>> 0) + world.ptRegs[Register.eip]!;
    if (isFrame(frame, at, world)) return at;
  }
  if (esp === undefined) return undefined;
  for (let words = 0; words < FARTHEST; words++) if (isFrame(frame, esp + 4 * words, world)) return esp + 4 * words;
  return undefined;
};

const interrupted = (frame: Frame, at: number, world: InterruptWorld): KeptRegisters => {
  const kept = new Kept(frame);
  for (const number of Object.values(Register)) kept.same(number);
  const { ptRegs } = world;
  const start = ptRegs === undefined ? 0 : at - ptRegs[Register.eip]!;
  const esp = frame.registers[Register.esp] ?? at;
  const pushed = ptRegs === undefined ? pushaBefore(frame, esp, at) : undefined;
  if (ptRegs !== undefined) ptRegs.forEach((offset, register) => kept.saved(register, start + offset));
  if (pushed !== undefined) PUSHA.forEach((offset, register) => kept.saved(register, pushed + offset));
  kept.saved(Register.eip, at);
  kept.saved(Register.eflags, at + 8);
  // ESP and SS are pushed only where the privilege level changes.
  if (fromUser(frame, at)) kept.saved(Register.esp, at + 12);
  else kept.computed(Register.esp, (at + 12) >>> 0);
  return kept.all;
};

/** PUSHA stores the ESP before it, so its eight words know where they end. The nearest to the frame. */
const pushaBefore = (frame: Frame, esp: number, end: number): number | undefined => {
  for (let at = end - PUSHA_BYTES; at >= esp; at -= 4)
    if (wordAt(frame, at + PUSHA[Register.esp]) === at + PUSHA_BYTES) return at;
  return undefined;
};

const fromUser = (frame: Frame, at: number): boolean => ((wordAt(frame, at + 4) ?? 0) & 3) === 3;

/** The upper half of the slot is undefined on some processors, and zero on ours. */
const isUserSelector = (word: number): boolean => (word & 3) === 3 && word > 3 && word < 0x1_0000;

/** EIP, CS and EFLAGS that a processor can have had: in the kernel at known code, or at privilege level 3. */
const isFrame = (frame: Frame, at: number, world: InterruptWorld): boolean => {
  const [eip, cs, eflags] = [wordAt(frame, at), wordAt(frame, at + 4), wordAt(frame, at + 8)];
  if (eip === undefined || cs === undefined || eflags === undefined) return false;
  if ((eflags & FIXED_ONE) === 0 || (eflags & RESERVED) !== 0) return false;
  if (isUserSelector(cs)) {
    // ESP and SS follow, and a program cannot switch interrupts off: three words of anything are not taken for a frame.
    const ss = wordAt(frame, at + 16);
    return eip !== 0 && (eflags & INTERRUPTS) !== 0 && ss !== undefined && isUserSelector(ss);
  }
  return cs === world.kernelCs() && world.map().symbol(eip) !== undefined;
};
