// Shifts and rotates. A count of zero (after masking to five bits) changes no flag. SDM vol. 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD.

import type { Local } from '../wasm/code.ts';
import type { Emitter } from './emitter.ts';
import { row, type Row, type Semantics } from './row.ts';

type Shift = (e: Emitter, a: Local, count: Local) => Local;

/** destination = shift(destination, operand 1 & 31), skipped as a whole when the count is 0 (the memory operand is still checked for writing). */
const shift =
  (f: Shift): Semantics =>
  (e) => {
    const count = e.let(e.and(e.read(1), e.const(31)));
    e.modify(0, (a) => {
      const r = e.let(e.get(a));
      e.if(e.get(count), () => e.set(r, e.get(f(e, a, count))));
      return r;
    });
  };
const bit = (e: Emitter, value: Local, n: number): Local => e.let(e.and(e.shrU(e.get(value), e.const(n)), e.const(1)));

const left: Shift = (e, a, count) => {
  const r = e.let(e.shl(e.get(a), e.get(count)));
  const cf =
    e.size === 32 ? e.let(e.and(e.shrU(e.get(a), e.sub(e.const(32), e.get(count))), e.const(1))) : bit(e, r, e.size);
  const of = e.let(e.xor(e.get(cf), e.get(bit(e, r, e.size - 1))));
  e.flagsResultCarryOverflow(r, cf, of);
  return r;
};
const right: Shift = (e, a, count) => {
  const r = e.let(e.shrU(e.get(a), e.get(count)));
  const cf = e.let(e.and(e.shrU(e.get(a), e.sub(e.get(count), e.const(1))), e.const(1)));
  const of = bit(e, a, e.size - 1);
  e.flagsResultCarryOverflow(r, cf, of);
  return r;
};
const rightSigned: Shift = (e, a, count) => {
  const wide = e.let(e.signed(e.get(a), e.size));
  const r = e.let(e.shrS(e.get(wide), e.get(count)));
  const cf = e.let(e.and(e.shrS(e.get(wide), e.sub(e.get(count), e.const(1))), e.const(1)));
  const of = e.let(e.const(0));
  e.flagsResultCarryOverflow(r, cf, of);
  return r;
};
const rotateLeft: Shift = (e, a, count) => {
  const r =
    e.size === 32
      ? e.let(e.rotl(e.get(a), e.get(count)))
      : (() => {
          const n = e.let(e.and(e.get(count), e.const(e.size - 1)));
          return e.let(e.or(e.shl(e.get(a), e.get(n)), e.shrU(e.get(a), e.sub(e.const(e.size), e.get(n)))));
        })();
  const cf = e.let(e.and(e.get(r), e.const(1)));
  const of = e.let(e.xor(e.get(cf), e.get(bit(e, r, e.size - 1))));
  e.flagsCarryOverflow(cf, of);
  return r;
};
const rotateRight: Shift = (e, a, count) => {
  const r =
    e.size === 32
      ? e.let(e.rotr(e.get(a), e.get(count)))
      : (() => {
          const n = e.let(e.and(e.get(count), e.const(e.size - 1)));
          return e.let(e.or(e.shrU(e.get(a), e.get(n)), e.shl(e.get(a), e.sub(e.const(e.size), e.get(n)))));
        })();
  const cf = bit(e, r, e.size - 1);
  const of = e.let(e.xor(e.get(cf), e.get(bit(e, r, e.size - 2))));
  e.flagsCarryOverflow(cf, of);
  return r;
};
/** The operand with CF as bit `size`, rotated as a (size + 1)-bit quantity inside 64 bits. */
const rotateThroughCarry =
  (toLeft: boolean): Shift =>
  (e, a, count) => {
    const width = e.size + 1;
    const n = e.size === 32 ? count : e.let(e.remU(e.get(count), e.const(width)));
    const amount = e.let64(e.extendU64(toLeft ? e.get(n) : e.sub(e.const(width), e.get(n))));
    const value = e.let64(e.or64(e.extendU64(e.get(a)), e.shl64(e.extendU64(e.carry()), e.const64(BigInt(e.size)))));
    const turned = e.let64(
      e.or64(
        e.shl64(e.get(value), e.get(amount)),
        e.shrU64(e.get(value), e.sub64(e.const64(BigInt(width)), e.get(amount))),
      ),
    );
    const r = e.let(e.truncate(e.wrap(e.get(turned)), e.size));
    const cf = e.let(e.wrap(e.and64(e.shrU64(e.get(turned), e.const64(BigInt(e.size))), e.const64(1n))));
    const top = bit(e, r, e.size - 1);
    const of = toLeft ? e.let(e.xor(e.get(cf), e.get(top))) : e.let(e.xor(e.get(top), e.get(bit(e, r, e.size - 2))));
    e.flagsCarryOverflow(cf, of);
    return r;
  };

/** SHLD and SHRD: operand 1 supplies the bits, operand 2 the count. With 16 bits a count above 16 shifts in the destination again. */
const doubleShift =
  (toLeft: boolean): Semantics =>
  (e) => {
    const source = e.let(e.read(1));
    const count = e.let(e.and(e.read(2), e.const(31)));
    e.modify(0, (a) => {
      const r = e.let(e.get(a));
      e.if(e.get(count), () => {
        const n = e.let64(e.extendU64(e.get(count)));
        const size = BigInt(e.size);
        const join = (high: Local, low: Local): Local =>
          e.let64(e.or64(e.shl64(e.extendU64(e.get(high)), e.const64(size)), e.extendU64(e.get(low))));
        let cf: Local;
        if (toLeft) {
          const pair = join(a, source);
          const wide =
            e.size === 32 ? pair : e.let64(e.or64(e.shl64(e.get(pair), e.const64(16n)), e.extendU64(e.get(a))));
          const total = e.size === 32 ? 64n : 48n;
          e.set(r, e.wrap(e.shrU64(e.shl64(e.get(wide), e.get(n)), e.const64(total - size))));
          cf = e.let(e.wrap(e.and64(e.shrU64(e.get(wide), e.sub64(e.const64(total), e.get(n))), e.const64(1n))));
        } else {
          const pair = join(source, a);
          const wide =
            e.size === 32 ? pair : e.let64(e.or64(e.get(pair), e.shl64(e.extendU64(e.get(a)), e.const64(32n))));
          e.set(r, e.wrap(e.shrU64(e.get(wide), e.get(n))));
          cf = e.let(e.wrap(e.and64(e.shrU64(e.get(wide), e.sub64(e.get(n), e.const64(1n))), e.const64(1n))));
        }
        const of = e.let(e.xor(e.get(bit(e, r, e.size - 1)), e.get(bit(e, a, e.size - 1))));
        e.flagsResultCarryOverflow(r, cf, of);
      });
      return r;
    });
  };

const group = (mnemonic: string, digit: number, semantics: Semantics): Row[] => [
  ...row(mnemonic, `c0 /${digit}`, 'Eb Ib', semantics),
  ...row(mnemonic, `c1 /${digit}`, 'Ev Ib', semantics),
  ...row(mnemonic, `d0 /${digit}`, 'Eb 1', semantics),
  ...row(mnemonic, `d1 /${digit}`, 'Ev 1', semantics),
  ...row(mnemonic, `d2 /${digit}`, 'Eb CL', semantics),
  ...row(mnemonic, `d3 /${digit}`, 'Ev CL', semantics),
];

export const shiftRows: readonly Row[] = [
  ...group('rol', 0, shift(rotateLeft)),
  ...group('ror', 1, shift(rotateRight)),
  ...group('rcl', 2, shift(rotateThroughCarry(true))),
  ...group('rcr', 3, shift(rotateThroughCarry(false))),
  ...group('shl', 4, shift(left)),
  ...group('shr', 5, shift(right)),
  ...group('sal', 6, shift(left)),
  ...group('sar', 7, shift(rightSigned)),
  ...row('shld', '0f a4 /r', 'Ev Gv Ib', doubleShift(true)),
  ...row('shld', '0f a5 /r', 'Ev Gv CL', doubleShift(true)),
  ...row('shrd', '0f ac /r', 'Ev Gv Ib', doubleShift(false)),
  ...row('shrd', '0f ad /r', 'Ev Gv CL', doubleShift(false)),
];
