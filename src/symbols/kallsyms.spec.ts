// A writer of the table that scripts/kallsyms.c makes, in its layouts over the years, and the reader against it: any names at any place
// in any memory. Whether the writer is right is what test/debugger says with the table of Debian's kernel.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findKallsyms, findKallsymsIn, type KernelSymbol } from './kallsyms.ts';

const LAYOUTS = ['addresses', 'offsets', 'sequences', '6.4'] as const;
type Layout = (typeof LAYOUTS)[number];

const BASE = 0xc100_0000;
const CHARACTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz.$';
const PAIRS = ['in', 're', '__', 'st', 'te', 'on', 'er', 'sys_', 'ext4_', 'TT', 'd_'];

const DIGITS = Uint8Array.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0]));

class Bytes {
  readonly list: number[] = [];
  align(): void {
    while (this.list.length % 4 !== 0) this.list.push(0);
  }
  word(value: number): void {
    this.list.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }
  words(values: readonly number[]): void {
    this.align();
    for (const value of values) this.word(value);
  }
}

/** Every character is its own token; the codes left over are pairs and longer runs. */
const tokenTable = (): string[] => {
  const tokens = Array.from({ length: 256 }, (_, code) => {
    const character = String.fromCharCode(code);
    return CHARACTERS.includes(character) ? character : '';
  });
  PAIRS.forEach((pair, i) => (tokens[0x80 + i] = pair));
  return tokens;
};

const encodeName = (text: string, tokens: readonly string[]): number[] => {
  const codes: number[] = [];
  for (let rest = text; rest !== '';) {
    const pair = PAIRS.findIndex((one) => rest.startsWith(one));
    codes.push(pair >= 0 ? 0x80 + pair : tokens.indexOf(rest[0]!));
    rest = rest.slice(pair >= 0 ? PAIRS[pair]!.length : 1);
  }
  return codes.length < 0x80 ? [codes.length, ...codes] : [(codes.length & 0x7f) | 0x80, codes.length >> 7, ...codes];
};

const writeTable = (symbols: readonly KernelSymbol[], layout: Layout): number[] => {
  const out = new Bytes();
  const tokens = tokenTable();
  const offsets = symbols.map(({ address }) => (address - BASE) >>> 0);
  if (layout === 'addresses') out.words(symbols.map(({ address }) => address));
  else if (layout !== '6.4') out.words([...offsets, BASE]);
  out.words([symbols.length]);
  const markers: number[] = [];
  const start = out.list.length;
  symbols.forEach(({ letter, name }, i) => {
    if (i % 256 === 0) markers.push(out.list.length - start);
    out.list.push(...encodeName(letter + name, tokens));
  });
  out.words(markers);
  if (layout === 'sequences')
    for (let i = 0; i < symbols.length; i++) out.list.push(i >> 16, (i >> 8) & 0xff, i & 0xff);
  out.align();
  const table = out.list.length;
  const index = tokens.map((token) => {
    const at = out.list.length - table;
    out.list.push(...new TextEncoder().encode(token), 0);
    return at;
  });
  out.align();
  for (const at of index) out.list.push(at & 0xff, at >> 8);
  if (layout === '6.4') out.words([...offsets, BASE]);
  return out.list;
};

const symbolsOf = (count: number, seed: number): KernelSymbol[] => {
  let state = seed | 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  let address = BASE;
  return Array.from({ length: count }, () => {
    // One in a hundred is as long as only kernels from 6.1 on have them.
    const length = next(100) === 0 ? 130 + next(300) : 1 + next(30);
    const name = Array.from({ length }, () => CHARACTERS[next(CHARACTERS.length)]!).join('');
    const symbol = { name, address, letter: 'TtDdRrBb'[next(8)]! };
    address += next(500);
    return symbol;
  });
};

describe('the symbol table inside a Linux kernel', () => {
  for (const layout of LAYOUTS)
    it(`is found wherever it lies: ${layout}`, () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 257, max: 1500 }),
          fc.nat(),
          fc.nat({ max: 3000 }),
          fc.uint8Array({ maxLength: 64 }),
          (count, seed, place, noise) => {
            const symbols = symbolsOf(count, seed);
            const table = writeTable(symbols, layout);
            const memory = new Uint8Array(4 * place + table.length + 4096);
            for (let i = 0; i < memory.length && noise.length > 0; i++) memory[i] = noise[(i * 7) % noise.length]!;
            memory.set(table, 4 * place);
            assert.deepEqual(findKallsyms(memory), symbols);
          },
        ),
        { numRuns: 40 },
      );
    });

  for (const count of [1000, 200_000])
    it(`is found in memory that is read piece by piece, behind digits that are none of its: ${count} symbols`, () => {
      const symbols = symbolsOf(count, 11);
      const table = writeTable(symbols, 'offsets');
      const place = 5 << 20;
      const memory = new Uint8Array(place + table.length + 4096);
      memory.set(table, place);
      for (const at of [1 << 20, (4 << 20) - 6]) memory.set(DIGITS, at);
      const read = (physical: number, into: Uint8Array): number => {
        const piece = memory.subarray(physical, physical + into.length);
        into.set(piece);
        return piece.length;
      };
      const found = findKallsymsIn(read, 0)!;
      assert.equal(found.length, count);
      assert.deepEqual(found.slice(-300), symbols.slice(-300));
    });

  it('is not seen where it is not, nor where it is damaged; and nothing throws', () => {
    const table = Uint8Array.from(writeTable(symbolsOf(600, 7), 'offsets'));
    assert.equal(findKallsyms(table.subarray(0, 600)), undefined);
    assert.equal(findKallsyms(new Uint8Array(0)), undefined);
    fc.assert(
      fc.property(fc.nat({ max: table.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = table.slice();
        damaged[at]! ^= flip;
        const found = findKallsyms(damaged);
        // Damage in a name or an address is not to be seen; the table stays whole in its structure or is refused.
        assert.ok(found === undefined || found.length === 600);
      }),
      { numRuns: 300 },
    );
    for (let length = 0; length < table.length; length += 97) findKallsyms(table.subarray(0, length));
  });

  it('is looked for in copies no larger than it needs', () => {
    const digits = Uint8Array.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0]));
    for (const [count, most] of [
      [0, 1],
      [1500, 7],
    ] as const) {
      const symbols = symbolsOf(count, 5);
      const table = count === 0 ? [] : writeTable(symbols, LAYOUTS[0]!);
      const memory = new Uint8Array((30 << 20) + table.length);
      memory.set(digits, 5 << 20);
      memory.set(table, 25 << 20);
      let largest = 0;
      const found = findKallsymsIn((physical, into) => {
        largest = Math.max(largest, into.length);
        const part = memory.subarray(physical, physical + into.length);
        into.set(part);
        return part.length;
      }, 0);
      assert.equal(found?.length ?? 0, count);
      assert.deepEqual(found?.at(-1), symbols.at(-1));
      assert.ok(largest <= most << 20, `${count} symbols: ${largest} bytes`);
    }
  });

  it('is not the digits alone', () => {
    const memory = new Uint8Array(8192);
    memory.set(DIGITS, 4000);
    memory.set(DIGITS, 8192 - DIGITS.length);
    assert.equal(findKallsyms(memory), undefined);
  });
});
