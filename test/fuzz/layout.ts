// Where a fuzz case's tables, handlers, code, data and stacks lie. Not what is in them (scene.ts).

/** RAM of the bare machines: over 1 MiB for real mode's last segment, and no multiple of 64 KiB, so that linear memory has a tail. */
export const RAM_BYTES = 0x11_3000;

export const Place = {
  ivt: 0x0000,
  gdt: 0x1000,
  idt: 0x2000,
  ldt: 0x3000,
  tssA: 0x4000,
  tssB: 0x7000,
  handlers: 0x8000,
  /** Page directory, or the four PDPTEs. */
  pagingRoot: 0x9000,
  pagingTables: 0xa000,
  vmxon: 0xd000,
  vmcs: 0xe000,
  bitmaps: 0xf000,
  code: 0x1_0000,
  data: 0x2_0000,
  stack: 0x3_0000,
  /** Stacks of rings 0 to 2 in the TSS. */
  innerStacks: 0x4_0000,
  end: 0x5_0000,
} as const;

/** Selectors of the GDT's fixed descriptors, without RPL. */
export const Selector = {
  code32: 0x08,
  data32: 0x10,
  userCode32: 0x18,
  userData32: 0x20,
  /** Base `Place.code`, limit FFFFh, 16-bit. */
  code16: 0x28,
  userCode16: 0x30,
  /** Base `Place.data`. */
  data16: 0x38,
  userData16: 0x40,
  /** Base `Place.stack`. */
  stack16: 0x48,
  userStack16: 0x50,
  expandDown: 0x58,
  userExpandDown: 0x60,
  conforming: 0x68,
  tssA: 0x70,
  tssB: 0x78,
  ldt: 0x80,
  callGate: 0x88,
  taskGate: 0x90,
  /** 32-bit code with a base. */
  basedCode32: 0x98,
  readOnly: 0xa0,
  absent: 0xa8,
  /** From here on: random bytes. */
  random: 0xb0,
} as const;
export const GDT_LIMIT = 0xff;
