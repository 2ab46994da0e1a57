// One event in memory and in files: twelve 32-bit words, 48 bytes, little-endian. Not what the operands mean (events.ts) and not
// where records are kept (ring.ts, store.ts). What a guest gets from observe_op (struct kansoku_record of kansoku.h) differs in
// words 1, 3 and 6 only: the sequence number is filled in for the cycles (observe-op.ts).
//
//   0  kind 15:0, domain 23:16, vCPU 31:24
//   1  cycles 31:0                            emulated host cycles: the guest's clock plus what the hypervisor's work cost
//   2  instruction count 31:0                 guest instructions retired since the machine started
//   3  instruction count 47:32 in 15:0, cycles 47:32 in 31:16
//   4  EIP     5  CR3
//   6  CPL 1:0, CONTINUED bit 2 (the next record belongs to this one), cycles 52:48 in 31:27
//   7..11  operands
//
// There is no sequence number: a record's is the position in the stream, which every container (batch, file, hypercall) gives
// for its first record. Sequence numbers have no gaps; what was lost is said by a mon.lost record in its place.

export const RECORD_WORDS = 12;
export const RECORD_BYTES = RECORD_WORDS * 4;
export const OPERANDS = 5;

/** Word numbers. */
export const Word = {
  KIND: 0,
  CYCLES: 1,
  ICOUNT: 2,
  HIGH: 3,
  EIP: 4,
  CR3: 5,
  CONTEXT: 6,
  OPERAND: 7,
} as const;

export const CONTEXT_CPL = 3;
export const CONTEXT_CONTINUED = 4;

const TWO_32 = 0x1_0000_0000;

/** Readers: `at` is the word index of the record's first word. */
export const kindAt = (words: Uint32Array, at: number): number => words[at]! & 0xffff;
export const domainAt = (words: Uint32Array, at: number): number => (words[at]! >>> 16) & 0xff;
export const vcpuAt = (words: Uint32Array, at: number): number => words[at]! >>> 24;
/** Guest instructions retired, below 2^48. */
export const icountAt = (words: Uint32Array, at: number): number => (words[at + 3]! & 0xffff) * TWO_32 + words[at + 2]!;
/** Emulated host cycles, below 2^53. */
export const cyclesAt = (words: Uint32Array, at: number): number =>
  ((words[at + 6]! >>> 27) * 0x1_0000 + (words[at + 3]! >>> 16)) * TWO_32 + words[at + 1]!;
export const cplAt = (words: Uint32Array, at: number): number => words[at + 6]! & CONTEXT_CPL;
export const continuedAt = (words: Uint32Array, at: number): boolean => (words[at + 6]! & CONTEXT_CONTINUED) !== 0;
export const eipAt = (words: Uint32Array, at: number): number => words[at + 4]!;
export const cr3At = (words: Uint32Array, at: number): number => words[at + 5]!;
/** Operand 0-4, unsigned. */
export const operandAt = (words: Uint32Array, at: number, index: number): number => words[at + Word.OPERAND + index]!;

/** Word 3, and the upper part of word 6, from the halves above 2^32 of instruction count and cycles. */
export const highWordOf = (icountHigh: number, cyclesHigh: number): number =>
  (icountHigh & 0xffff) | ((cyclesHigh & 0xffff) << 16);
export const highContextOf = (cyclesHigh: number): number => (cyclesHigh >>> 16) << 27;

/** Writes words 0-6. `icount` and `cycles` are whole, not negative; cycles below 2^53, icount below 2^48. */
export const writeHeader = (
  words: Uint32Array,
  at: number,
  kind: number,
  domain: number,
  vcpu: number,
  icount: number,
  cycles: number,
  eip: number,
  cr3: number,
  context: number,
): void => {
  const cyclesHigh = Math.floor(cycles / TWO_32);
  words[at] = kind | (domain << 16) | (vcpu << 24);
  words[at + 1] = cycles;
  words[at + 2] = icount;
  words[at + 3] = highWordOf(Math.floor(icount / TWO_32), cyclesHigh);
  words[at + 4] = eip;
  words[at + 5] = cr3;
  words[at + 6] = context | highContextOf(cyclesHigh);
};
