// Iterations of string instructions as WebAssembly functions for the ordinary case: 32-bit addresses in flat segments, elements that lie in pages which
// the TLB lets be accessed directly. Each function does as many as it can and answers how many; at an element that is anything else it stops,
// and its iteration and what follows are the helper's (cpu/strings.ts). Not the registers and flags (string-emitted.ts). SDM vol. 2, MOVS, CMPS, STOS,
// LODS, SCAS.

import { Flag, StateLayout } from '../cpu/state.ts';
import { HOST_OFFSET } from '../cpu/tlb.ts';
import { I32, type Local, type ValueType } from '../wasm/code.ts';
import { FunctionBody, shared, type SharedDescription } from './function-body.ts';
import { type Val, VAL } from './value-emitter.ts';

/** Where `stringLoad`, `stringCompare` and `stringScan` leave the last elements. */
export const FIRST = StateLayout.scratch;
export const SECOND = StateLayout.scratch + 4;

/** From this many bytes on the engine's own copy is faster. */
const BULK = 512;

/** Offsets of the vectors in 64 bytes. */
const VECTORS = [0, 16, 32, 48];

/** A string instruction's function: pointers into linear address space, and what it does to a run of elements inside pages. */
class StringBody extends FunctionBody {
  readonly context: Local;
  /** 1: towards lower addresses. */
  readonly down: Local;

  constructor(parameters: readonly ValueType[]) {
    super(parameters);
    this.context = this.let(this.state(StateLayout.tlb));
    this.down = this.let(this.and(this.state(StateLayout.eflagsRest), this.const(Flag.DF)));
  }
  private depth = 0;
  /** Code in a loop: it is left where it does not go round again. */
  loop(body: (again: () => void) => void): void {
    this.code.loop();
    this.depth++;
    const depth = this.depth;
    body(() => this.code.br(this.depth - depth));
    this.depth--;
    this.code.end();
  }
  override if(condition: Val, then: () => void, otherwise?: () => void): void {
    this.depth++;
    super.if(condition, then, otherwise);
    this.depth--;
  }
  min(a: Local, b: Local): Val {
    return this.select(this.get(a), this.get(b), this.ltU(this.get(a), this.get(b)));
  }
  increase(local: Local, by: Val): void {
    const amount = this.let(by);
    this.set(local, this.add(this.get(local), this.get(amount)));
  }
  /** Does `piece` while there are `step` bytes left. Steps fall by halves from 8 on. */
  pieces(left: Local, step: number, piece: () => void): void {
    const one = (): void => {
      piece();
      this.increase(left, this.const(-step));
    };
    const enough = (): Val => this.geU(this.get(left), this.const(step));
    if (step < 8) this.if(enough(), one);
    else
      this.loop((again) =>
        this.if(enough(), () => {
          one();
          again();
        }),
      );
  }
  /** Does `then` for the size 1 << shift that is in a local. */
  bySize(shift: Local, then: (shift: 0 | 1 | 2) => void): void {
    this.if(
      this.get(shift),
      () =>
        this.if(
          this.and(this.get(shift), this.const(1)),
          () => then(1),
          () => then(2),
        ),
      () => then(0),
    );
  }
  peek(shift: 0 | 1 | 2, at: Local): Val {
    return shift === 0 ? this.peek8(at) : shift === 1 ? this.peek16(at) : this.peek32(at);
  }
  poke(shift: 0 | 1 | 2, at: Local, value: Local): void {
    if (shift === 0) this.poke8(at, value);
    else if (shift === 1) this.poke16(at, value);
    else this.poke32(at, value);
  }
  peekVector(at: Local, offset = 0): Val {
    this.code.localGet(at);
    this.code.simdMemory(0x00, 0, offset);
    return VAL;
  }
  pokeVector(at: Local, vector: Local, offset = 0): void {
    this.code.localGet(at);
    this.code.localGet(vector);
    this.code.simdMemory(0x0b, 0, offset);
  }
  splat(word: Local): Local {
    return this.letVector(this.simd(0x11, this.get(word)));
  }
}

interface Pointer {
  /** Linear address of the next element, advanced by `chunks`. */
  readonly linear: Local;
  readonly write: boolean;
}

/** How a chunk's code ends: with the next chunk, or with the answer, of which its elements are part. */
interface Ways {
  again(): void;
  end(): void;
}

/**
 * Takes up to `count` elements in chunks that lie in one page of each operand. `chunk` gets the number of elements, which it may lessen, and
 * the linear-memory addresses of the first in the order of execution. Answers how many it took.
 */
const chunks = (
  e: StringBody,
  count: Local,
  shift: Local,
  pointers: readonly Pointer[],
  chunk: (n: Local, hosts: readonly Local[], ways: Ways) => void,
): void => {
  const left = e.let(e.get(count));
  const n = e.temporary(I32);
  const stop = (): void => {
    e.sub(e.get(count), e.get(left));
    e.code.return();
  };
  e.loop((again) => {
    e.if(e.eqz(e.get(left)), stop);
    e.set(n, e.get(left));
    const hosts = pointers.map(({ linear, write }) => {
      const inPage = e.let(e.and(e.get(linear), e.const(0xfff)));
      const behind = e.let(e.shrU(e.sub(e.const(0x1000), e.get(inPage)), e.get(shift)));
      const before = e.add(e.shrU(e.get(inPage), e.get(shift)), e.const(1));
      // An element that crosses the page's end lies in no page.
      const room = e.let(e.select(before, e.const(0), e.get(behind)));
      e.set(room, e.select(e.get(room), e.get(behind), e.get(e.down)));
      e.set(n, e.min(n, room));
      const word = e.let(e.tlbWord(e.context, linear, write));
      e.if(e.or(e.notDirect(word), e.eqz(e.get(n))), stop);
      return e.let(e.add(e.add(e.get(word), e.get(linear)), e.const(HOST_OFFSET)));
    });
    const taken = (): void => e.set(left, e.sub(e.get(left), e.get(n)));
    chunk(n, hosts, {
      again: () => {
        taken();
        const bytes = e.let(e.shl(e.get(n), e.get(shift)));
        const by = e.let(e.select(e.sub(e.const(0), e.get(bytes)), e.get(bytes), e.get(e.down)));
        for (const { linear } of pointers) e.increase(linear, e.get(by));
        again();
      },
      end: () => {
        taken();
        stop();
      },
    });
  });
};

// ---- MOVS ---------------------------------------------------------------------------------------------------------------

/** Copies from low to high addresses, `step` bytes at once as long as there are so many left. */
const copyPieces = (e: StringBody, from: Local, to: Local, left: Local, step: 16 | 8 | 4 | 2 | 1): void =>
  e.pieces(left, step, () => {
    if (step === 16) e.pokeVector(to, e.letVector(e.peekVector(from)));
    else if (step === 8) e.poke64(to, e.let64(e.peek64(from)));
    else if (step === 4) e.poke32(to, e.let(e.peek32(from)));
    else if (step === 2) e.poke16(to, e.let(e.peek16(from)));
    else e.poke8(to, e.let(e.peek8(from)));
    for (const local of [from, to]) e.increase(local, e.const(step));
  });
/** One element after the other, in either direction. */
const copyElements = (e: StringBody, from: Local, to: Local, n: Local, shift: Local): void =>
  e.bySize(shift, (size) => {
    const bytes = 1 << size;
    const by = e.let(e.select(e.const(-bytes), e.const(bytes), e.get(e.down)));
    const left = e.let(e.get(n));
    e.loop((again) => {
      e.poke(size, to, e.let(e.peek(size, from)));
      for (const local of [from, to]) e.increase(local, e.get(by));
      e.increase(left, e.const(-1));
      e.if(e.get(left), again);
    });
  });

/** (from, to, count, shift). */
const move = (e: StringBody): void => {
  const [from, to, count, shift] = [0, 1, 2, 3];
  const pointers = [
    { linear: from, write: false },
    { linear: to, write: true },
  ];
  chunks(e, count, shift, pointers, (n, [source, target], { again }) => {
    const bytes = e.let(e.shl(e.get(n), e.get(shift)));
    // How far the target runs ahead: within that, no element is read that an earlier iteration wrote.
    const ahead = e.let(
      e.select(e.sub(e.get(source!), e.get(target!)), e.sub(e.get(target!), e.get(source!)), e.get(e.down)),
    );
    const apart = e.let(e.geU(e.sub(e.get(ahead), e.const(1)), e.sub(e.get(bytes), e.const(1))));
    e.if(e.and(e.get(apart), e.geU(e.get(bytes), e.const(BULK))), () => {
      const below = e.let(e.select(e.sub(e.get(bytes), e.shl(e.const(1), e.get(shift))), e.const(0), e.get(e.down)));
      e.sub(e.get(target!), e.get(below));
      e.sub(e.get(source!), e.get(below));
      e.get(bytes);
      e.code.prefixed(0xfc, 10);
      e.code.byte(0);
      e.code.byte(0);
      again();
    });
    e.if(e.or(e.get(e.down), e.ltU(e.sub(e.get(ahead), e.const(1)), e.const(7))), () => {
      copyElements(e, source!, target!, n, shift);
      again();
    });
    // A target 8 bytes ahead, or one behind, lets 8 bytes go at once as if one after the other.
    e.if(e.geU(e.sub(e.get(ahead), e.const(1)), e.const(15)), () => copyPieces(e, source!, target!, bytes, 16));
    for (const step of [8, 4, 2, 1] as const) copyPieces(e, source!, target!, bytes, step);
    again();
  });
};

// ---- STOS, LODS ---------------------------------------------------------------------------------------------------------

/** A value of the size repeated through a word. */
const repeat = (e: StringBody, value: Local, shift: Local): Local => {
  const word = e.let(e.get(value));
  e.bySize(shift, (size) => {
    if (size === 0) e.set(word, e.mul(e.and(e.get(word), e.const(0xff)), e.const(0x01010101)));
    if (size === 1) e.set(word, e.mul(e.and(e.get(word), e.const(0xffff)), e.const(0x00010001)));
  });
  return word;
};

/** (to, count, shift, value). */
const store = (e: StringBody): void => {
  const [to, count, shift, value] = [0, 1, 2, 3];
  const word = repeat(e, value, shift);
  const vector = e.splat(word);
  const low = e.let64(e.lane(0x1d, 0, e.get(vector)));
  chunks(e, count, shift, [{ linear: to, write: true }], (n, [host], { again }) => {
    const left = e.let(e.shl(e.get(n), e.get(shift)));
    const below = e.let(e.sub(e.get(left), e.shl(e.const(1), e.get(shift))));
    const at = e.let(e.sub(e.get(host!), e.select(e.get(below), e.const(0), e.get(e.down))));
    const pieces = (step: number, piece: () => void): void =>
      e.pieces(left, step, () => {
        piece();
        e.increase(at, e.const(step));
      });
    pieces(64, () => {
      for (const offset of VECTORS) e.pokeVector(at, vector, offset);
    });
    pieces(16, () => e.pokeVector(at, vector));
    pieces(8, () => e.poke64(at, low));
    pieces(4, () => e.poke32(at, word));
    pieces(2, () => e.poke16(at, word));
    pieces(1, () => e.poke8(at, word));
    again();
  });
};

/** (from, count, shift). Of all elements the last remains. */
const load = (e: StringBody): void => {
  const [from, count, shift] = [0, 1, 2];
  chunks(e, count, shift, [{ linear: from, write: false }], (n, [host], { again }) => {
    const bytes = e.let(e.shl(e.sub(e.get(n), e.const(1)), e.get(shift)));
    const last = e.let(e.add(e.get(host!), e.select(e.sub(e.const(0), e.get(bytes)), e.get(bytes), e.get(e.down))));
    e.bySize(shift, (size) => e.store32(FIRST, e.let(e.peek(size, last))));
    again();
  });
};

// ---- CMPS, SCAS ---------------------------------------------------------------------------------------------------------

/** Bits of the lanes of 16 bytes by which elements are told, and how the bits of one element's bytes are put together. */
interface Lanes {
  readonly mask: Local;
  readonly one: Local;
  readonly two: Local;
}
const lanesOf = (e: StringBody, shift: Local): Lanes => {
  const lanes = { mask: e.let(e.const(0xffff)), one: e.let(e.const(0)), two: e.let(e.const(0)) };
  e.if(e.get(shift), () => {
    e.set(lanes.mask, e.select(e.const(0x5555), e.const(0x1111), e.and(e.get(shift), e.const(1))));
    e.set(lanes.one, e.const(1));
    e.set(lanes.two, e.and(e.get(shift), e.const(2)));
  });
  return lanes;
};

/** Compares elements until they are equal (`untilEqual`), or until they are not. `first`: of an element there, or the value that is sought. */
const compareChunks = (
  e: StringBody,
  pointers: readonly Pointer[],
  [count, shift, untilEqual]: readonly [Local, Local, Local],
  sought: Local | undefined,
): void => {
  const lanes = lanesOf(e, shift);
  const flip = e.let(e.select(e.const(0), e.get(lanes.mask), e.get(untilEqual)));
  const flipped = e.splat(e.let(e.sub(e.const(0), e.eqz(e.get(untilEqual)))));
  const x = e.temporary(I32);
  const y = e.temporary(I32);
  const pattern = sought === undefined ? undefined : e.splat(repeat(e, sought, shift));
  if (sought !== undefined)
    e.bySize(shift, (size) => e.set(x, size === 2 ? e.get(sought) : e.truncate(e.get(sought), 8 << size)));
  const bytes = e.let(e.shl(e.const(1), e.get(shift)));
  const by = e.let(e.select(e.sub(e.const(0), e.get(bytes)), e.get(bytes), e.get(e.down)));
  chunks(e, count, shift, pointers, (n, hosts, { again, end }) => {
    const [a, b] = sought === undefined ? hosts : [undefined, hosts[0]];
    const left = e.let(e.get(n));
    const sixteen = e.let(e.shrU(e.const(16), e.get(shift)));
    const both = a === undefined ? [b!] : [a, b!];
    const pass = (bytes: () => Val): void => {
      for (const host of both) e.increase(host, bytes());
      e.set(left, e.sub(e.get(left), e.shrU(bytes(), e.get(shift))));
    };
    // 64 bytes as long as no byte of them can be of an element that ends the search.
    e.loop((more) =>
      e.if(e.and(e.eqz(e.get(e.down)), e.gtU(e.get(left), e.shl(e.get(sixteen), e.const(2)))), () => {
        const ends = VECTORS.map((offset) => {
          const first = pattern === undefined ? e.peekVector(a!, offset) : e.get(pattern);
          const equal = e.simd(0x23, first, e.peekVector(b!, offset));
          return e.simd(0x51, equal, e.get(flipped)); // v128.xor
        }).reduce((one, other) => e.simd(0x50, one, other)); // v128.or
        e.if(e.eqz(e.simd(0x53, ends)), () => {
          pass(() => e.const(64));
          more();
        });
      }),
    );
    // The last element is left to the loop behind, which keeps it. (Only where the search ends does its place hang on what was read.)
    e.loop((more) =>
      e.if(e.and(e.eqz(e.get(e.down)), e.gtU(e.get(left), e.get(sixteen))), () => {
        const first = pattern === undefined ? e.letVector(e.peekVector(a!)) : pattern;
        const second = e.letVector(e.peekVector(b!));
        const equal = e.let(e.simd(0x64, e.simd(0x23, e.get(first), e.get(second))));
        e.set(equal, e.and(e.get(equal), e.shrU(e.get(equal), e.get(lanes.one))));
        e.set(equal, e.and(e.get(equal), e.shrU(e.get(equal), e.get(lanes.two))));
        e.set(equal, e.xor(e.and(e.get(equal), e.get(lanes.mask)), e.get(flip)));
        e.if(
          e.get(equal),
          () => pass(() => e.ctz(e.get(equal))),
          () => {
            pass(() => e.const(16));
            more();
          },
        );
      }),
    );
    e.bySize(shift, (size) =>
      e.loop((more) => {
        if (a !== undefined) e.set(x, e.peek(size, a));
        e.set(y, e.peek(size, b!));
        e.increase(left, e.const(-1));
        for (const host of both) e.increase(host, e.get(by));
        const ends = e.eq(e.eq(e.get(x), e.get(y)), e.get(untilEqual));
        e.if(e.and(e.eqz(ends), e.ne(e.get(left), e.const(0))), more);
      }),
    );
    e.store32(FIRST, x);
    e.store32(SECOND, y);
    e.if(e.eq(e.eq(e.get(x), e.get(y)), e.get(untilEqual)), () => {
      e.set(n, e.sub(e.get(n), e.get(left)));
      end();
    });
    again();
  });
};

/** (first, second, count, shift, until equal). */
const compare = (e: StringBody): void => {
  const [first, second, count, shift, untilEqual] = [0, 1, 2, 3, 4];
  const pointers = [first, second].map((linear) => ({ linear, write: false }));
  compareChunks(e, pointers, [count, shift, untilEqual], undefined);
};
/** (second, count, shift, until equal, sought). */
const scan = (e: StringBody): void => {
  const [second, count, shift, untilEqual, sought] = [0, 1, 2, 3, 4];
  compareChunks(e, [{ linear: second, write: false }], [count, shift, untilEqual], sought);
};

const string = (parameters: number, emit: (e: StringBody) => void): SharedDescription =>
  shared(StringBody, new Array<typeof I32>(parameters).fill(I32), emit);
/** All return the number of iterations done. */
export const STRING_FUNCTIONS = {
  stringMove: string(4, move),
  stringStore: string(4, store),
  stringLoad: string(3, load),
  stringCompare: string(5, compare),
  stringScan: string(5, scan),
} as const;
