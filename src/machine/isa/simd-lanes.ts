// MMX and SSE/SSE2 integer instructions that work on lanes, and the bitwise ones: arithmetic, comparison, packing, interleaving, shifts; on
// WebAssembly's 128-bit vectors. Not moves and shuffles (simd-moves.ts), nor floating-point arithmetic (sse-float-rows.ts). SDM vol. 2.

import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import { row, type Row, type Semantics } from './row.ts';
import { identityBytes, MMX, mmx, range, source, SSE } from './simd-common.ts';

type VectorOp = (e: Emitter, a: Local, b: Local, wide: boolean) => Val;
const opcode =
  (code: number): VectorOp =>
  (e, a, b) =>
    e.simd(code, e.get(a), e.get(b));

/** destination = f(destination, source) for the MMX and the XMM form of one opcode. */
const both = (mnemonic: string, op: string, f: VectorOp, mmxSource: 4 | 8 = 8): Row[] => [
  ...row(
    mnemonic,
    `NP 0f ${op} /r`,
    mmxSource === 4 ? 'Pq Qd' : 'Pq Qq',
    mmx((e) => {
      const b = e.letVector(e.readVector(1, mmxSource));
      const a = e.letVector(e.readVector(0));
      const r = e.letVector(f(e, a, b, false));
      return () => e.writeVector(0, r);
    }),
    MMX,
  ),
  ...xmm(mnemonic, `P66 0f ${op} /r`, f),
];
const xmm = (mnemonic: string, encoding: string, f: VectorOp): Row[] =>
  row(
    mnemonic,
    encoding,
    'Vx Wx',
    (e) => {
      const b = source(e);
      const a = e.letVector(e.readVector(0));
      e.writeVector(0, e.letVector(f(e, a, b, true)));
    },
    SSE,
  );

/** Interleaves lanes of `size` bytes from the low or high half of the operand width. */
const unpack =
  (size: number, high: boolean): VectorOp =>
  (e, a, b, wide) => {
    const width = wide ? 16 : 8;
    const first = high ? width / 2 : 0;
    const lanes = range(16, (i) => {
      const k = i % width;
      const lane = Math.floor(k / (2 * size));
      const within = k % size;
      return first + lane * size + within + (Math.floor(k / size) % 2 === 1 ? 16 : 0);
    });
    return e.shuffle(e.get(a), e.get(b), lanes);
  };
/** Saturating narrowing: the low half of the result from the destination, the high half from the source. */
const pack =
  (code: number): VectorOp =>
  (e, a, b, wide) => {
    if (wide) return e.simd(code, e.get(a), e.get(b));
    const joined = e.letVector(
      e.shuffle(
        e.get(a),
        e.get(b),
        range(16, (i) => (i < 8 ? i : i + 8)),
      ),
    );
    return e.simd(code, e.get(joined), e.get(joined));
  };
const HIGH_WORDS = range(16, (i) => (i >> 1) * 4 + 2 + (i & 1));
const multiplyHigh =
  (low: number, high: number): VectorOp =>
  (e, a, b) =>
    e.shuffle(e.simd(low, e.get(a), e.get(b)), e.simd(high, e.get(a), e.get(b)), HIGH_WORDS);
const multiplyEven: VectorOp = (e, a, b) => {
  const even = range(16, (i) => (i < 4 ? i : i < 8 ? i + 4 : i - 8));
  return e.simd(0xde, e.shuffle(e.get(a), e.get(a), even), e.shuffle(e.get(b), e.get(b), even));
};
const sumOfDifferences: VectorOp = (e, a, b) => {
  const difference = e.simd(0x71, e.simd(0x79, e.get(a), e.get(b)), e.simd(0x77, e.get(a), e.get(b)));
  const sums = e.letVector(e.simd(0x7f, e.simd(0x7d, difference)));
  // Two 32-bit sums a half: add them.
  const total = e.simd(0xce, e.get(sums), e.simd(0xcd, e.get(sums), e.const(32)));
  return e.simd(0x4e, total, e.simd(0x12, e.const64(0xffffffffn)));
};
const andNot: VectorOp = (e, a, b) => e.simd(0x4f, e.get(b), e.get(a));

/** Shift of all lanes by a count; a count of the lane width or more gives zeros, or the sign for arithmetic shifts. */
const shiftLanes = (e: Emitter, code: number, bits: number, signed: boolean, value: Local, count: Local): Val => {
  if (signed) {
    const n = e.let(e.select(e.get(count), e.const(bits - 1), e.ltU(e.get(count), e.const(bits))));
    return e.simd(code, e.get(value), e.get(n));
  }
  const shifted = e.letVector(e.simd(code, e.get(value), e.get(count)));
  const keep = e.let(e.sub(e.const(0), e.ltU(e.get(count), e.const(bits))));
  return e.simd(0x4e, e.get(shifted), e.simd(0x11, e.get(keep)));
};
/** Counts are 64-bit: anything above 255 counts as 255. */
const countOf = (e: Emitter, vector: Local): Local => {
  const wide = e.let64(e.lane(0x1d, 0, e.get(vector)));
  return e.let(e.select(e.const(255), e.wrap(e.get(wide)), e.gtU64(e.get(wide), e.const64(255n))));
};
const shiftFamily = (
  mnemonic: string,
  op: string,
  group: string,
  digit: number,
  code: number,
  bits: number,
  signed = false,
): Row[] => [
  ...both(mnemonic, op, (e, a, b) => shiftLanes(e, code, bits, signed, a, countOf(e, b))),
  ...row(
    mnemonic,
    `NP 0f ${group} /${digit}`,
    'Nq Ib',
    mmx((e) => {
      const a = e.letVector(e.readVector(0));
      const count = e.let(e.and(e.read(1), e.const(255)));
      const r = e.letVector(shiftLanes(e, code, bits, signed, a, count));
      return () => e.writeVector(0, r);
    }),
    MMX,
  ),
  ...row(
    mnemonic,
    `P66 0f ${group} /${digit}`,
    'Ux Ib',
    (e) => {
      const a = e.letVector(e.readVector(0));
      const count = e.let(e.and(e.read(1), e.const(255)));
      e.writeVector(0, e.letVector(shiftLanes(e, code, bits, signed, a, count)));
    },
    SSE,
  ),
];
/** PSLLDQ, PSRLDQ: a swizzle whose indices move by the count; indices outside 0..15 give zero. */
const shiftBytes =
  (left: boolean): Semantics =>
  (e) => {
    const a = e.letVector(e.readVector(0));
    const limited = e.let(e.and(e.read(1), e.const(255)));
    const count = e.let(e.select(e.get(limited), e.const(16), e.ltU(e.get(limited), e.const(16))));
    const identity = identityBytes(e);
    const moved = e.simd(left ? 0x71 : 0x6e, identity, e.simd(0x0f, e.get(count)));
    const indices = e.letVector(moved);
    e.writeVector(0, e.letVector(e.simd(0x0e, e.get(a), e.get(indices))));
  };

// prettier-ignore
const lanes: readonly (readonly [string, string, number])[] = [
  ['paddb', 'fc', 0x6e], ['paddw', 'fd', 0x8e], ['paddd', 'fe', 0xae], ['paddq', 'd4', 0xce],
  ['psubb', 'f8', 0x71], ['psubw', 'f9', 0x91], ['psubd', 'fa', 0xb1], ['psubq', 'fb', 0xd1],
  ['paddsb', 'ec', 0x6f], ['paddsw', 'ed', 0x8f], ['paddusb', 'dc', 0x70], ['paddusw', 'dd', 0x90],
  ['psubsb', 'e8', 0x72], ['psubsw', 'e9', 0x92], ['psubusb', 'd8', 0x73], ['psubusw', 'd9', 0x93],
  ['pcmpeqb', '74', 0x23], ['pcmpeqw', '75', 0x2d], ['pcmpeqd', '76', 0x37],
  ['pcmpgtb', '64', 0x27], ['pcmpgtw', '65', 0x31], ['pcmpgtd', '66', 0x3b],
  ['pand', 'db', 0x4e], ['por', 'eb', 0x50], ['pxor', 'ef', 0x51],
  ['pminub', 'da', 0x77], ['pmaxub', 'de', 0x79], ['pminsw', 'ea', 0x96], ['pmaxsw', 'ee', 0x98],
  ['pavgb', 'e0', 0x7b], ['pavgw', 'e3', 0x9b], ['pmullw', 'd5', 0x95], ['pmaddwd', 'f5', 0xba],
];

export const simdLaneRows: readonly Row[] = [
  ...lanes.flatMap(([mnemonic, op, code]) => both(mnemonic, op, opcode(code))),
  ...both('pandn', 'df', andNot),
  ...both('pmulhw', 'e5', multiplyHigh(0xbc, 0xbd)),
  ...both('pmulhuw', 'e4', multiplyHigh(0xbe, 0xbf)),
  ...both('pmuludq', 'f4', multiplyEven),
  ...both('psadbw', 'f6', sumOfDifferences),
  ...both('packsswb', '63', pack(0x65)),
  ...both('packuswb', '67', pack(0x66)),
  ...both('packssdw', '6b', pack(0x85)),
  ...both('punpcklbw', '60', unpack(1, false), 4),
  ...both('punpcklwd', '61', unpack(2, false), 4),
  ...both('punpckldq', '62', unpack(4, false), 4),
  ...xmm('punpcklqdq', 'P66 0f 6c /r', unpack(8, false)),
  ...both('punpckhbw', '68', unpack(1, true)),
  ...both('punpckhwd', '69', unpack(2, true)),
  ...both('punpckhdq', '6a', unpack(4, true)),
  ...xmm('punpckhqdq', 'P66 0f 6d /r', unpack(8, true)),
  ...xmm('unpcklps', 'NP 0f 14 /r', unpack(4, false)),
  ...xmm('unpcklpd', 'P66 0f 14 /r', unpack(8, false)),
  ...xmm('unpckhps', 'NP 0f 15 /r', unpack(4, true)),
  ...xmm('unpckhpd', 'P66 0f 15 /r', unpack(8, true)),
  ...xmm('andps', 'NP 0f 54 /r', opcode(0x4e)),
  ...xmm('andpd', 'P66 0f 54 /r', opcode(0x4e)),
  ...xmm('andnps', 'NP 0f 55 /r', andNot),
  ...xmm('andnpd', 'P66 0f 55 /r', andNot),
  ...xmm('orps', 'NP 0f 56 /r', opcode(0x50)),
  ...xmm('orpd', 'P66 0f 56 /r', opcode(0x50)),
  ...xmm('xorps', 'NP 0f 57 /r', opcode(0x51)),
  ...xmm('xorpd', 'P66 0f 57 /r', opcode(0x51)),
  ...shiftFamily('psrlw', 'd1', '71', 2, 0x8d, 16),
  ...shiftFamily('psraw', 'e1', '71', 4, 0x8c, 16, true),
  ...shiftFamily('psllw', 'f1', '71', 6, 0x8b, 16),
  ...shiftFamily('psrld', 'd2', '72', 2, 0xad, 32),
  ...shiftFamily('psrad', 'e2', '72', 4, 0xac, 32, true),
  ...shiftFamily('pslld', 'f2', '72', 6, 0xab, 32),
  ...shiftFamily('psrlq', 'd3', '73', 2, 0xcd, 64),
  ...shiftFamily('psllq', 'f3', '73', 6, 0xcb, 64),
  ...row('psrldq', 'P66 0f 73 /3', 'Ux Ib', shiftBytes(false), SSE),
  ...row('pslldq', 'P66 0f 73 /7', 'Ux Ib', shiftBytes(true), SSE),
];
