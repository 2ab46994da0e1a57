// The debug data of Debian's Linux, 313 MB of DWARF 5: every row of its line table against readelf, 10,000 addresses with what is inlined
// there against addr2line, variables in random frames against gdb. In the long run only: its package is 765 MB to download.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { posix } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, it } from 'node:test';
import { Elf, type ElfFile } from '../../src/machine/elf.ts';
import type { DebugInfo } from '../../src/symbols/debug-info.ts';
import { RowFlag } from '../../src/symbols/dwarf/line.ts';
import { LineIndex } from '../../src/symbols/dwarf/line-index.ts';
import { DebugSections } from '../../src/symbols/dwarf/sections.ts';
import { Units } from '../../src/symbols/dwarf/units.ts';
import { regionsOf } from './core.ts';
import { kernelMissing, kernelPath, openKernel } from './debian-kernel.ts';
import { compareThreads, random, randomThreads } from './frames-compare.ts';
import { gdb, gdbMissing } from './gdb.ts';
import { addr2lineChains, missing, parseDecodedRow } from './toolchain.ts';

const skip = kernelMissing || missing('gcc') || gdbMissing();

describe("the debug data of Debian's kernel", { skip }, () => {
  let elf: ElfFile;
  let bytes: Uint8Array;
  let info: DebugInfo;
  before(() => {
    ({ bytes, elf, info } = openKernel());
  });

  /** Anywhere in the code, but not where inlined code begins: gdb and addr2line count that address differently. */
  const randomAddresses = (count: number, next: (below: number) => number): number[] => {
    const code = elf.sections.filter(({ flags, size }) => (flags & Elf.SHF_EXECINSTR) !== 0 && size > 0);
    const total = code.reduce((sum, { size }) => sum + size, 0);
    return Array.from({ length: count }, () => {
      let offset = next(total);
      const section = code.find(({ size }) => offset < size || ((offset -= size), false))!;
      let pc = section.address + offset;
      const begins = () =>
        info.functionsAt(pc).some(({ inlined, ranges }) => inlined && ranges.some((range) => range.start === pc));
      while (begins()) pc++;
      return pc;
    });
  };

  it('has the rows that readelf has', async (t) => {
    const units = [...new LineIndex(new Units(new DebugSections(elf)), []).units].sort((a, b) => a.offset - b.offset);
    function* ours() {
      for (const unit of units) {
        const { count, address, file, line, flags } = unit.table.rows;
        for (let row = 0; row < count; row++) {
          const ends = (flags[row]! & RowFlag.endSequence) !== 0;
          const statement = !ends && (flags[row]! & RowFlag.isStatement) !== 0;
          yield `${posix.basename(unit.path(file[row]!) ?? '?')}:${ends ? '-' : line[row]!} ${address[row]!.toString(16)} ${statement}`;
        }
      }
    }
    const rows = ours();
    const readelf = spawn('readelf', ['-W', '--debug-dump=decodedline', kernelPath!], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const differences: string[] = [];
    let count = 0;
    for await (const text of createInterface(readelf.stdout)) {
      const row = parseDecodedRow(text);
      if (row === undefined) continue;
      count++;
      const theirs = `${row.file}:${row.line ?? '-'} ${row.address.toString(16)} ${row.line !== undefined && row.isStatement}`;
      const next = rows.next();
      if (next.value !== theirs && differences.push(`row ${count}: ${next.value}; readelf has ${theirs}`) > 20) break;
    }
    readelf.kill();
    t.diagnostic(`${count} rows`);
    assert.deepEqual(differences, []);
    assert.ok(rows.next().done && count > 1e6);
  });

  const say = (
    name: string,
    place: { readonly file?: string | undefined; readonly line?: number | undefined } | undefined,
  ): string => `${name} at ${posix.basename(place?.file ?? '?')}:${place?.line ?? 0}`;

  it('has the functions and lines that addr2line has at 10,000 addresses', (t) => {
    const addresses = randomAddresses(10_000, random(0x0a11_ce55));
    const chains = addr2lineChains(kernelPath!, addresses);
    const differences: { readonly address: string; readonly ours: string; readonly theirs: string }[] = [];
    let [inlined, lines] = [0, 0];
    addresses.forEach((address, i) => {
      const functions = info.functionsAt(address);
      const own = info.map.locate(address);
      if (own.line !== undefined) lines++;
      // Between functions addr2line goes on with the name of the one before.
      const names =
        functions.length > 0 ? functions.map(({ name }) => name) : [own.function ?? chains[i]![0]!.function];
      const ours = names.map((name, level) => say(name, level === 0 ? own : functions[level - 1]!.call));
      const theirs = chains[i]!.map((one) => say(one.function, one));
      inlined += ours.length - 1;
      if (ours.join() !== theirs.join())
        differences.push({ address: `0x${address.toString(16)}`, ours: ours.join(', '), theirs: theirs.join(', ') });
    });
    // Binutils 2.40 mistakes the first file of a version 5 table for the unit's own, and takes the padding between units for code: there gdb judges.
    const answers = gdb(
      kernelPath!,
      differences.map(({ address }) => `info line *${address}`),
    );
    const wrong = differences.filter(({ ours }, i) => {
      const match = /^Line (\d+) of "([^"]*)"/.exec(answers[i]!);
      const line = match === null ? '?:0' : `${posix.basename(match[2]!)}:${match[1]}`;
      return !ours.split(', ')[0]!.endsWith(` at ${line}`);
    });
    t.diagnostic(`${lines} with lines, ${inlined} inlined calls; gdb decided ${differences.length} times`);
    assert.deepEqual(wrong, []);
    assert.ok(lines > 9000 && inlined > 1000 && differences.length < 100);
  });

  it('has the variables that gdb has in 1,000 random frames', (t) => {
    const next = random(0x5eed_0001);
    const data = elf.symbols().filter(({ type, size }) => type === Elf.STT_OBJECT && size > 0);
    const { threads, stack } = randomThreads(
      randomAddresses(1000, next),
      data.map(({ value }) => value),
      next,
    );
    const { frames, variables, optimizedOut, differences } = compareThreads(
      kernelPath!,
      info,
      threads,
      regionsOf(bytes),
      stack,
    );
    t.diagnostic(`${frames} frames, ${variables} variables, ${optimizedOut} of them optimized out`);
    assert.equal(differences.join('\n'), '');
    assert.ok(frames > 1000 && variables > 3000);
  });
});
