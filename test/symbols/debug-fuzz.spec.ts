// Damaged debug data: bit flips, truncation, noise and cycles in every section that DebugInfo reads. Nothing throws or takes long, and what
// is not hit still serves.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { evaluate } from '../../src/debugger/expression/evaluate.ts';
import { Names } from '../../src/debugger/expression/names.ts';
import { parseElf } from '../../src/machine/elf.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { describeType, typeName } from '../../src/symbols/type-names.ts';
import { memoryOf, regionsOf } from './core.ts';
import { ourFrames } from './frames-compare.ts';
import { compile, missing } from './toolchain.ts';

const BUILDS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'DWARF 5': ['gcc', '-gdwarf-5', '-O2'],
  'DWARF 2': ['gcc', '-gdwarf-2', '-O1'],
  'type units': ['gcc', '-gdwarf-4', '-fdebug-types-section', '-O0'],
  clang: ['clang', '-gdwarf-5', '-O2'],
};

const START = 0x100000;
/** For all questions to one damaged file; an undamaged one takes some 10 ms. */
const LIMIT_MS = 3000;

/** Asks everything there is to ask; returns how many variables had a name and a type. */
function exercise(bytes: Uint8Array, pristine: Uint8Array): number {
  const result = DebugInfo.open('sample', bytes);
  if (!result.ok) return -1;
  const { info } = result;
  const memory = memoryOf([...regionsOf(pristine), { address: 0x2000_0000, bytes: new Uint8Array(4096) }]);
  let answers = 0;
  for (let address = START; address < START + 0x500; address += 31) {
    const registers = [1, 2, 3, 4, 0x2000_0100, 0x2000_0200, START + 0x2000, 7, address, 0x202];
    const frame = info.frame(registers, memory);
    for (const { locals, parameters } of ourFrames(info, frame)) answers += locals.length + parameters.length;
    let caller = frame.caller();
    for (let i = 0; i < 20 && !('end' in caller); i++) caller = caller.caller();
    info.globalsAt(address);
  }
  for (const name of ['choose', 'records', 'sum']) info.functionsNamed(name).forEach(({ type }) => typeName(type));
  for (const name of ['record', 'pair']) {
    const type = info.type('struct', name);
    if (type !== undefined) answers += describeType(type).length > 0 ? 1 : 0;
  }
  info.complete('r', 10);
  const source = { memory, registers: [] };
  const names = new Names(info, undefined, 0, source);
  for (const text of ['records[1].pair', 'fast::calls', '*records', "'frames.c'::records", '(struct record *) 0']) {
    if (evaluate(text, { names, source }).ok) answers++;
  }
  assert.ok(info.problems.every((problem) => problem.length > 0));
  return answers;
}

function timed(bytes: Uint8Array, pristine: Uint8Array): number {
  const start = performance.now();
  const answers = exercise(bytes, pristine);
  const elapsed = performance.now() - start;
  assert.ok(elapsed < LIMIT_MS, `took ${elapsed.toFixed(0)} ms`);
  return answers;
}

for (const [name, [compiler, ...options]] of Object.entries(BUILDS)) {
  describe(`damaged debug data, ${name}`, { skip: missing(compiler) }, () => {
    const build = () => {
      const all = [...options, '-fasynchronous-unwind-tables', '-Wno-everything'];
      const bytes = new Uint8Array(readFileSync(compile(compiler, all, ['frames.c', 'sub/twice.c'])));
      const parsed = parseElf(bytes);
      assert.ok(parsed.ok);
      const sections = parsed.elf.sections.filter((section) => /^\.(?:debug_|eh_frame)/.test(section.name));
      return { bytes, sections };
    };

    it('bit flips', (t) => {
      const { bytes, sections } = build();
      const whole = timed(bytes, bytes);
      assert.ok(whole > 50, `${whole} answers`);
      const spans = sections.filter((section) => section.size > 0);
      let unharmed = 0;
      let runs = 0;
      fc.assert(
        fc.property(fc.nat(spans.length - 1), fc.nat(1 << 20), fc.nat(7), fc.nat(255), (section, place, bit, fill) => {
          const damaged = bytes.slice();
          const { offset, size } = spans[section]!;
          const at = offset + (place % size);
          // One bit, or a byte that can be a length or a reference.
          if (fill < 128) damaged[at]! ^= 1 << bit;
          else damaged[at] = fill;
          runs++;
          if (timed(damaged, bytes) === whole) unharmed++;
        }),
        { numRuns: 100, seed: 7 },
      );
      t.diagnostic(`${unharmed} of ${runs} with all ${whole} answers`);
      assert.ok(unharmed > runs / 3);
    });

    it('truncation, noise and ones', () => {
      const { bytes, sections } = build();
      for (const { offset, size, index } of sections) {
        for (const fill of [0, 0x01, 0x80, 0xff]) {
          const damaged = bytes.slice();
          damaged.fill(fill, offset + Math.floor(size / 3), offset + size);
          timed(damaged, bytes);
        }
        const shorter = bytes.slice();
        const view = new DataView(shorter.buffer);
        const headers = view.getUint32(32, true);
        for (const part of [0, 0.1, 0.5, 0.9]) {
          view.setUint32(headers + 40 * index + 20, Math.floor(size * part), true);
          timed(shorter, bytes);
        }
      }
    });

    it('types that contain themselves, and entries that repeat each other', () => {
      const { bytes, sections } = build();
      const info = sections.find((section) => section.name === '.debug_info')!;
      const whole = DebugInfo.open('sample', bytes);
      assert.ok(whole.ok);
      const record = whole.info.type('struct', 'record');
      assert.ok(record?.kind === 'struct');
      // Every four bytes that could be a reference refer to one and the same entry, one after the other.
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const targets = [0x0b, 0x2b, 0x4f, 0x80, 0xc0, 0x110].filter((target) => target < info.size);
      for (const target of targets) {
        const damaged = bytes.slice();
        const out = new DataView(damaged.buffer);
        for (let at = info.offset + 16; at + 4 < info.offset + info.size; at++) {
          const value = view.getUint32(at, true);
          if (value > 0x20 && value < info.size && value !== target) {
            out.setUint32(at, target, true);
            at += 3;
          }
        }
        timed(damaged, bytes);
      }
    });
  });
}

it('one damaged unit does not take the others with it', { skip: missing('gcc') }, () => {
  const bytes = new Uint8Array(readFileSync(compile('gcc', ['-gdwarf-5', '-O2', '-w'], ['sub/twice.c', 'frames.c'])));
  const parsed = parseElf(bytes);
  assert.ok(parsed.ok);
  const damaged = bytes.slice();
  damaged[parsed.elf.section('.debug_info')!.offset + 4] = 99; // the first unit's version
  const result = DebugInfo.open('sample', damaged);
  assert.ok(result.ok);
  assert.deepEqual(result.info.functionsNamed('twice'), []);
  assert.equal(result.info.functionsNamed('choose').length, 1);
  assert.deepEqual(result.info.problems, ['the unit at 0x0 of .debug_info is damaged']);
});
