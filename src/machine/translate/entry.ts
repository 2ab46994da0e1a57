// A decoded instruction as the threaded tier executes it: 32 bytes in linear memory. Not the decoder. One instruction is one entry,
// or two where its address needs segment checks (an address entry, then the operation).

export const ENTRY_SIZE = 32;

/** Byte offsets inside an entry. */
export const Entry = {
  /** Table slot of the function that executes it. */
  fn: 0,
  /** Linear-memory addresses (u16) of operand registers: ModRM.rm or opcode register; ModRM.reg. `r1`: a second immediate. */
  r0: 4,
  r1: 6,
  /** Addresses (u16) of base and index register; `StateLayout.zero` if there is none. */
  base: 8,
  index: 10,
  /** Shift count of the index (u8), instruction length (u8). */
  scale: 12,
  length: 13,
  /** Instructions of the block before this one (u16): what retires when it faults. */
  done: 14,
  /** Immediate; at the head of a block: how often it is still to run before a region is formed. */
  imm: 16,
  /** Displacement; at the head of a block: its instructions. */
  disp: 20,
  /** Jump entries: the decoded target, 0 not yet linked, -1 looked up each time. Rows with a helper: index of their Operands. */
  target: 24,
  eip: 28,
} as const;

/** Why translated code returned to the run loop (StateLayout.exitKind). */
export const ExitKind = {
  /** EIP has no known entry in the jump cache. */
  lookup: 0,
  /** A jump inside the page is not linked yet: `exitEntry` is the jump. */
  link: 1,
  /** The budget is used up at a block boundary. */
  budget: 2,
  /** A helper must execute `exitEntry`: only where none may be called (emulation for the hypervisor). */
  helper: 3,
  /** A fault is in the mailbox; EIP is the faulting instruction. */
  fault: 4,
  /** A block of limited length ended. */
  stop: 5,
  /** A block's head counted down to zero: a region is worth forming. `exitEntry` is the head. */
  hot: 6,
  /** A helper has executed an instruction, or a fault was delivered, and the run loop does what follows (cpu/helper-calls.ts). */
  helped: 7,
  /** A debugger's stop point lies before the instruction at EIP; `exitEntry + ENTRY_SIZE` executes it. */
  point: 8,
} as const;

/** Longest block, in instructions. A run needs at least this much budget to enter a block, so that none is overrun. */
export const MAX_BLOCK = 64;

/** Executions of a block before a region is formed at its head. */
export const HOT = 48;

/** Jump cache: lines of 16 bytes, and what they hold at which offset. `translation`: TLB word of the EIP's page. */
export const JUMP_LINES = 16384;
export const JumpLine = { eip: 0, tag: 4, entry: 8, translation: 12 } as const;
