// Frames against gdb: functions with what is inlined, lines, parameters and locals with their values, CFA and caller; at random addresses with
// random registers (gdb is given a core file), on samples at every optimisation level and on the sample kernel.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Elf, parseElf } from '../../src/machine/elf.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { regionsOf } from './core.ts';
import { compareThreads, random, randomThreads } from './frames-compare.ts';
import { gdbMissing } from './gdb.ts';
import { compile, missing, read } from './toolchain.ts';

/** @param count addresses to stand at */
function compare(path: string, bytes: Uint8Array, count: number, seed: number) {
  const supply = (file: string) => (existsSync(file) ? read(file) : undefined);
  const result = DebugInfo.open(path, bytes, { supply });
  const parsed = parseElf(bytes);
  assert.ok(result.ok && parsed.ok);
  const { info } = result;
  const code = parsed.elf.sections.filter(({ flags }) => (flags & Elf.SHF_EXECINSTR) !== 0);
  const next = random(seed);
  const addresses = Array.from({ length: count }, () => {
    const section = code[next(code.length)]!;
    let pc = section.address + next(section.size);
    // Where inlined code begins gdb still counts itself before the call.
    const begins = () =>
      info.functionsAt(pc).some(({ inlined, ranges }) => inlined && ranges.some((r) => r.start === pc));
    while (begins()) pc++;
    return pc;
  });
  const data = parsed.elf.symbols().filter(({ type, size }) => type === Elf.STT_OBJECT && size > 0);
  const { threads, stack } = randomThreads(
    addresses,
    data.map(({ value }) => value),
    next,
  );
  return compareThreads(path, info, threads, regionsOf(bytes), stack);
}

const BUILDS: readonly (readonly [string, ...string[]])[] = [
  ['gcc', '-gdwarf-5', '-O0'],
  ['gcc', '-gdwarf-5', '-O2'],
  ['gcc', '-gdwarf-5', '-Os'],
  ['gcc', '-gdwarf-4', '-O2'],
  ['gcc', '-gdwarf-3', '-O2'],
  ['gcc', '-gdwarf-4', '-O2', '-gsplit-dwarf'],
  ['gcc', '-gdwarf-5', '-O2', '-gsplit-dwarf'],
  ['clang', '-gdwarf-5', '-O0'],
  ['clang', '-gdwarf-5', '-O2'],
  ['clang', '-gdwarf-4', '-Os'],
];

for (const [compiler, ...options] of BUILDS) {
  describe(`frames of ${compiler} ${options.join(' ')}`, { skip: missing(compiler) || gdbMissing() }, () => {
    it('are those of gdb', (t) => {
      const path = compile(compiler, [...options, '-fasynchronous-unwind-tables', '-Wno-everything'], ['frames.c']);
      const { frames, variables, optimizedOut, savedRegisters, differences } = compare(
        path,
        read(path),
        150,
        0x1234567,
      );
      t.diagnostic(
        `${frames} frames, ${variables} variables, ${optimizedOut} of them optimized out, ${savedRegisters} registers saved`,
      );
      assert.deepEqual(differences, []);
      assert.ok(frames > 100 && variables > 300 && savedRegisters > 200);
    });
  });
}

describe('frames of the sample kernel', { skip: gdbMissing() }, () => {
  it('are those of gdb', (t) => {
    const path = join(import.meta.dirname, 'media/guests/tsubame/tsubame.elf');
    const { frames, variables, optimizedOut, differences } = compare(
      path,
      new Uint8Array(readFileSync(path)),
      400,
      0x89abcde,
    );
    t.diagnostic(`${frames} frames, ${variables} variables, ${optimizedOut} of them optimized out`);
    assert.deepEqual(differences, []);
    assert.ok(frames > 300 && variables > 500);
  });
});
