// The function that packs records (packing.ts says into what), as WebAssembly: what is foretold of a record is compared with it, four words
// at a time, without a branch unless a word is off by much or the surroundings changed. Not its memory's owner (packing.ts).
// WebAssembly core specification 2.0, section 5.4.8 (vector instructions).
// Longer than other files: it is one function, whose parts share their locals.

import { Code, I32, type Local, V128 } from '../machine/wasm/code.ts';
import { ModuleBuilder } from '../machine/wasm/module.ts';
import { KINDS, Kind } from './events.ts';
import { PackerLayout as At, PAGES, ROWS_SHIFT } from './packer-layout.ts';
import { RECORD_BYTES, Word } from './record.ts';

const KIND_MASK = KINDS - 1;
/** Kind 5:0, surroundings changed 6, words off 14:7, low halves alone 15. With no word off that means a run, of as many records as 6:0 say. */
const SURROUNDINGS = 1 << 6;
const OFF_SHIFT = 7;
const SHORT_SHIFT = 15;
const LONGEST_RUN = 0x7f;

const Op = {
  i32Load: 0x28,
  i32Store: 0x36,
  i32Store16: 0x3b,
  f64Load: 0x2b,
  f64Store: 0x39,
  f64FromUnsigned: 0xb8,
  f64Add: 0xa0,
  ne: 0x47,
  equal: 0x46,
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shiftLeft: 0x74,
  shiftRight: 0x76,
  lowestBit: 0x68,
  bits: 0x69,
} as const;
const Simd = {
  load: 0x00,
  store: 0x0b,
  constant: 0x0c,
  shuffle: 0x0d,
  swizzle: 0x0e,
  and: 0x4e,
  or: 0x50,
  xor: 0x51,
  select: 0x52,
  extractLane: 0x1b,
  anyTrue: 0x53,
  loadLane: 0x56,
  notEqual16: 0x2e,
  equal32: 0x37,
  bitmask16: 0x84,
  narrow: 0x85,
  shiftRight: 0xad,
  add: 0xae,
  sub: 0xb1,
} as const;

/** pack(count): packs so many records from the start of the room; answers the bytes that they take at `packed`. */
const packFunction = (): Code => {
  const c = new Code(1);
  const count = 0;
  const [at, out, last, row, kind, eip, off, head, run, other, hash] = Array.from({ length: 11 }, () => c.local(I32)) as [
    Local, Local, Local, Local, Local, Local, Local, Local, Local, Local, Local,
  ]; // prettier-ignore
  const [times, surroundings, first, second, here, offA, offB, short, around, wide] = Array.from({ length: 10 }, () =>
    c.local(V128),
  ) as [Local, Local, Local, Local, Local, Local, Local, Local, Local, Local];
  const load = (address: Local | undefined, offset: number): void => {
    if (address === undefined) c.i32(0);
    else c.localGet(address);
    c.memory(Op.i32Load, 2, offset);
  };
  const simd = (opcode: number): void => c.prefixed(0xfd, opcode);
  const words = (...values: readonly number[]): void => {
    simd(Simd.constant);
    c.append(new Uint8Array(Int32Array.from(values).buffer));
  };
  /** Words of two vectors by number: 0-3 of the first, 4-7 of the second. */
  const shuffle = (...chosen: readonly number[]): void => {
    simd(Simd.shuffle);
    for (const word of chosen) for (let byte = 0; byte < 4; byte++) c.byte(word * 4 + byte);
  };
  const loadVector = (address: Local, offset: number): void => {
    c.localGet(address);
    c.simdMemory(Simd.load, 2, offset);
  };

  c.i32(At.packed);
  c.localSet(out);
  c.i32(At.room);
  c.localTee(at);
  c.localGet(count);
  c.i32(RECORD_BYTES);
  c.op(Op.mul);
  c.op(Op.add);
  c.localSet(last);
  c.i32(0);
  c.simdMemory(Simd.load, 2, At.times);
  c.localSet(times);
  c.i32(0);
  c.simdMemory(Simd.load, 2, At.surroundings);
  c.localSet(surroundings);
  load(undefined, At.row);
  c.localSet(row);
  load(undefined, At.hash);
  c.localSet(hash);
  c.block();
  c.loop();
  {
    c.localGet(at);
    c.localGet(last);
    c.op(Op.equal);
    c.brIf(1);

    load(at, 4 * Word.KIND);
    c.i32(KIND_MASK);
    c.op(Op.and);
    c.localTee(kind);
    c.i32(2);
    c.op(Op.shiftLeft);
    c.localTee(head);
    c.localGet(head);
    c.memory(Op.i32Load, 2, At.counts);
    c.i32(1);
    c.op(Op.add);
    c.memory(Op.i32Store, 2, At.counts);
    c.localGet(kind);
    c.i32(Kind['vmx.entry']);
    c.op(Op.equal);
    c.if();
    c.i32(0);
    c.i32(0);
    c.memory(Op.f64Load, 3, At.cycles);
    load(at, 4 * (Word.OPERAND + 4));
    c.op(Op.f64FromUnsigned);
    c.op(Op.f64Add);
    c.memory(Op.f64Store, 3, At.cycles);
    c.end();

    // EIP, cycles, instruction count, first operand.
    loadVector(at, 0);
    c.localTee(first);
    loadVector(at, 16);
    c.localTee(second);
    shuffle(4, 1, 2, 7);
    c.localTee(here);
    c.localGet(times);
    simd(Simd.sub);
    c.localGet(here);
    words(0, -1, -1, 0);
    simd(Simd.and);
    c.localSet(times);
    c.localSet(here);

    // What was foretold: EIP by the row of the record before, the rest by this one's row.
    load(at, 4 * Word.EIP);
    c.localSet(eip);
    // Whether another kind was foretold.
    load(row, At.kind);
    c.localGet(kind);
    c.op(Op.xor);
    c.localSet(other);
    c.localGet(row);
    c.localGet(kind);
    c.memory(Op.i32Store, 2, At.kind);
    c.localGet(row); // for the store below
    c.localGet(row);
    c.localGet(eip);
    c.localGet(kind);
    c.i32(20);
    c.op(Op.shiftLeft);
    c.op(Op.xor);
    c.i32(0x9e37_79b1);
    c.op(Op.mul);
    c.localTee(off);
    c.localGet(hash);
    c.i32(5);
    c.op(Op.shiftRight);
    c.op(Op.add);
    c.i32(32 - ROWS_SHIFT);
    c.op(Op.shiftRight);
    c.localTee(head);
    c.i32(2);
    c.op(Op.shiftLeft);
    c.localSet(row);
    c.localGet(off);
    c.localSet(hash);
    c.localGet(head);
    c.i32(5);
    c.op(Op.shiftLeft);
    c.localTee(head);
    c.simdMemory(Simd.load, 2, At.rows);
    c.simdMemory(Simd.loadLane, 2, At.eip);
    c.byte(0);
    c.localSet(wide);
    c.localGet(eip);
    c.memory(Op.i32Store, 2, At.eip);
    c.localGet(here);
    c.localGet(wide);
    simd(Simd.sub);
    c.localTee(offA);
    words(0, -1, -1, -1); // the EIP has no step
    simd(Simd.and);
    c.localSet(wide);
    c.localGet(head);
    c.localGet(here);
    c.simdMemory(Simd.store, 2, At.rows);
    step(offA, 0);
    loadVector(at, 32);
    c.localTee(here);
    loadVector(head, At.rows + 16);
    simd(Simd.sub);
    c.localTee(offB);
    c.localSet(wide);
    c.localGet(head);
    c.localGet(here);
    c.simdMemory(Simd.store, 2, At.rows + 16);
    step(offB, 16);

    c.localGet(offA);
    c.localGet(offB);
    simd(Simd.narrow);
    c.localTee(short);
    words(0, 0, 0, 0);
    simd(Simd.notEqual16);
    simd(Simd.bitmask16);
    c.localTee(off);
    c.i32(OFF_SHIFT);
    c.op(Op.shiftLeft);
    c.localGet(off);
    c.i32(0);
    c.op(Op.ne);
    c.i32(SHORT_SHIFT);
    c.op(Op.shiftLeft);
    c.op(Op.or);
    c.localGet(kind);
    c.op(Op.or);
    c.localSet(head);

    // Domain and vCPU, upper halves of the times, CR3, CPL.
    c.localGet(first);
    c.localGet(second);
    shuffle(0, 3, 5, 6);
    words(~KIND_MASK, -1, -1, -1);
    simd(Simd.and);
    c.localTee(around);
    c.localGet(surroundings);
    simd(Simd.xor);
    c.localSet(second);
    const high = (local: Local): void => {
      c.localGet(local);
      words(0x8000, 0x8000, 0x8000, 0x8000);
      simd(Simd.add);
      c.i32(16);
      simd(Simd.shiftRight);
    };
    high(offA);
    high(offB);
    simd(Simd.or);
    c.localTee(wide);
    c.localGet(second);
    simd(Simd.or);
    simd(Simd.anyTrue);
    c.unlikely();
    c.if();
    endRun();
    longer();
    c.else();
    {
      c.localGet(off);
      c.localGet(other);
      c.op(Op.or);
      c.if();
      endRun();
      c.localGet(out);
      c.localGet(head);
      c.memory(Op.i32Store16, 1, 0);
      shortWords();
      c.else();
      c.localGet(run);
      c.i32(1);
      c.op(Op.add);
      c.localTee(run);
      c.i32(LONGEST_RUN);
      c.op(Op.equal);
      c.if();
      endRun();
      c.end();
      c.end();
    }
    c.end();
    c.localGet(at);
    c.i32(RECORD_BYTES);
    c.op(Op.add);
    c.localSet(at);
    c.br(0);
  }
  c.end();
  c.end();
  endRun();
  c.i32(0);
  c.localGet(times);
  c.simdMemory(Simd.store, 2, At.times);
  c.i32(0);
  c.localGet(surroundings);
  c.simdMemory(Simd.store, 2, At.surroundings);
  c.i32(0);
  c.localGet(row);
  c.memory(Op.i32Store, 2, At.row);
  c.i32(0);
  c.localGet(hash);
  c.memory(Op.i32Store, 2, At.hash);
  c.localGet(out);
  c.i32(At.packed);
  c.op(Op.sub);
  return c;

  /** The records of a run, if there are any, become a word. */
  function endRun(): void {
    c.localGet(out);
    c.localGet(run);
    c.i32(1 << SHORT_SHIFT);
    c.op(Op.or);
    c.memory(Op.i32Store16, 1, 0);
    c.localGet(out);
    c.localGet(run);
    c.i32(0);
    c.op(Op.ne);
    c.i32(1);
    c.op(Op.shiftLeft);
    c.op(Op.add);
    c.localSet(out);
    c.i32(0);
    c.localSet(run);
  }

  /** Takes the steps of half a row, at `head`, from what its words changed by (`wide`), and notes the change: that is a step when it comes again. */
  function step(changed: Local, half: number): void {
    c.localGet(changed);
    loadVector(head, At.steps + half);
    c.localTee(short);
    simd(Simd.sub);
    c.localSet(changed);
    c.localGet(head);
    c.localGet(wide);
    c.localGet(short);
    c.localGet(wide);
    loadVector(head, At.changes + half);
    simd(Simd.equal32);
    simd(Simd.select);
    c.simdMemory(Simd.store, 2, At.steps + half);
    c.localGet(head);
    c.localGet(wide);
    c.simdMemory(Simd.store, 2, At.changes + half);
  }

  /** The low halves of the words that are off, behind the head at `out`. */
  function shortWords(): void {
    c.localGet(out);
    c.localGet(short);
    c.localGet(off);
    c.i32(4);
    c.op(Op.shiftLeft);
    c.simdMemory(Simd.load, 2, At.choose);
    simd(Simd.swizzle);
    c.simdMemory(Simd.store, 0, 2);
    c.localGet(off);
    c.op(Op.bits);
    c.i32(1);
    c.op(Op.shiftLeft);
    c.i32(2);
    c.op(Op.add);
    c.localGet(out);
    c.op(Op.add);
    c.localSet(out);
  }

  /** Surroundings that changed, words that are off by more than 16 bits hold. */
  function longer(): void {
    const [said, which, at32] = [eip, kind, count];
    c.localGet(out);
    c.localSet(said);
    c.localGet(second);
    simd(Simd.anyTrue);
    c.if();
    {
      c.i32(0);
      c.localSet(which);
      c.localGet(out);
      c.i32(4);
      c.op(Op.add);
      c.localSet(out);
      for (let word = 0; word < 4; word++) {
        c.localGet(second);
        simd(Simd.extractLane);
        c.byte(word);
        c.if();
        c.localGet(out);
        c.localGet(around);
        simd(Simd.extractLane);
        c.byte(word);
        c.memory(Op.i32Store, 0, 0);
        c.localGet(out);
        c.i32(4);
        c.op(Op.add);
        c.localSet(out);
        c.localGet(which);
        c.i32(1 << word);
        c.op(Op.or);
        c.localSet(which);
        c.end();
      }
      c.localGet(said);
      c.localGet(which);
      c.memory(Op.i32Store16, 1, 2);
      c.localGet(around);
      c.localSet(surroundings);
      c.localGet(head);
      c.i32(SURROUNDINGS);
      c.op(Op.or);
      c.localSet(head);
      // `shortWords` and the loop below write behind a head.
      c.localGet(out);
      c.i32(2);
      c.op(Op.sub);
      c.localSet(out);
    }
    c.end();
    c.localGet(wide);
    simd(Simd.anyTrue);
    c.if();
    {
      c.i32(0);
      c.localGet(offA);
      c.simdMemory(Simd.store, 2, At.off);
      c.i32(0);
      c.localGet(offB);
      c.simdMemory(Simd.store, 2, At.off + 16);
      c.localGet(out);
      c.i32(2);
      c.op(Op.add);
      c.localSet(out);
      c.localGet(head);
      c.i32(~(1 << SHORT_SHIFT));
      c.op(Op.and);
      c.localSet(head);
      c.loop();
      {
        // The lowest word of the set that is left.
        c.localGet(out);
        c.localGet(off);
        c.op(Op.lowestBit);
        c.i32(2);
        c.op(Op.shiftLeft);
        c.localTee(at32);
        c.memory(Op.i32Load, 2, At.off);
        c.memory(Op.i32Store, 0, 0);
        c.localGet(out);
        c.i32(4);
        c.op(Op.add);
        c.localSet(out);
        c.localGet(off);
        c.localGet(off);
        c.i32(1);
        c.op(Op.sub);
        c.op(Op.and);
        c.localTee(off);
        c.brIf(0);
      }
      c.end();
    }
    c.else();
    shortWords();
    c.end();
    c.localGet(said);
    c.localGet(head);
    c.memory(Op.i32Store16, 1, 0);
  }
};

/** A module with one export, `pack`; its memory has PAGES pages. */
export const packerModule = (): Uint8Array<ArrayBuffer> => {
  const builder = new ModuleBuilder(PAGES);
  builder.export('pack', builder.function(builder.type([I32], [I32]), packFunction()));
  return builder.build().slice();
};
