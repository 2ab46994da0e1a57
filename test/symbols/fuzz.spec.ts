// Damaged files: every truncation and 2,000 bit flips of compiled samples. Nothing may throw or take long, and what is not hit serves.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseElf } from '../../src/machine/elf.ts';
import { AddressMap } from '../../src/symbols/address-map.ts';
import { compile, missing } from './toolchain.ts';

/** xorshift32: the same flips in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Asks everything there is to ask; returns how many addresses had a line, or -1 if the file was refused. */
function exercise(bytes: Uint8Array): number {
  const parsed = parseElf(bytes);
  const loaded = AddressMap.load('kernel', bytes);
  assert.equal(loaded.ok, parsed.ok);
  if (!parsed.ok || !loaded.ok) {
    assert.ok(!loaded.ok && /^kernel: \S.*[^.]$/.test(loaded.reason));
    return -1;
  }
  parsed.elf.notes();
  for (const header of parsed.elf.programHeaders) parsed.elf.segmentBytes(header);
  let lines = 0;
  const { map } = loaded;
  for (let address = 0x100000; address < 0x100200; address++) if (map.locate(address).line !== undefined) lines++;
  for (const address of [0, 0x80000000, 0xffffffff]) map.describe(address);
  for (const file of map.files()) map.lineToAddresses(file, 2);
  map.lookup('choose');
  map.symbolsInRange(0x100000, 0x100100);
  assert.ok(map.problems.every((problem) => problem.length > 0));
  return lines;
}

const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  'DWARF 5': ['-gdwarf-5', '-O2'],
  'DWARF 2': ['-gdwarf-2', '-O1'],
  compressed: ['-gdwarf-4', '-O2', '-Wl,--compress-debug-sections=zlib'],
};
/** For all questions to one damaged file; an undamaged one takes some 2 ms. */
const LIMIT_MS = 2000;

function timed(bytes: Uint8Array, what: string): number {
  const start = performance.now();
  const lines = exercise(bytes);
  const elapsed = performance.now() - start;
  assert.ok(elapsed < LIMIT_MS, `${what} took ${elapsed.toFixed(0)} ms`);
  return lines;
}

describe('damaged files', { skip: missing('gcc') }, () => {
  for (const [name, options] of Object.entries(SAMPLES)) {
    it(`${name}: cut at every 64th byte`, () => {
      const bytes = new Uint8Array(readFileSync(compile('gcc', options)));
      let refused = 0;
      for (let size = 0; size < bytes.length; size += 64) {
        if (timed(bytes.slice(0, size), `${size} bytes`) < 0) refused++;
      }
      // The section header table is the last thing in the file.
      assert.equal(refused, Math.ceil(bytes.length / 64));
    });

    it(`${name}: 2,000 bit flips`, (t) => {
      const bytes = new Uint8Array(readFileSync(compile('gcc', options)));
      const whole = exercise(bytes);
      assert.ok(whole > 100);
      // Where a flip can matter to the symbols: not in code, data and padding.
      const parsed = parseElf(bytes);
      assert.ok(parsed.ok);
      const tables = parsed.elf.sections.filter(({ name }) =>
        /^\.(?:debug_(?:info|abbrev|line|str|r)|symtab|strtab)/.test(name),
      );
      const spans = [
        [0, 52],
        ...tables.map((s) => [s.offset, s.size]),
        [bytes.length - 40 * parsed.elf.sections.length, 40 * parsed.elf.sections.length],
      ];
      const places = spans.flatMap(([start, size]) => Array.from({ length: size! }, (_, i) => start! + i));
      const next = random(0x4b616e73);
      let [refused, unharmed] = [0, 0];
      for (let i = 0; i < 2000; i++) {
        const at = places[next(places.length)]!;
        const damaged = bytes.slice();
        damaged[at]! ^= 1 << next(8);
        const lines = timed(damaged, `flip at ${at}`);
        if (lines < 0) refused++;
        else if (lines === whole) unharmed++;
      }
      t.diagnostic(`${refused} refused, ${unharmed} with all ${whole} lines, ${2000 - refused - unharmed} with fewer`);
      assert.ok(refused < 100 && unharmed > 1500, `${refused} refused, ${unharmed} unharmed`);
    });

    it(`${name}: sections replaced by noise and by ones`, () => {
      const bytes = new Uint8Array(readFileSync(compile('gcc', options)));
      const parsed = parseElf(bytes);
      assert.ok(parsed.ok);
      const next = random(0x42);
      for (const section of parsed.elf.sections.filter((s) => /debug|symtab|strtab/.test(s.name))) {
        for (const fill of [() => next(256), () => 255, () => 0, () => 0x80]) {
          const damaged = bytes.slice();
          for (let i = 0; i < section.size; i++) damaged[section.offset + i] = fill();
          timed(damaged, section.name);
        }
      }
    });
  }

  it('one damaged unit does not take the others with it', () => {
    const bytes = new Uint8Array(readFileSync(compile('gcc', ['-gdwarf-5', '-O2'])));
    const parsed = parseElf(bytes);
    assert.ok(parsed.ok);
    const line = parsed.elf.section('.debug_line')!;
    const damaged = bytes.slice();
    damaged[line.offset + 4] = 99; // the first unit's version
    const [whole, partial] = [bytes, damaged].map((b) => AddressMap.load('kernel', b));
    assert.ok(whole!.ok && partial!.ok);
    const [choose, twice] = ['choose', 'twice'].map((name) => whole.map.lookup(name)!);
    assert.equal(partial.map.locate(choose!).line, undefined);
    assert.equal(partial.map.locate(choose!).function, 'choose');
    assert.deepEqual(partial.map.locate(twice!), whole.map.locate(twice!));
  });
});
