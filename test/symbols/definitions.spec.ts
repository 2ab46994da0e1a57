// Names found by the symbol table, without the index of all names: the answers are those of the whole index and of gdb. Statics of one name in several
// files, constants without an address, weak and declared variables, arrays of unknown length, functions and enumerators that share names.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DebugInfo, type Meaning } from '../../src/symbols/debug-info.ts';
import { typeName } from '../../src/symbols/type-names.ts';
import { gdb, gdbMissing } from './gdb.ts';
import { compile, folder, missing, read } from './toolchain.ts';

const SOURCES: Readonly<Record<string, string>> = {
  'one.c': `
int shared = 1; static int counter = 10; static const int limit = 7; int table[5] = { 1 }; const char banner[] = "hello";
struct point { int x, y; } origin = { 1, 2 };
extern int late; int weak_one __attribute__((weak)) = 3; static int twice(int v) { return v * limit + counter; }
__attribute__((noinline)) int first(int v) { return twice(v) + late + ++counter + shared; }`,
  'two.c': `
extern int shared; extern int table[]; extern char _end[]; static int counter = 20; int late = 5; int weak_one = 4;
enum colour { RED = 3, GREEN, hidden = 9 }; enum colour chosen = GREEN;
static __attribute__((noinline)) int helper(int v) { return v + shared + table[1] + (int)_end; }
__attribute__((noinline)) int second(int v) { return helper(v) + ++counter + (int)chosen; }`,
  'three.c': `
int hidden = 30; static int twice = 2; int RED(void) { return 1; } static __attribute__((noinline)) int helper(int v) { return v - 1; }
typedef int counter; volatile int lone = 4;
__attribute__((noinline)) int third(int v) { counter c = v; return helper(c) + ++twice + ++hidden; }`,
  'four.c': `
int first(int); int second(int); int third(int); typedef struct { int a; } lone;
static const char *const names[] = { "a", "b" }; lone kept;
__attribute__((noinline)) int fourth(lone *v) { return names[v->a][0]; }
void _start(void) { first(1); second(2); third(3); fourth(&kept); }`,
};
const NAMES = [
  ...[
    'shared',
    'counter',
    'limit',
    'table',
    'banner',
    'origin',
    'late',
    'weak_one',
    'twice',
    'first',
    '_end',
    'chosen',
  ],
  ...['helper', 'second', 'RED', 'GREEN', 'hidden', 'lone', 'third', 'names', 'kept', 'fourth', '_start', 'nothing'],
];
const FUNCTIONS = { one: 'first', two: 'second', three: 'third', four: 'fourth' } as const;

const sources = (): string[] => {
  const home = join(folder, 'names');
  mkdirSync(home, { recursive: true });
  return Object.entries(SOURCES).map(([name, text]) => {
    writeFileSync(join(home, name), text);
    return join(home, name);
  });
};
const open = (path: string): DebugInfo => {
  const opened = DebugInfo.open(path, read(path), { slide: 0x1000 });
  assert.ok(opened.ok);
  return opened.info;
};
const told = (info: DebugInfo, meaning: Meaning | undefined): string => {
  if (meaning === undefined) return 'nothing';
  if (meaning.kind === 'function') return `function at ${meaning.code.entry}`;
  if (meaning.kind === 'enumerator') return `enumerator ${meaning.value}`;
  const { variable } = meaning;
  const location = info.locate(variable);
  const place = location.kind === 'memory' ? `at ${location.address}` : location.kind;
  return `${typeName(variable.type)} ${place}`;
};

describe('names by the symbol table', { skip: missing('gcc') || gdbMissing() }, () => {
  for (const options of [
    ['-O0'],
    ['-O2'],
    ['-O2', '-gdwarf-4'],
    ['-O2', '-gsplit-dwarf'],
    ['-O2', '-Wl,-x'],
    ['-Os', '-flto'],
  ])
    it(`mean with ${options.join(' ')} what they mean with all names read`, () => {
      const path = compile('gcc', ['-g', ...options], sources());
      const whole = open(path);
      while (whole.indexSome() < 1);
      for (const near of [undefined, ...Object.values(FUNCTIONS)])
        for (const name of NAMES) {
          // Each is asked of a file of which nothing has been read.
          const info = open(path);
          const address = near === undefined ? undefined : info.map.lookup(near);
          const what = `${name} in ${near}`;
          assert.equal(told(info, info.meaning(name, address)), told(whole, whole.meaning(name, address)), what);
          const entries = (of: DebugInfo) => of.functionsNamed(name).map(({ entry }) => entry);
          assert.deepEqual(entries(open(path)), entries(whole), what);
          assert.equal(open(path).hidesType(name, address), whole.hidesType(name, address), what);
        }
    });

  it('mean in each file what they mean to gdb', () => {
    const path = compile('gcc', ['-g', '-O0'], sources());
    const info = open(path);
    const cases = Object.entries(FUNCTIONS).flatMap(([file, near]) => NAMES.map((name) => ({ file, near, name })));
    const answers = gdb(
      path,
      cases.flatMap(({ file, name }) => [`list ${file}.c:1`, `output &${name}`, `output ${name}`]),
    );
    const differences: string[] = [];
    let compared = 0;
    cases.forEach(({ near, name, file }, i) => {
      const [address, value] = [answers[3 * i + 1]!, answers[3 * i + 2]!];
      const theirs = /(0x[0-9a-f]+)/.exec(address)?.[1];
      const meaning = info.meaning(name, info.map.lookup(near));
      let ours: string | undefined;
      if (meaning?.kind === 'variable') {
        const location = info.locate(meaning.variable);
        ours = location.kind === 'memory' ? `0x${(location.address - 0x1000).toString(16)}` : location.kind;
      } else if (meaning?.kind === 'function') ours = `0x${(meaning.code.entry! - 0x1000).toString(16)}`;
      else if (meaning?.kind === 'enumerator')
        ours = meaning.type.enumerators.find((one) => one.value === meaning.value)?.name;
      const expected =
        theirs !== undefined && !address.startsWith('Error') ? theirs : /^\w+$/.test(value) ? value : undefined;
      // A type's name elsewhere hides no variable here; of what other files keep to themselves any will do; the linker's symbols have no type.
      const elsewhere =
        value.includes('Attempt to use a type name') || (name === 'twice' && file !== 'one') || name === '_end';
      if (elsewhere) return;
      if (ours !== undefined) compared++;
      if (ours !== expected)
        differences.push(`${name} in ${file}.c: ${ours}; gdb has ${expected} (${address}, ${value})`);
    });
    assert.deepEqual(differences, []);
    assert.ok(compared > 70, `${compared}`);
  });
});
