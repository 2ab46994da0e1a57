// Names of Debian's Linux found without reading the names of all its 2200 units: the same answers as with all of them, from frames all over the kernel.
// In the long run only: the package is 765 MB to download.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Elf } from '../../src/machine/elf.ts';
import type { DebugInfo, Meaning } from '../../src/symbols/debug-info.ts';
import { Names, NamesWanted } from '../../src/symbols/dwarf/names.ts';
import { DebugSections } from '../../src/symbols/dwarf/sections.ts';
import { Units } from '../../src/symbols/dwarf/units.ts';
import { typeName } from '../../src/symbols/type-names.ts';
import { kernelMissing, openKernel } from './debian-kernel.ts';
import { random } from './frames-compare.ts';

const told = (info: DebugInfo, meaning: Meaning | undefined): string => {
  if (meaning === undefined) return 'nothing';
  if (meaning.kind === 'function') return `function at ${meaning.code.entry}`;
  if (meaning.kind === 'enumerator') return `enumerator ${meaning.value}`;
  const location = info.locate(meaning.variable);
  const place = location.kind === 'memory' ? `at ${location.address}` : location.kind;
  return `${typeName(meaning.variable.type)} ${place}`;
};

describe("names of Debian's kernel", { skip: kernelMissing }, () => {
  let quick: DebugInfo;
  let whole: DebugInfo;
  let names: Names;
  let symbols: {
    readonly functions: string[];
    readonly data: string[];
    readonly labels: string[];
    readonly code: number[];
  };
  const next = random(0x0dec_1a2e);
  const some = <T>(list: readonly T[], count: number): T[] =>
    Array.from({ length: count }, () => list[next(list.length)]!);

  before(() => {
    const { bytes, elf, info } = openKernel();
    [quick, whole] = [info, openKernel(bytes).info];
    while (whole.indexSome() < 1);
    names = new Names(new Units(new DebugSections(elf)));
    const all = elf.symbols().filter(({ section }) => section !== Elf.SHN_UNDEF && section < 0xff00);
    const of = (type: number) => all.filter((symbol) => symbol.type === type).map(({ name }) => name);
    symbols = {
      functions: of(Elf.STT_FUNC),
      data: of(Elf.STT_OBJECT),
      labels: of(Elf.STT_NOTYPE).filter((name) => name !== '' && !name.startsWith('.L')),
      code: all.filter(({ type }) => type === Elf.STT_FUNC).map(({ value }) => value),
    };
  });

  /** Processor time in milliseconds. */
  const time = (task: () => void): number => {
    const before = process.cpuUsage();
    task();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const compare = (chosen: readonly string[], t: { diagnostic(text: string): void }): number => {
    const times: number[] = [];
    let wanted = 0;
    const differences: string[] = [];
    for (const name of chosen) {
      const near = next(8) === 0 ? undefined : some(symbols.code, 1)[0]!;
      // The frame itself is known when its names are asked for.
      if (near !== undefined) quick.functionsAt(near);
      let ours = '';
      times.push(
        time(() => {
          try {
            ours = quick.hurriedly(() => told(quick, quick.meaning(name, near)));
          } catch (error) {
            if (!(error instanceof NamesWanted)) throw error;
            wanted++;
          }
        }),
      );
      const theirs = told(whole, whole.meaning(name, near));
      if (ours !== '' && ours !== theirs)
        differences.push(`${name} at ${near?.toString(16)}: ${ours}; whole: ${theirs}`);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): string =>
      times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(1);
    t.diagnostic(
      `${chosen.length} names, ms of processor time: median ${at(0.5)}, 95 % ${at(0.95)}, most ${at(1)}; ${wanted} need all names`,
    );
    assert.deepEqual(differences, []);
    return wanted;
  };

  it('data', (t) => {
    assert.ok(compare(some(symbols.data, 400), t) < 40);
  });
  it('functions', (t) => {
    assert.equal(compare(some(symbols.functions, 200), t), 0);
  });
  it('labels of assembly and of the linker', (t) => {
    assert.ok(compare([...some(symbols.labels, 40), 'jiffies', '_text', 'init_task', 'current_task'], t) < 5);
  });

  it('functions of one name are those that the entries of all units have', () => {
    const twice = symbols.functions
      .filter((name, i, all) => all.indexOf(name) !== i)
      .map((name) => name.split('.')[0]!);
    for (const name of [...some(twice, 60), ...some(symbols.functions, 60).map((one) => one.split('.')[0]!)]) {
      const ours = quick.functionsNamed(name).map(({ entry }) => entry);
      const theirs = names
        .find(name, 'function')
        .map((die) => die.unit.entryOf(die))
        .filter((entry) => entry !== undefined);
      assert.deepEqual(ours, theirs, name);
    }
  });
});
