// The x87 and SSE state of a case: into the processor, and compared with what is expected, exactly or within the tolerance that the
// architecture leaves to approximations. SDM vol. 1, 8.1 (x87 state), 10.2 (XMM, MXCSR), 8.3.10 and 10.4.1.1 (accuracy).

import { type CpuState, StateLayout } from '../../machine/cpu/state.ts';
import { UserError } from '../../workers/session.ts';
import { type Case, type FpuImage, hexOf, putHex } from './format.ts';

const SLOT = 16;
const FIRST = StateLayout.fpuRegisters;
const END = StateLayout.mxcsr + 4;
/** Condition code 1 of the status word: with an inexact result, the direction of rounding. */
const C1 = 0x200;
const TOP_SHIFT = 11;
const EMPTY = 3;
const FNINIT = { cw: 0x37f, sw: 0, tw: 0xffff } as const;
const RESET_MXCSR = 0x1f80;

/** The words of the state that lie between FIRST and END, in the processor or in a copy with the same addresses. */
interface Words {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
}

const setFpu = ({ u8, u32 }: Words, fpu: FpuImage | undefined): void => {
  const { cw, sw, tw } = fpu ?? FNINIT;
  const top = (sw >> TOP_SHIFT) & 7;
  u32[StateLayout.fpuControl >> 2] = cw;
  u32[StateLayout.fpuStatus >> 2] = sw & ~(7 << TOP_SHIFT);
  u32[StateLayout.fpuTop >> 2] = top;
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((tw >> (2 * i)) & 3) !== EMPTY) tags |= 1 << i;
  u32[StateLayout.fpuTags >> 2] = tags;
  for (let i = FIRST >> 2; i < (FIRST + 8 * SLOT) >> 2; i++) u32[i] = 0;
  if (fpu !== undefined)
    for (let i = 0; i < 8; i++)
      if (putHex(fpu.st[i] ?? '', u8, FIRST + ((top + i) & 7) * SLOT) !== 10)
        throw new UserError('has x87 registers of other than ten bytes');
};
const setXmm = ({ u8, u32 }: Words, xmm: readonly string[] | undefined): void => {
  if (xmm === undefined) for (let i = StateLayout.xmm >> 2; i < (StateLayout.xmm + 8 * SLOT) >> 2; i++) u32[i] = 0;
  else
    for (let i = 0; i < 8; i++)
      if (putHex(xmm[i] ?? '', u8, StateLayout.xmm + i * SLOT) !== 16)
        throw new UserError('has XMM registers of other than sixteen bytes');
};

/** Value class of the two-bit tag word (SDM vol. 1, 8.1.7): 0 valid, 1 zero, 2 special. */
const tagOf = (u8: Uint8Array, at: number): number => {
  const exponent = u8[at + 8]! | ((u8[at + 9]! & 0x7f) << 8);
  if (exponent === 0x7fff) return 2;
  if (exponent !== 0) return u8[at + 7]! & 0x80 ? 0 : 2;
  for (let i = 0; i < 8; i++) if (u8[at + i] !== 0) return 2;
  return 1;
};

/** Extended values as one integer that counts representable numbers: neighbours differ by one. */
const ordinal = (bytes: Uint8Array): bigint => {
  let magnitude = BigInt(bytes[8]! | ((bytes[9]! & 0x7f) << 8));
  // Without the integer bit, so that the binades follow each other.
  magnitude = (magnitude << 7n) | BigInt(bytes[7]! & 0x7f);
  for (let i = 6; i >= 0; i--) magnitude = (magnitude << 8n) | BigInt(bytes[i]!);
  return bytes[9]! & 0x80 ? -magnitude : magnitude;
};
const withinUlp = (a: Uint8Array, b: Uint8Array): boolean => {
  const difference = ordinal(a) - ordinal(b);
  return difference >= -1n && difference <= 1n;
};
/** RCPPS and RSQRTPS: relative error of 1.5 * 2^-12 (SDM vol. 2). */
const nearSingles = (a: Uint8Array, b: Uint8Array): boolean => {
  const x = new DataView(a.buffer, a.byteOffset);
  const y = new DataView(b.buffer, b.byteOffset);
  for (let i = 0; i < 16; i += 4) {
    if (x.getInt32(i, true) === y.getInt32(i, true)) continue;
    const wanted = y.getFloat32(i, true);
    if (!(Math.abs(x.getFloat32(i, true) - wanted) <= 1.5 * 2 ** -12 * Math.abs(wanted))) return false;
  }
  return true;
};

const same = (a: Uint8Array, b: Uint8Array, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return false;
  return true;
};

export class FloatRegisters {
  private readonly wanted: Words;

  /** @param approximate compare results within the architecture's tolerance */
  constructor(
    private readonly s: CpuState,
    private readonly approximate: boolean,
  ) {
    const buffer = new ArrayBuffer(END);
    this.wanted = { u8: new Uint8Array(buffer), u32: new Uint32Array(buffer) };
  }

  prepare({ in: image }: Case): void {
    setFpu(this.s, image.fpu);
    setXmm(this.s, image.xmm);
    this.s.set(StateLayout.mxcsr, image.mxcsr ?? RESET_MXCSR);
    for (let i = FIRST >> 2; i < END >> 2; i++) this.wanted.u32[i] = this.s.u32[i]!;
  }

  /** Undefined, or what is not as the case expects it. */
  compare({ out, swMask }: Case): string | undefined {
    const { wanted } = this;
    if (out.fpu !== undefined) setFpu(wanted, out.fpu);
    if (out.xmm !== undefined) setXmm(wanted, out.xmm);
    if (out.mxcsr !== undefined) wanted.u32[StateLayout.mxcsr >> 2] = out.mxcsr;
    return this.compareFpu(out.fpu, swMask ?? 0xffff) ?? this.compareXmm();
  }

  private compareFpu(given: FpuImage | undefined, swMask: number): string | undefined {
    const actual = this.s;
    const { u8, u32 } = this.wanted;
    const differs = (what: string, value: number, want: number): string =>
      `fpu ${what} ${value.toString(16)}, expected ${want.toString(16)}`;
    const word = (address: number): number => u32[address >> 2]!;
    const cw = actual.get(StateLayout.fpuControl) & 0xffff;
    if (cw !== word(StateLayout.fpuControl)) return differs('cw', cw, word(StateLayout.fpuControl));
    const top = actual.get(StateLayout.fpuTop);
    // The direction of rounding goes with the last bits.
    const mask = this.approximate ? swMask & ~C1 : swMask;
    const sw = (actual.get(StateLayout.fpuStatus) | (top << TOP_SHIFT)) & mask;
    const wantedSw = (word(StateLayout.fpuStatus) | (word(StateLayout.fpuTop) << TOP_SHIFT)) & mask;
    if (sw !== wantedSw) return differs('sw', sw, wantedSw);
    if (given !== undefined && this.tagWord() !== given.tw) return differs('tw', this.tagWord(), given.tw);
    if (actual.get(StateLayout.fpuTags) !== word(StateLayout.fpuTags))
      return differs('tags', actual.get(StateLayout.fpuTags), word(StateLayout.fpuTags));
    for (let i = 0; i < 8; i++) {
      const at = FIRST + ((top + i) & 7) * SLOT;
      if (same(actual.u8, u8, at, at + 10)) continue;
      const have = actual.u8.subarray(at, at + 10);
      const want = u8.subarray(at, at + 10);
      if (!(this.approximate && withinUlp(have, want))) return `st${i} ${hexOf(have)}, expected ${hexOf(want)}`;
    }
    return undefined;
  }
  /** The tag word as FSAVE makes it from the contents. */
  private tagWord(): number {
    const tags = this.s.get(StateLayout.fpuTags);
    let tw = 0;
    for (let i = 0; i < 8; i++) tw |= (tags & (1 << i) ? tagOf(this.s.u8, FIRST + i * SLOT) : EMPTY) << (2 * i);
    return tw;
  }

  private compareXmm(): string | undefined {
    const { u8, u32 } = this.wanted;
    for (let at: number = StateLayout.xmm; at < StateLayout.xmm + 8 * SLOT; at += SLOT) {
      if (same(this.s.u8, u8, at, at + SLOT)) continue;
      const have = this.s.u8.subarray(at, at + SLOT);
      const want = u8.subarray(at, at + SLOT);
      if (!(this.approximate && nearSingles(have, want)))
        return `xmm${(at - StateLayout.xmm) / SLOT} ${hexOf(have)}, expected ${hexOf(want)}`;
    }
    const mxcsr = this.s.get(StateLayout.mxcsr);
    const wanted = u32[StateLayout.mxcsr >> 2]!;
    return mxcsr === wanted ? undefined : `mxcsr ${mxcsr.toString(16)}, expected ${wanted.toString(16)}`;
  }
}
