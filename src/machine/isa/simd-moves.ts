// MMX and SSE to SSE3 instructions that move without computing: moves, shuffles by an immediate, inserted and extracted words, sign masks,
// EMMS. Interleaving and packing are lane instructions (simd-lanes.ts). SDM vol. 2.

import { StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import { row, type Row, type Semantics } from './row.ts';
import { aligned, identityBytes, MMX, mmx, range, source, SSE } from './simd-common.ts';
import { x87Prologue } from './x87-emitted.ts';

/** Four 2-bit selectors of an immediate applied to 4 lanes of `bytes` each, starting at byte `first`; other bytes stay. */
const selectLanes = (e: Emitter, value: Local, bytes: 2 | 4, first: number): Val => {
  const imm = e.let(e.read(2));
  const pattern = bytes === 4 ? 0x03020100 : 0x0100;
  const step = bytes === 4 ? 0x04040404 : 0x0202;
  const base = bytes === 4 ? 0 : first * 0x0101;
  let indices = e.letVector(identityBytes(e));
  for (let i = 0; i < 4; i++) {
    const selector = e.let(
      e.add(e.mul(e.and(e.shrU(e.get(imm), e.const(2 * i)), e.const(3)), e.const(step)), e.const(pattern + base)),
    );
    indices = e.letVector(
      e.lane(bytes === 4 ? 0x1c : 0x1a, bytes === 4 ? i : first / 2 + i, e.get(indices), e.get(selector)),
    );
  }
  return e.simd(0x0e, e.get(value), e.get(indices));
};
const shuffleLanes =
  (bytes: 2 | 4, first: number): Semantics =>
  (e) => {
    const b = source(e);
    e.writeVector(0, e.letVector(selectLanes(e, b, bytes, first)));
  };

/** A 16-bit lane chosen at run time goes through the scratch words. */
const extractWord = (e: Emitter, vector: Local, mask: number): Val => {
  const at = e.let(e.shl(e.and(e.read(2), e.const(mask)), e.const(1)));
  e.storeScratch(vector);
  return e.loadScratch16(at);
};
const insertWord = (e: Emitter, vector: Local, word: Local, mask: number): Val => {
  const at = e.let(e.shl(e.and(e.read(2), e.const(mask)), e.const(1)));
  e.storeScratch(vector);
  e.storeScratch16(at, word);
  return e.loadScratch();
};

/** A move between vectors of `bytes`; `check`: memory must be 16-byte aligned. A load of fewer than 16 bytes clears the rest. */
const moveVector =
  (bytes: 4 | 8 | 16, check: boolean): Semantics =>
  (e) => {
    const memory = e.isMemory(0) ? 0 : 1;
    if (check) aligned(e, memory);
    const value = e.letVector(e.readVector(1, bytes));
    // Loading from memory writes the whole register; register to register and stores write only the part.
    e.writeVector(0, value, e.isMemory(1) && !e.isMemory(0) ? 16 : bytes);
  };
const loadZeroExtended =
  (bytes: 4 | 8): Semantics =>
  (e) =>
    e.writeVector(0, e.letVector(e.readVector(1, bytes)), 16);
/** MOVLPS, MOVHPS and their register forms: 8 bytes from one half to one half. */
const moveHalf =
  (toHigh: boolean, fromHigh: boolean): Semantics =>
  (e) => {
    const b = e.letVector(e.isMemory(1) ? e.readVector(1, 8) : e.readVector(1, 16));
    const a = e.letVector(e.readVector(0, 16));
    const from = e.isMemory(1) ? 16 : fromHigh ? 24 : 16;
    e.writeVector(
      0,
      e.letVector(
        e.shuffle(
          e.get(a),
          e.get(b),
          range(16, (i) => (i >= 8 === toHigh ? from + (i & 7) : i)),
        ),
      ),
      16,
    );
  };
const storeHalf =
  (high: boolean): Semantics =>
  (e) => {
    const b = e.letVector(e.readVector(1, 16));
    const half = high
      ? e.letVector(
          e.shuffle(
            e.get(b),
            e.get(b),
            range(16, (i) => 8 + (i & 7)),
          ),
        )
      : b;
    e.writeVector(0, half, 8);
  };
/** MOVSLDUP (0), MOVSHDUP (4): the even or the odd singles twice. */
const duplicateSingles =
  (first: 0 | 4): Semantics =>
  (e) => {
    const b = source(e);
    const lanes = range(16, (i) => (i & 8) + first + (i & 3));
    e.writeVector(0, e.letVector(e.shuffle(e.get(b), e.get(b), lanes)));
  };
const movddup: Semantics = (e) => {
  const b = e.letVector(e.readVector(1, 8));
  const low = range(16, (i) => i & 7);
  e.writeVector(0, e.letVector(e.shuffle(e.get(b), e.get(b), low)));
};
const shufflePs: Semantics = (e) => {
  const b = source(e);
  const a = e.letVector(e.readVector(0));
  const low = e.letVector(selectLanes(e, a, 4, 0));
  const high = e.letVector(selectLanes(e, b, 4, 0));
  e.writeVector(
    0,
    e.letVector(
      e.shuffle(
        e.get(low),
        e.get(high),
        range(16, (i) => (i < 8 ? i : 16 + i)),
      ),
    ),
  );
};
const shufflePd: Semantics = (e) => {
  const b = source(e);
  const a = e.letVector(e.readVector(0));
  const imm = e.let(e.read(2));
  const pick = (vector: Local, bit: number): Local =>
    e.let64(e.select(e.lane(0x1d, 1, e.get(vector)), e.lane(0x1d, 0, e.get(vector)), e.and(e.get(imm), e.const(bit))));
  const low = pick(a, 1);
  const high = pick(b, 2);
  e.writeVector(0, e.letVector(e.lane(0x1e, 1, e.simd(0x12, e.get(low)), e.get(high))));
};

export const simdMoveRows: readonly Row[] = [
  ...row('pshufd', 'P66 0f 70 /r', 'Vx Wx Ib', shuffleLanes(4, 0), SSE),
  ...row('pshuflw', 'PF2 0f 70 /r', 'Vx Wx Ib', shuffleLanes(2, 0), SSE),
  ...row('pshufhw', 'PF3 0f 70 /r', 'Vx Wx Ib', shuffleLanes(2, 8), SSE),
  ...row(
    'pshufw',
    'NP 0f 70 /r',
    'Pq Qq Ib',
    mmx((e) => {
      const b = e.letVector(e.readVector(1));
      const r = e.letVector(selectLanes(e, b, 2, 0));
      return () => e.writeVector(0, r);
    }),
    MMX,
  ),
  ...row('movddup', 'PF2 0f 12 /r', 'Vx Wq', movddup, SSE),
  ...row('movsldup', 'PF3 0f 12 /r', 'Vx Wx', duplicateSingles(0), SSE),
  ...row('movshdup', 'PF3 0f 16 /r', 'Vx Wx', duplicateSingles(4), SSE),
  ...row('lddqu', 'PF2 0f f0 /r', 'Vx Mx', (e) => e.writeVector(0, e.letVector(e.readVector(1))), SSE),
  ...row('shufps', 'NP 0f c6 /r', 'Vx Wx Ib', shufflePs, SSE),
  ...row('shufpd', 'P66 0f c6 /r', 'Vx Wx Ib', shufflePd, SSE),
  ...row(
    'pmovmskb',
    'NP 0f d7 /r',
    'Gd Nq',
    mmx((e) => {
      const r = e.let(e.and(e.simd(0x64, e.readVector(1)), e.const(0xff)));
      return () => e.write(0, r);
    }),
    MMX,
  ),
  ...row('pmovmskb', 'P66 0f d7 /r', 'Gd Ux', (e) => e.write(0, e.let(e.simd(0x64, e.readVector(1)))), SSE),
  ...row('movmskps', 'NP 0f 50 /r', 'Gd Ux', (e) => e.write(0, e.let(e.simd(0xa4, e.readVector(1)))), SSE),
  ...row('movmskpd', 'P66 0f 50 /r', 'Gd Ux', (e) => e.write(0, e.let(e.simd(0xc4, e.readVector(1)))), SSE),
  ...row(
    'pextrw',
    'NP 0f c5 /r',
    'Gd Nq Ib',
    mmx((e) => {
      const r = e.let(extractWord(e, e.letVector(e.readVector(1)), 3));
      return () => e.write(0, r);
    }),
    MMX,
  ),
  ...row(
    'pextrw',
    'P66 0f c5 /r',
    'Gd Ux Ib',
    (e) => e.write(0, e.let(extractWord(e, e.letVector(e.readVector(1)), 7))),
    SSE,
  ),
  ...row(
    'pinsrw',
    'NP 0f c4 /r',
    'Pq Ew Ib',
    mmx((e) => {
      const word = e.let(e.read(1));
      const r = e.letVector(insertWord(e, e.letVector(e.readVector(0)), word, 3));
      return () => e.writeVector(0, r);
    }),
    { ...MMX, shows: 'Pq Rd/Mw Ib' },
  ),
  ...row(
    'pinsrw',
    'P66 0f c4 /r',
    'Vx Ew Ib',
    (e) => {
      const word = e.let(e.read(1));
      e.writeVector(0, e.letVector(insertWord(e, e.letVector(e.readVector(0)), word, 7)));
    },
    { ...SSE, shows: 'Vx Rd/Mw Ib' },
  ),
  ...row(
    'movd',
    'NP 0f 6e /r',
    'Pq Ed',
    mmx((e) => {
      const r = e.letVector(e.simd(0x12, e.extendU64(e.read(1))));
      return () => e.writeVector(0, r);
    }),
    MMX,
  ),
  ...row(
    'movd',
    'P66 0f 6e /r',
    'Vx Ed',
    (e) => {
      const value = e.let64(e.extendU64(e.read(1)));
      e.writeVector(0, e.letVector(e.lane(0x1e, 0, e.simd(0x12, e.const64(0n)), e.get(value))));
    },
    SSE,
  ),
  ...row(
    'movd',
    'NP 0f 7e /r',
    'Ed Pq',
    mmx((e) => {
      const r = e.let(e.lane(0x1b, 0, e.readVector(1)));
      if (e.isMemory(0)) e.write(0, r);
      return () => {
        if (!e.isMemory(0)) e.write(0, r);
      };
    }),
    MMX,
  ),
  ...row('movd', 'P66 0f 7e /r', 'Ed Vx', (e) => e.write(0, e.let(e.lane(0x1b, 0, e.readVector(1)))), SSE),
  ...row('movq', 'PF3 0f 7e /r', 'Vx Wq', loadZeroExtended(8), SSE),
  ...row(
    'movq',
    'P66 0f d6 /r',
    'Wq Vx',
    (e) => {
      const value = e.letVector(e.readVector(1, 8));
      e.writeVector(0, value, e.isMemory(0) ? 8 : 16);
    },
    SSE,
  ),
  ...row(
    'movq',
    'NP 0f 6f /r',
    'Pq Qq',
    mmx((e) => {
      const b = e.letVector(e.readVector(1));
      return () => e.writeVector(0, b);
    }),
    MMX,
  ),
  ...row(
    'movq',
    'NP 0f 7f /r',
    'Qq Pq',
    mmx((e) => {
      const b = e.letVector(e.readVector(1));
      if (e.isMemory(0)) e.writeVector(0, b);
      return () => {
        if (!e.isMemory(0)) e.writeVector(0, b);
      };
    }),
    MMX,
  ),
  ...row(
    'movntq',
    'NP 0f e7 /r',
    'Mq Pq',
    mmx((e) => {
      const b = e.letVector(e.readVector(1));
      e.writeVector(0, b);
      return () => undefined;
    }),
    MMX,
  ),
  ...row(
    'movq2dq',
    'PF3 0f d6 /r',
    'Vx Nq',
    mmx((e) => {
      const b = e.letVector(e.readVector(1));
      return () => e.writeVector(0, b, 16);
    }),
    SSE,
  ),
  ...row(
    'movdq2q',
    'PF2 0f d6 /r',
    'Pq Ux',
    mmx((e) => {
      const b = e.letVector(e.readVector(1, 8));
      return () => e.writeVector(0, b);
    }),
    SSE,
  ),
  ...row(
    'emms',
    'NP 0f 77',
    '',
    (e) => {
      x87Prologue(e);
      e.setState(StateLayout.fpuTop, e.let(e.const(0)));
      e.setState(StateLayout.fpuTags, e.let(e.const(0)));
    },
    MMX,
  ),
  ...row('movdqa', 'P66 0f 6f /r', 'Vx Wx', moveVector(16, true), SSE),
  ...row('movdqa', 'P66 0f 7f /r', 'Wx Vx', moveVector(16, true), SSE),
  ...row('movdqu', 'PF3 0f 6f /r', 'Vx Wx', moveVector(16, false), SSE),
  ...row('movdqu', 'PF3 0f 7f /r', 'Wx Vx', moveVector(16, false), SSE),
  ...row('movups', 'NP 0f 10 /r', 'Vx Wx', moveVector(16, false), SSE),
  ...row('movups', 'NP 0f 11 /r', 'Wx Vx', moveVector(16, false), SSE),
  ...row('movupd', 'P66 0f 10 /r', 'Vx Wx', moveVector(16, false), SSE),
  ...row('movupd', 'P66 0f 11 /r', 'Wx Vx', moveVector(16, false), SSE),
  ...row('movss', 'PF3 0f 10 /r', 'Vx Wd', moveVector(4, false), SSE),
  ...row('movss', 'PF3 0f 11 /r', 'Wd Vx', moveVector(4, false), SSE),
  ...row('movsd', 'PF2 0f 10 /r', 'Vx Wq', moveVector(8, false), SSE),
  ...row('movsd', 'PF2 0f 11 /r', 'Wq Vx', moveVector(8, false), SSE),
  ...row('movaps', 'NP 0f 28 /r', 'Vx Wx', moveVector(16, true), SSE),
  ...row('movaps', 'NP 0f 29 /r', 'Wx Vx', moveVector(16, true), SSE),
  ...row('movapd', 'P66 0f 28 /r', 'Vx Wx', moveVector(16, true), SSE),
  ...row('movapd', 'P66 0f 29 /r', 'Wx Vx', moveVector(16, true), SSE),
  ...row('movntps', 'NP 0f 2b /r', 'Mx Vx', moveVector(16, true), SSE),
  ...row('movntpd', 'P66 0f 2b /r', 'Mx Vx', moveVector(16, true), SSE),
  ...row('movntdq', 'P66 0f e7 /r', 'Mx Vx', moveVector(16, true), SSE),
  ...row('movlps', 'NP 0f 12 /r', 'Vx Mq', moveHalf(false, false), SSE),
  ...row('movhlps', 'NP 0f 12 /r', 'Vx Ux', moveHalf(false, true), SSE),
  ...row('movlpd', 'P66 0f 12 /r', 'Vx Mq', moveHalf(false, false), SSE),
  ...row('movlps', 'NP 0f 13 /r', 'Mq Vx', storeHalf(false), SSE),
  ...row('movlpd', 'P66 0f 13 /r', 'Mq Vx', storeHalf(false), SSE),
  ...row('movhps', 'NP 0f 16 /r', 'Vx Mq', moveHalf(true, false), SSE),
  ...row('movlhps', 'NP 0f 16 /r', 'Vx Ux', moveHalf(true, false), SSE),
  ...row('movhpd', 'P66 0f 16 /r', 'Vx Mq', moveHalf(true, false), SSE),
  ...row('movhps', 'NP 0f 17 /r', 'Mq Vx', storeHalf(true), SSE),
  ...row('movhpd', 'P66 0f 17 /r', 'Mq Vx', storeHalf(true), SSE),
];
