// Which instructions and events leave the guest: decisions from the controls alone, no side effects. Carrying an exit out is exit.ts.
// SDM vol. 3, 25.1 to 25.3.

import type { PhysicalMemory } from '../memory.ts';
import type { ActiveControls } from './active-controls.ts';
import { PrimaryControl, SecondaryControl } from './controls.ts';
import { ExitReason } from './exit-reasons.ts';

/** The control that makes an instruction exit, by exit reason; `unconditional` where the instruction always does (25.1.2). */
const UNCONDITIONAL = 0xffff_ffff;
const INSTRUCTION_CONTROL: Readonly<Record<number, number>> = {
  [ExitReason.CPUID]: UNCONDITIONAL,
  [ExitReason.INVD]: UNCONDITIONAL,
  [ExitReason.HLT]: PrimaryControl.HLT_EXITING,
  [ExitReason.INVLPG]: PrimaryControl.INVLPG_EXITING,
  [ExitReason.RDPMC]: PrimaryControl.RDPMC_EXITING,
  [ExitReason.RDTSC]: PrimaryControl.RDTSC_EXITING,
  [ExitReason.MWAIT]: PrimaryControl.MWAIT_EXITING,
  [ExitReason.MONITOR]: PrimaryControl.MONITOR_EXITING,
  [ExitReason.PAUSE]: PrimaryControl.PAUSE_EXITING,
};

/** CPUID, HLT, ... by exit reason. WBINVD is the one that a secondary control decides. */
export const instructionExits = (c: ActiveControls, reason: number): boolean => {
  if (reason === ExitReason.WBINVD) return (c.secondary & SecondaryControl.WBINVD_EXITING) !== 0;
  const control = INSTRUCTION_CONTROL[reason];
  return control !== undefined && (control === UNCONDITIONAL || (c.primary & control) !== 0);
};

/** The exception bitmap, and for #PF the error-code mask and match: equality turns the bitmap's meaning round (25.2). */
export const exceptionExits = (c: ActiveControls, vector: number, errorCode: number): boolean => {
  const bit = ((c.exceptionBitmap >>> vector) & 1) === 1;
  if (vector !== 14) return bit;
  return bit === ((errorCode & c.pageFaultMask) >>> 0 === c.pageFaultMatch >>> 0);
};

/** 25.3: bits owned by the host read as in the shadow. */
export const maskedRead = (actual: number, mask: number, shadow: number): number =>
  ((actual & ~mask) | (shadow & mask)) >>> 0;

/** 25.3: bits owned by the host keep their value on a write. */
export const maskedWrite = (actual: number, mask: number, value: number): number =>
  ((actual & mask) | (value & ~mask)) >>> 0;

/** MOV to CR0 or CR4 exits if it would give a host-owned bit another value than its shadow's (25.1.3). */
export const movToCrExits = (mask: number, shadow: number, value: number): boolean => ((value ^ shadow) & mask) !== 0;

/** MOV to CR3 exits unless the value is one of the CR3-target values. */
export const movToCr3Exits = (c: ActiveControls, value: number): boolean => {
  if ((c.primary & PrimaryControl.CR3_LOAD_EXITING) === 0) return false;
  const count = Math.min(c.cr3TargetCount, 4);
  for (let i = 0; i < count; i++) if (c.cr3Targets[i] === value >>> 0) return false;
  return true;
};

/** CLTS exits if the host owns TS and the guest believes it set. */
export const cltsExits = (c: ActiveControls): boolean => (c.cr0Mask & c.cr0Shadow & 8) !== 0;

/**
 * LMSW writes bits 3:0 but cannot clear PE: it exits if a host-owned bit of 3:1 would differ from its shadow, or if it would set
 * a host-owned PE whose shadow is 0.
 */
export const lmswExits = (c: ActiveControls, source: number): boolean => {
  if (((source ^ c.cr0Shadow) & c.cr0Mask & 0xe) !== 0) return true;
  return (source & c.cr0Mask & ~c.cr0Shadow & 1) !== 0;
};

/** A byte of a bitmap; outside RAM everything reads as ones, so that what is not there intercepts. */
const bitmapByte = (memory: PhysicalMemory, pa: number): number => (pa < memory.bytes ? memory.read8(pa) : 0xff);

/** I/O bitmaps A (ports 0 to 7FFFh) and B; an access that wraps round port FFFFh always exits (25.1.3). */
export const ioExits = (c: ActiveControls, memory: PhysicalMemory, port: number, size: number): boolean => {
  if ((c.primary & PrimaryControl.USE_IO_BITMAPS) === 0) {
    return (c.primary & PrimaryControl.UNCONDITIONAL_IO_EXITING) !== 0;
  }
  if (port + size > 0x10000) return true;
  for (let p = port; p < port + size; p++) {
    const bitmap = p < 0x8000 ? c.ioBitmapA : c.ioBitmapB;
    if ((bitmapByte(memory, bitmap + ((p & 0x7fff) >>> 3)) >>> (p & 7)) & 1) return true;
  }
  return false;
};

/** MSR bitmaps: read low, read high, write low, write high, 1 KiB each; MSRs outside both ranges always exit (24.6.9). */
export const msrExits = (c: ActiveControls, memory: PhysicalMemory, index: number, write: boolean): boolean => {
  if ((c.primary & PrimaryControl.USE_MSR_BITMAPS) === 0) return true;
  const high = index >>> 0 >= 0xc000_0000;
  const bit = high ? (index >>> 0) - 0xc000_0000 : index >>> 0;
  if (bit >= 0x2000) return true;
  const at = c.msrBitmap + (write ? 2048 : 0) + (high ? 1024 : 0) + (bit >>> 3);
  return ((bitmapByte(memory, at) >>> (bit & 7)) & 1) === 1;
};
