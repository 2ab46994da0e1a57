// Random instructions: rows of the instruction table, encoded with random operands, sizes and prefixes, and short idioms that random rows
// would hardly ever form (loops, stores into the code, loads of segment and control registers). Not the programs made of them (scene.ts).

import { rows } from '../../src/machine/isa/table.ts';
import type { OperandSpec, Row } from '../../src/machine/isa/row.ts';
import { Place, Selector } from './layout.ts';
import type { Random } from './random.ts';

export interface CodeContext {
  readonly code32: boolean;
  /** Offsets that memory operands like: data, stack, code, page ends, tables. */
  readonly targets: readonly number[];
  /** CR3 values that map something. */
  readonly roots: readonly number[];
  readonly ring0: boolean;
}

const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);

/** Mnemonics first, so that a mnemonic with many encodings is not picked more often. */
const byMnemonic: (readonly Row[])[] = [...new Set(rows.map((row) => row.mnemonic))].map((mnemonic) =>
  rows.filter((row) => row.mnemonic === mnemonic),
);
const emitted = rows.filter((row) => row.semantics !== undefined && row.unit === 'integer');
const STRINGS = /^(movs|cmps|stos|lods|scas|ins|outs)/;

/** An address that hits something: one of the targets, a little beside it. */
const address = (r: Random, c: CodeContext): number =>
  (r.chance(85) ? r.pick(c.targets) + r.between(-8, 24) : r.interesting()) >>> 0;

/** ModRM, SIB and displacement of a memory operand. */
const memoryOperand = (r: Random, c: CodeContext, reg: number, wide: boolean): number[] => {
  const low = (reg & 7) << 3;
  if (!wide) {
    if (r.chance(60)) return [low | 6, ...little(address(r, c), 2)];
    const rm = r.below(8);
    return r.chance(50) ? [0x40 | low | rm, r.below(256)] : [0x80 | low | rm, ...little(address(r, c), 2)];
  }
  switch (r.below(10)) {
    case 0:
      return [0x44 | low, r.below(256), r.below(128)];
    case 1:
      return [0x84 | low, r.below(256), ...little(address(r, c), 4)];
    case 2: {
      const rm = r.pick([0, 1, 2, 3, 6, 7]);
      return [low | rm];
    }
    case 3:
    case 4: {
      const rm = r.pick([0, 1, 2, 3, 5, 6, 7]);
      return [0x40 | low | rm, r.below(256)];
    }
    case 5:
      return [low | 4, (r.below(4) << 6) | (r.below(8) << 3) | 5, ...little(address(r, c), 4)];
    default:
      return [low | 5, ...little(address(r, c), 4)];
  }
};

const operandBits = (spec: OperandSpec, operandSize: number): number => (spec.bits > 0 ? spec.bits : operandSize);

/** Bytes of an immediate or a branch displacement. */
const immediate = (r: Random, spec: OperandSpec, operandSize: number): number[] => {
  const bytes = spec.kind === 'Is' ? 1 : operandBits(spec, operandSize) / 8;
  if (spec.kind === 'J') return little(r.between(-60, 60), bytes);
  return little(r.interesting(), bytes);
};

/** One encoding of a row. */
export const encode = (r: Random, row: Row, c: CodeContext): number[] => {
  const normal = c.code32 ? 32 : 16;
  let size: number = row.onlySize !== 0 ? row.onlySize : r.chance(20) ? 48 - normal : normal;
  if (row.prefix === 0 || row.prefix === 0xf2 || row.prefix === 0xf3) size = row.onlySize || normal;
  if (row.prefix === 0x66) size = 48 - normal;
  const wide = r.chance(10) ? !c.code32 : c.code32;
  const prefixes: number[] = [];
  if (size !== normal) prefixes.push(0x66);
  if (row.prefix > 0 && row.prefix !== 0x66) prefixes.push(row.prefix);
  if (wide !== c.code32) prefixes.push(0x67);
  if (r.chance(8)) prefixes.push(r.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
  if (row.prefix === -1 && r.chance(STRINGS.test(row.mnemonic) ? 50 : 2)) prefixes.push(r.pick([0xf2, 0xf3]));
  if (r.chance(row.lockable ? 20 : 1)) prefixes.push(0xf0);
  const bytes: number[] = [];
  while (prefixes.length > 0) bytes.push(...prefixes.splice(r.below(prefixes.length), 1));
  if (row.map > 0) bytes.push(0x0f);
  if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
  bytes.push(row.opcode);
  if (row.fixedModrm >= 0) bytes.push(row.fixedModrm);
  else if (row.modrm) {
    const kinds = row.operands.map((o) => o.kind);
    const register = row.operands.some((o) => o.kind === 'R' || o.kind === 'U' || (o.kind === 'N' && o.bits === 64));
    const memory = kinds.includes('M');
    const reg = row.digit >= 0 ? row.digit : kinds.includes('S') ? r.below(r.chance(95) ? 6 : 8) : r.below(8);
    const systemMove = row.map === 1 && row.opcode >= 0x20 && row.opcode <= 0x23;
    if (systemMove || register || (!memory && r.chance(45))) bytes.push(0xc0 | (reg << 3) | r.below(8));
    else bytes.push(...memoryOperand(r, c, reg, wide));
  }
  for (const spec of row.operands) {
    if (spec.kind === 'I' || spec.kind === 'Is' || spec.kind === 'J') bytes.push(...immediate(r, spec, size));
    else if (spec.kind === 'O') bytes.push(...little(address(r, c), wide ? 4 : 2));
    else if (spec.kind === 'A') bytes.push(...little(address(r, c), size / 8), ...little(selector(r), 2));
  }
  return bytes;
};

const selector = (r: Random): number =>
  r.chance(85) ? r.pick(Object.values(Selector)) | (r.chance(30) ? 3 : 0) : r.below(0x10000);

/** MOV r, imm of the code's own size. */
const load = (c: CodeContext, register: number, value: number): number[] => [
  0xb8 | register,
  ...little(value, c.code32 ? 4 : 2),
];

/** Short sequences that mean something. */
const idioms: readonly ((r: Random, c: CodeContext) => number[])[] = [
  // A pointer for the memory operands to come.
  (r, c) => load(c, r.pick([3, 5, 6, 7]), address(r, c)),
  (r, c) => load(c, r.pick([3, 5, 6, 7]), address(r, c)),
  // A count for what follows.
  (r, c) => load(c, 1, r.below(80)),
  // REP string operation with a count, on good pointers.
  (r, c) => [
    ...load(c, 1, r.below(150)),
    ...load(c, 6, address(r, c)),
    ...load(c, 7, address(r, c)),
    ...(r.chance(20) ? [r.pick([0xfc, 0xfd])] : []),
    r.pick([0xf2, 0xf3]),
    r.pick([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf]),
  ],
  // Stores into the code.
  (r, c) => {
    const to = c.targets[0]! + r.below(256);
    return c.code32 ? [0xc6, 0x05, ...little(to, 4), r.below(256)] : [0xc6, 0x06, ...little(to, 2), r.below(256)];
  },
  (r, c) => {
    const to = c.targets[0]! + r.below(256);
    return c.code32 ? [0x2e, 0xa3, ...little(to, 4)] : [0x2e, 0xa3, ...little(to, 2)];
  },
  // LOOP, Jcc and JMP near here.
  (r) => [r.pick([0xe0, 0xe1, 0xe2, 0xe3, 0xeb, 0x70 | r.below(16)]), r.between(-50, 30) & 0xff],
  // CALL near, RET, PUSH and POP.
  (r, c) => [0xe8, ...little(r.between(-60, 60), c.code32 ? 4 : 2)],
  (r) => [r.pick([0xc3, 0x50 | r.below(8), 0x58 | r.below(8), 0x60, 0x61, 0x9c, 0x9d, 0x06, 0x1e, 0x16])],
  // A segment register gets a plausible selector.
  (r, c) => [...load(c, 0, selector(r)), 0x8e, 0xc0 | (r.pick([0, 2, 3, 4, 5]) << 3)],
  // EFLAGS: DF, IF, TF, NT, AC, ID.
  (r, c) =>
    c.code32
      ? [0x68, ...little((r.u32() & 0x240ed7) | (r.chance(20) ? 0x100 : 0), 4), 0x9d]
      : [0x68, ...little((r.u32() & 0x4ed7) | (r.chance(20) ? 0x100 : 0), 2), 0x9d],
  (r) => [r.pick([0xf8, 0xf9, 0xfa, 0xfb, 0xfb, 0xfc, 0xfd, 0xf5])],
  // INT n, INT3, INTO, INT1.
  (r) => (r.chance(70) ? [0xcd, r.below(256)] : [r.pick([0xcc, 0xce, 0xf1])]),
  // Far transfers to known descriptors.
  (r, c) => [r.pick([0xea, 0x9a]), ...little(address(r, c), c.code32 ? 4 : 2), ...little(selector(r), 2)],
  (r) => [r.pick([0xcb, 0xcf, 0xcf])],
  // Control registers.
  (r, c) =>
    c.ring0
      ? [0x0f, 0x20, 0xc0, 0x0f, 0xba, r.pick([0xe8, 0xf0]), r.pick([1, 2, 3, 5, 16, 16, 18, 30, 31]), 0x0f, 0x22, 0xc0]
      : [0x0f, 0x22, 0xc0],
  (r, c) => (c.ring0 ? [0x66, 0xb8, ...little(r.pick(c.roots), c.code32 ? 2 : 4), 0x0f, 0x22, 0xd8] : [0x0f, 0x20, 0xd8]),
  (r) => [0x0f, 0x20, 0xe0, 0x0f, 0xba, r.pick([0xe8, 0xf0]), r.pick([2, 4, 5, 7, 8, 9, 10]), 0x0f, 0x22, 0xe0],
  (r, c) => (c.code32 ? [0x0f, 0x01, 0x3d, ...little(address(r, c), 4)] : [0x0f, 0x01, 0x3e, ...little(address(r, c), 2)]),
  () => [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
  () => [0x0f, 0x06],
  // Debug registers: an address and DR7.
  (r, c) => [...load(c, 0, address(r, c)), 0x0f, 0x23, 0xc0 | (r.below(4) << 3)],
  (r, c) => [...load(c, 0, r.u32() & 0xffff23ff), 0x0f, 0x23, 0xf8],
  // MSRs: the time-stamp counter, SYSENTER's, PAT, the counters', VMX's capabilities, and neighbours that do not exist.
  (r, c) => [
    ...load(c, 1, r.pick([0x10, 0x174, 0x175, 0x176, 0x277, r.between(0, 0x200), r.between(0x480, 0x492)])),
    0x0f, r.pick([0x30, 0x32, 0x32, 0x33]),
  ],
  (r) => [0x0f, r.pick([0x34, 0x35, 0xa2, 0x31, 0x08, 0x09])],
  // Ports of the PC.
  (r, c) => [
    ...load(c, 2, r.pick([0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0xa0, 0xa1, 0x3d4, 0x3d5, 0x3f8, 0x3f9, 0x3fb, 0xcf8])),
    r.pick([0xec, 0xed, 0xee, 0xef]),
  ],
  // VMX instructions on the prepared regions.
  (r, c) =>
    r.chance(50)
      ? [0x0f, 0x01, r.pick([0xc1, 0xc2, 0xc3, 0xc4])]
      : [0x0f, r.pick([0x78, 0x79]), 0xc0 | r.below(64)].concat(c.code32 ? [] : [0x90]),
  (r, c) => {
    const at = r.pick([Place.data, Place.data + 8, Place.data + 16]);
    const operand = c.code32 ? [0x35, ...little(at, 4)] : [0x36, ...little(at, 2)];
    return [...r.pick([[], [0x66], [0xf3]]), 0x0f, 0xc7, ...operand];
  },
  // A HLT that an interrupt can end.
  () => [0xfb, 0xf4],
]; // prettier-ignore

export const randomInstruction = (r: Random, c: CodeContext): number[] => {
  const kind = r.below(100);
  if (kind < 45) return encode(r, r.pick(emitted), c);
  if (kind < 70) return encode(r, r.pick(r.pick(byMnemonic)), c);
  if (kind < 98) return r.pick(idioms)(r, c);
  return r.bytes(r.between(1, 4));
};
