// Where functions are that exist only inlined, or in copies of several kinds: the places at which gdb sets `break NAME`, in the sample kernel and in a
// program of -O2 and -O3, with both compilers.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { TSUBAME } from '../boot/running-guest.ts';
import { gdb, gdbMissing } from './gdb.ts';
import { compile, folder, missing, read } from './toolchain.ts';

const SOURCE = `
volatile int sink; int cells[64];
static inline int square(int v) { sink = v; return v * v; }
static int only_inlined(int v) { return square(v) + square(v + 1); }
int both(int v) { if (v > 3) sink = 5; return v + 7; }
static __attribute__((noinline)) int cloned(int v, int by) { return cells[v] * by + v; }
static inline int loops(int n) { int s = 0; for (int i = 0; i < n; i++) s += cells[i]; return s; }
int unused_here(int v) { return only_inlined(v); }
void _start(void) {
  sink = both(2) + both(sink);
  for (int i = 0; i < 4; i++) sink += loops(sink) + cloned(i, 12);
  if (sink > 4) sink = only_inlined(sink) + square(4);
  sink = loops(64) + unused_here(3);
}`;

/** What gdb answers to `info breakpoints` of one breakpoint: its addresses with the functions that it names. */
const locations = (text: string): number[] =>
  [...text.matchAll(/(?:y\s+|breakpoint\s+keep y\s+)(0x[0-9a-f]{8})\s+in /g)].map((match) => Number(match[1]));

const compare = (path: string, names: readonly string[]): number => {
  const opened = DebugInfo.open(path, read(path));
  assert.ok(opened.ok);
  const { info } = opened;
  const answers = gdb(
    path,
    names.flatMap((name) => [`break ${name}`, 'info breakpoints', 'delete']),
  );
  let inlined = 0;
  names.forEach((name, i) => {
    const theirs = locations(answers[3 * i + 1]!);
    const copies = info.inlinedEntries(name);
    const compiled = info.functionsNamed(name);
    inlined += copies.length;
    assert.equal(theirs.length, copies.length + compiled.length, `${name}: ${answers[3 * i + 1]}`);
    for (const address of theirs) {
      // gdb 13 takes the first range of an inlined copy for its beginning, and leaves out a prologue that is in front of it.
      const holds = [...compiled.map(({ ranges }) => ranges)].some((ranges) =>
        ranges.some(({ start, end }) => address >= start && address < end),
      );
      const isCopy = info.functionsAt(address).some((one) => one.inlined && one.name === name);
      assert.ok(holds || isCopy, `${name} at 0x${address.toString(16)}`);
    }
    const ofCopies = theirs.filter((address) =>
      info.functionsAt(address).some((one) => one.inlined && one.name === name),
    );
    assert.equal(ofCopies.length, copies.length, name);
    for (const entry of copies)
      assert.ok(
        info.functionsAt(entry).some((one) => one.inlined && one.name === name),
        `${name} begins at 0x${entry.toString(16)}`,
      );
    const same = copies.filter((entry) => theirs.includes(entry));
    assert.ok(
      same.length * 3 >= copies.length,
      `${name}: ${copies.map((one) => one.toString(16)).join()}; gdb: ${theirs.map((one) => one.toString(16)).join()}`,
    );
  });
  return inlined;
};

const NAMES = ['square', 'only_inlined', 'both', 'cloned', 'loops', 'unused_here', '_start'];

for (const compiler of ['gcc', 'clang'])
  describe(`functions inlined by ${compiler}`, { skip: missing(compiler) || gdbMissing() }, () => {
    for (const options of [['-O2'], ['-O3', '-gdwarf-4'], ['-Os'], ['-O1', '-gdwarf-5']])
      it(options.join(' '), () => {
        const source = join(folder, 'inlined.c');
        writeFileSync(source, SOURCE);
        assert.ok(compare(compile(compiler, ['-g', ...options], [source]), NAMES) > 3);
      });
  });

describe('functions inlined in the sample kernel', { skip: gdbMissing() }, () => {
  it('are where gdb finds them', () => {
    assert.ok(
      compare(TSUBAME, ['outb', 'inb', 'kmain', 'serial_init', 'print', 'schedule', 'page_fault', 'lidt']) > 10,
    );
  });
});
