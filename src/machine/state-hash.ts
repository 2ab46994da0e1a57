// A 128-bit digest of machine state: RAM at memory speed, then the other words. Not cryptographic: it finds differences, it keeps no
// secrets. Four lanes of the multiply-rotate mix that xxHash64 uses, as one WebAssembly loop over the machine's own memory.

import { LinearLayout } from './memory.ts';
import { Code, I32, I64 } from './wasm/code.ts';
import { ModuleBuilder } from './wasm/module.ts';

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
/** Linear-memory room for the lanes and for words from outside. */
const LANES = LinearLayout.stateHash;
const WORDS = LANES + 0x100;
const WORDS_BYTES = LinearLayout.stateHashBytes - 0x100;

/** mix(first, end): folds the bytes [first, end), a multiple of 32, into the four lanes. */
const buildMix = (memory: WebAssembly.Memory): ((first: number, end: number) => void) => {
  const builder = new ModuleBuilder(memory.buffer.byteLength / 65536);
  const c = new Code(2);
  const lanes = [0, 1, 2, 3].map(() => c.local(I64));
  for (const [i, lane] of lanes.entries()) {
    c.i32(0);
    c.memory(0x29, 3, LANES + i * 8);
    c.localSet(lane);
  }
  c.block();
  c.loop();
  c.localGet(0);
  c.localGet(1);
  c.op(0x4f); // ge_u
  c.brIf(1);
  for (const [i, lane] of lanes.entries()) {
    // lane = rotl(lane + word * P2, 31) * P1
    c.localGet(lane);
    c.localGet(0);
    c.memory(0x29, 0, i * 8);
    c.i64(P2);
    c.op(0x7e);
    c.op(0x7c);
    c.i64(31n);
    c.op(0x89);
    c.i64(P1);
    c.op(0x7e);
    c.localSet(lane);
  }
  c.localGet(0);
  c.i32(32);
  c.op(0x6a);
  c.localSet(0);
  c.br(0);
  c.end();
  c.end();
  for (const [i, lane] of lanes.entries()) {
    c.i32(0);
    c.localGet(lane);
    c.memory(0x37, 3, LANES + i * 8);
  }
  builder.export('mix', builder.function(builder.type([I32, I32], []), c));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(builder.build()), { env: { memory } });
  return instance.exports['mix'] as (first: number, end: number) => void;
};

const rotl = (x: bigint, n: bigint): bigint => BigInt.asUintN(64, (x << n) | (x >> (64n - n)));
const avalanche = (x: bigint): bigint => {
  let h = BigInt.asUintN(64, x ^ (x >> 33n));
  h = BigInt.asUintN(64, h * P2);
  h ^= h >> 29n;
  h = BigInt.asUintN(64, h * P3);
  return h ^ (h >> 32n);
};

export class StateHash {
  private readonly mix: (first: number, end: number) => void;
  private readonly lanes: BigUint64Array;
  private readonly words: Uint32Array;
  private count = 0;

  constructor(memory: WebAssembly.Memory) {
    this.mix = buildMix(memory);
    this.lanes = new BigUint64Array(memory.buffer as ArrayBuffer, LANES, 4);
    this.words = new Uint32Array(memory.buffer, WORDS, WORDS_BYTES / 4);
  }

  begin(): void {
    this.lanes.set([P1, P2, P3, 0n]);
    this.count = 0;
  }
  /** A range of linear memory; both ends multiples of 32. */
  memoryRange(first: number, end: number): void {
    this.mix(first, end);
  }
  /** Words from outside: numbers up to 2^53 count with both halves. */
  add(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      this.words[this.count++] = value;
      this.words[this.count++] = Math.floor(value / 0x1_0000_0000);
      if (this.count === this.words.length) this.drain();
    }
  }
  private drain(): void {
    while (this.count % 8 !== 0) this.words[this.count++] = 0;
    this.mix(WORDS, WORDS + this.count * 4);
    this.count = 0;
  }
  /** 32 hexadecimal digits. */
  digest(): string {
    this.drain();
    const [a, b, c, d] = this.lanes as unknown as [bigint, bigint, bigint, bigint];
    const high = avalanche(rotl(a, 1n) + rotl(b, 7n) + rotl(c, 12n) + rotl(d, 18n));
    const low = avalanche(rotl(d, 3n) ^ rotl(c, 11n) ^ rotl(b, 19n) ^ a);
    return high.toString(16).padStart(16, '0') + low.toString(16).padStart(16, '0');
  }
}
