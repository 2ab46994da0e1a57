// Data transfer: MOV, MOVZX, MOVSX, XCHG, LEA, CMOVcc, BSWAP, CBW family, PUSH, POP, PUSHA, ENTER, LEAVE, XLAT, LAHF, SAHF, flag bits.
// Not segment loads (system rows). SDM vol. 2, instruction pages.

import { enter as enterInGeneral } from '../cpu/enter.ts';
import { Access, EAX, EBP, EDX, ESP, SEGMENT_STRIDE, SegmentField, SS, StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter } from './emitter.ts';
import { CONDITION_SUFFIXES } from './logic.ts';
import { guarded, row, type Row, type Semantics } from './row.ts';

const move: Semantics = (e) => e.write(0, e.let(e.read(1)));
const moveZeroExtended: Semantics = (e) => e.write(0, e.let(e.read(1)));
const moveSignExtended: Semantics = (e) => e.write(0, e.let(e.signed(e.read(1), e.operandSize(1))));

const exchange: Semantics = (e) => {
  if (e.isMemory(0)) {
    const b = e.let(e.read(1));
    let old: Local = b;
    e.modify(0, (a) => {
      old = a;
      return b;
    });
    e.write(1, old);
    return;
  }
  const a = e.let(e.read(0));
  const b = e.let(e.read(1));
  e.write(0, b);
  e.write(1, a);
};
const loadEffectiveAddress: Semantics = (e) => e.write(0, e.let(e.offset()));
/** The source is read (and may fault) whatever the condition. */
const moveIf =
  (cc: number): Semantics =>
  (e) => {
    const source = e.let(e.read(1));
    const old = e.let(e.read(0));
    e.write(0, e.let(e.select(e.get(source), e.get(old), e.condition(cc))));
  };
const byteSwap: Semantics = (e) => {
  const a = e.let(e.read(0));
  if (e.size === 16) {
    // Undefined by the SDM; processors give zero.
    e.write(0, e.let(e.const(0)));
    return;
  }
  const r = e.let(
    e.or(
      e.and(e.rotl(e.get(a), e.const(8)), e.const(0x00ff00ff)),
      e.and(e.rotr(e.get(a), e.const(8)), e.const(0xff00ff00 | 0)),
    ),
  );
  e.write(0, r);
};
/** CBW, CWDE. */
const signExtendAccumulator: Semantics = (e) => {
  const half = e.size === 32 ? 16 : 8;
  const r = e.let(e.signed(e.reg(EAX, half), half));
  e.setReg(EAX, e.size, r);
};
/** CWD, CDQ. */
const signIntoData: Semantics = (e) => {
  const r = e.let(e.shrS(e.signed(e.reg(EAX, e.size), e.size), e.const(31)));
  e.setReg(EDX, e.size, r);
};

const wide = (e: Emitter): 16 | 32 => (e.size === 16 ? 16 : 32);

const push: Semantics = (e) => {
  const value = e.let(e.read(0));
  e.push(value, wide(e));
};
/** The stack is read before the destination is looked at. */
const popPrologue: Semantics = (e) => void e.peek(wide(e));
/** A memory destination's address uses ESP as it is after the increment (SDM POP): the entry writer adds the size to the displacement. */
const pop: Semantics = (e) => {
  const value = e.peek(wide(e));
  if (e.isMemory(0)) {
    e.write(0, value);
    e.addStack(wide(e) / 8);
  } else {
    e.addStack(wide(e) / 8);
    e.write(0, value);
  }
};
const pushSegment =
  (segment: number): Semantics =>
  (e) => {
    const value = e.let(e.state(StateLayout.segments + segment * 32));
    e.push(value, wide(e));
  };
const pushAll: Semantics = (e) => {
  const size = wide(e);
  const bytes = size / 8;
  for (let r = 0; r < 8; r++) e.pokeStack(e.let(e.reg(r, size)), size, (r + 1) * bytes);
  e.addStack(-8 * bytes);
};
const popAll: Semantics = (e) => {
  const size = wide(e);
  const values: Local[] = [];
  for (let i = 0; i < 8; i++) values.push(e.peek(size, (i * size) / 8));
  for (let i = 0; i < 8; i++) if (7 - i !== ESP) e.setReg(7 - i, size, values[i]!);
  e.addStack(size);
};
/** ESP = EBP, then EBP is popped; the read comes first so that a fault changes nothing. */
const leave: Semantics = (e) => {
  const size = wide(e);
  const frame = e.let(e.reg(EBP, 32));
  const value = e.peek(size, 0, frame);
  e.setStack(e.let(e.add(e.get(frame), e.const(size / 8))));
  e.setReg(EBP, size, value);
};

/**
 * Without nested frame pointers, and where the TLB says that the new top of stack may be written (SDM: a check before anything changes). A 16-bit stack
 * moves SP alone: the frame pointer has the upper half of ESP as it was.
 */
const enter: Semantics = (e) => {
  const size = wide(e);
  const bytes = size / 8;
  const slot = StateLayout.segments + SS * SEGMENT_STRIDE;
  const esp = e.let(e.reg(ESP, 32));
  const frame = e.let(e.sub(e.get(esp), e.const(bytes)));
  const top = e.let(e.sub(e.get(frame), e.truncate(e.read(0), 16)));
  let linear = top;
  e.orHelper(e.eqz(e.and(e.secondImmediate(), e.const(31))));
  if (!e.flatStack) {
    const wide32 = e.let(e.and(e.state(slot + SegmentField.access), e.const(Access.DB)));
    const mask = e.let(e.select(e.const(-1), e.const(0xffff), e.get(wide32)));
    e.set(frame, e.or(e.and(e.get(frame), e.get(mask)), e.and(e.get(esp), e.xor(e.get(mask), e.const(-1)))));
    const offset = e.let(e.and(e.get(top), e.get(mask)));
    e.orHelper(e.ltU(e.get(offset), e.state(slot + SegmentField.writeLimit)));
    linear = e.let(e.add(e.get(offset), e.state(slot + SegmentField.base)));
  }
  e.orHelper(e.cachedHost(linear, bytes, true));
  const old = e.let(e.reg(EBP, size));
  e.pokeStack(old, size, bytes);
  e.setReg(EBP, size, frame);
  e.setStack(top);
};

const loadFlags: Semantics = (e) => {
  const r = e.let(
    e.or(
      e.or(e.or(e.carry(), e.const(2)), e.or(e.shl(e.condition(10), e.const(2)), e.shl(e.adjust(), e.const(4)))),
      e.or(e.shl(e.condition(4), e.const(6)), e.shl(e.condition(8), e.const(7))),
    ),
  );
  e.setReg(4, 8, r);
};
const storeFlags: Semantics = (e) => e.flagsFromImage(e.let(e.reg(4, 8)));
const carryBit =
  (value: 0 | 1): Semantics =>
  (e) =>
    e.flagsCarry(e.let(e.const(value)));
const complementCarry: Semantics = (e) => e.flagsCarry(e.let(e.eqz(e.carry())));
const directionBit =
  (value: 0 | 1): Semantics =>
  (e) => {
    const rest = e.let(
      value === 1
        ? e.or(e.state(StateLayout.eflagsRest), e.const(0x400))
        : e.and(e.state(StateLayout.eflagsRest), e.const(~0x400)),
    );
    e.setState(StateLayout.eflagsRest, rest);
  };
const setAlOnCarry: Semantics = (e) => {
  const r = e.let(e.sub(e.const(0), e.carry()));
  e.setReg(0, 8, r);
};
const translate: Semantics = (e) => e.write(0, e.let(e.read(1)));
const nothing: Semantics = () => undefined;

const hex = (n: number): string => n.toString(16).padStart(2, '0');
const stackSized = { stack: true, sized: true } as const;
/** By number. */
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;

export const transferRows: readonly Row[] = [
  ...row('mov', '88 /r', 'Eb Gb', move),
  ...row('mov', '89 /r', 'Ev Gv', move),
  ...row('mov', '8a /r', 'Gb Eb', move),
  ...row('mov', '8b /r', 'Gv Ev', move),
  ...row('mov', 'a0', 'AL Ob', move),
  ...row('mov', 'a1', 'rAX Ov', move),
  ...row('mov', 'a2', 'Ob AL', move),
  ...row('mov', 'a3', 'Ov rAX', move),
  ...row('mov', 'b0 +r', 'Zb Ib', move),
  ...row('mov', 'b8 +r', 'Zv Iv', move),
  ...row('mov', 'c6 /0', 'Eb Ib', move),
  ...row('mov', 'c7 /0', 'Ev Iz', move),
  ...row('movzx', '0f b6 /r', 'Gv Eb', moveZeroExtended, { att: 'movzbw|movzbl' }),
  ...row('movzx', '0f b7 /r', 'Gv Ew', moveZeroExtended, { att: 'movzww|movzwl' }),
  ...row('movsx', '0f be /r', 'Gv Eb', moveSignExtended, { att: 'movsbw|movsbl' }),
  ...row('movsx', '0f bf /r', 'Gv Ew', moveSignExtended, { att: 'movsww|movswl' }),
  ...row('xchg', '86 /r', 'Eb Gb', exchange, { lock: true }),
  ...row('xchg', '87 /r', 'Ev Gv', exchange, { lock: true }),
  ...row('nop', '90', '', nothing, { names: '^nop', att: '^nop' }),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((r) => row('xchg', hex(0x90 + r), 'Zv rAX', exchange)),
  ...row('lea', '8d /r', 'Gv M', loadEffectiveAddress),
  ...CONDITION_SUFFIXES.flatMap((suffix, cc) => row(`cmov${suffix}`, `0f ${hex(0x40 + cc)} /r`, 'Gv Ev', moveIf(cc))),
  ...row('bswap', '0f c8 +r', 'Zv', byteSwap),
  ...row('cbw', '98', '', signExtendAccumulator, { sized: true, names: 'cbw|cwde', att: 'cbtw|cwtl' }),
  ...row('cwd', '99', '', signIntoData, { sized: true, names: 'cwd|cdq', att: 'cwtd|cltd' }),
  ...row('push', '50 +r', 'Zv', push, { stack: true }),
  ...row('push', '68', 'Iv', push, { stack: true, names: 'push~', att: 'push~' }),
  ...row('push', '6a', 'Isv', push, { stack: true, names: 'push~', att: 'push~' }),
  ...row('push', 'ff /6', 'Ev', push, { stack: true }),
  ...row('pop', '58 +r', 'Zv', pop, { stack: true }),
  ...row('pop', '8f /0', 'Ev', pop, { stack: true, prologue: popPrologue }),
  ...['06', '0e', '16', '1e', '0f a0', '0f a8'].flatMap((op, s) =>
    row('push', op, '', pushSegment(s), { ...stackSized, shows: SEGMENTS[s]!, names: 'push~', att: 'push~' }),
  ),
  ...row('pusha', '60', '', pushAll, { ...stackSized, names: 'pusha|pushad', att: 'pusha~' }),
  ...row('popa', '61', '', popAll, { ...stackSized, names: 'popa|popad', att: 'popa~' }),
  ...row('leave', 'c9', '', leave, { ...stackSized, names: 'leave~', att: 'leave~' }),
  ...guarded('enter', 'c8', 'Iw Ib', enter, enterInGeneral, { ...stackSized, names: 'enter~', att: '=enter~' }),
  ...row('lahf', '9f', '', loadFlags),
  ...row('sahf', '9e', '', storeFlags),
  ...row('clc', 'f8', '', carryBit(0)),
  ...row('stc', 'f9', '', carryBit(1)),
  ...row('cmc', 'f5', '', complementCarry),
  ...row('cld', 'fc', '', directionBit(0)),
  ...row('std', 'fd', '', directionBit(1)),
  ...row('salc', 'd6', '', setAlOnCarry),
  ...row('xlat', 'd7', 'AL Xb', translate, { names: 'xlatb', shows: 'Xb' }),
  ...['prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2'].flatMap((name, hint) =>
    row(name, `0f 18 /${hint}`, 'Hb', nothing),
  ),
  // Hint NOPs: the ModRM is decoded, memory not accessed. 0F 0D is AMD's PREFETCH, and on Intel's processors before PREFETCHW one of them.
  ...[0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x0d].flatMap((op) =>
    row('nop', `0f ${hex(op)} /r`, 'Nv', nothing, { shows: 'Ev' }),
  ),
];
