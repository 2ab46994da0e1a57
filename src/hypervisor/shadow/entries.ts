// The bits of page-table entries, 32-bit and PAE, as guest tables and shadow tables both have them.
// Not the walk (walker.ts) and not what a shadow entry is made of (propagate.ts). SDM vol. 3, 4.3 and 4.4.

/** Low word of an entry at any level. */
export const Pte = {
  P: 1,
  RW: 2,
  US: 4,
  A: 0x20,
  D: 0x40,
  /** In a directory entry: maps a superpage. */
  PS: 0x80,
  G: 0x100,
} as const;
/** Page-fault error code (4.7), also used as the description of an access. */
export const PageFault = { P: 1, W: 2, U: 4, RSVD: 8 } as const;

/**
 * Reserved bits for a physical-address width of 32 and no execute-disable, which is what the processor models report (CPUID
 * 80000001h and 80000008h): no PSE-36 bits in a 4 MiB entry, nothing in the high word of a PAE entry.
 */
export const RESERVED_PDE_4M = 0x003f_e000;
export const RESERVED_PDE_2M = 0x001f_e000;
/** A PDPTE (4.4.1): bits 2:1 and 8:5 of the low word, and the whole high word. */
export const RESERVED_PDPTE_LOW = 0x0000_01e6;
