// DR6 and DR7 as data, and what becomes of them with a #DB. Shared by whoever reports one: the processor (exceptions.ts) and the hypervisor, whose
// injected #DB leaves the debug registers alone. Not MOV DR (control-registers.ts), not the breakpoints themselves. SDM vol. 3, 17.2.3, 17.2.4.

/** B0 to B3, BD (general detect), BS (single step), BT (the T bit of a TSS). */
export const Dr6 = {
  BREAKPOINTS: 0xf,
  BD: 1 << 13,
  BS: 1 << 14,
  BT: 1 << 15,
  WRITABLE: 0xe00f,
  FIXED: 0xffff_0ff0,
} as const;

/** L0 to G3: with all clear no breakpoint is armed; L0 to L3 and LE belong to one task; GD protects the debug registers. */
export const Dr7 = { ENABLES: 0xff, LOCAL: 0x155, GD: 1 << 13, ALWAYS_ZERO: 0xd800, ALWAYS_ONE: 0x400 } as const;

/** Every #DB sets B0 to B3 to what it met. BD, BS and BT stay until software clears them. */
export const dr6WithDebug = (dr6: number, met: number): number =>
  ((dr6 & ~Dr6.BREAKPOINTS) | (met & Dr6.WRITABLE)) >>> 0;
/** What DR7 holds after MOV DR or VM entry: bits 12, 14 and 15 load as 0, bit 10 as 1 (26.3.2.1); bit 11 does not exist without RTM. */
export const dr7Written = (value: number): number => (value & ~Dr7.ALWAYS_ZERO) | Dr7.ALWAYS_ONE;
/** The handler of a #DB may use the debug registers. */
export const dr7WithDebug = (dr7: number): number => (dr7 & ~Dr7.GD) >>> 0;
