// An object file whose sections were put where a loader would: relocations of every kind against ld's, the debug sections against readelf's, functions,
// lines and globals against what addr2line and gdb say of the same object linked to the same addresses. Damaged relocations never throw.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { evaluate } from '../../src/debugger/expression/evaluate.ts';
import { Names } from '../../src/debugger/expression/names.ts';
import { Elf, parseElf, type ElfFile } from '../../src/machine/elf.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { DebugSections } from '../../src/symbols/dwarf/sections.ts';
import { placeObject, type SectionPlace } from '../../src/symbols/object-file.ts';
import { joinProgram, type Parts } from '../../src/symbols/program.ts';
import { printValue } from '../../src/symbols/value/format.ts';
import { memoryOf, regionsOf } from './core.ts';
import { gdb, gdbMissing } from './gdb.ts';
import { linkedApart } from './linked-apart.ts';
import { addr2line, compile, folder, missing, read, tool } from './toolchain.ts';

const skip = missing('gcc') || gdbMissing();

const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  'DWARF 5': ['-gdwarf-5', '-O2'],
  'DWARF 4, a section for each function': ['-gdwarf-4', '-O1', '-ffunction-sections', '-fdata-sections'],
  'DWARF 2': ['-gdwarf-2', '-O0'],
  'compressed sections': ['-gdwarf-5', '-O2', '-gz=zlib'],
};

let built = 0;
/** One object of several sources, as modules of a kernel are. */
const object = (options: readonly string[], sources: readonly string[]): string => {
  const parts = sources.map((source) => {
    const part = join(folder, `part${built++}.o`);
    tool('gcc', '-m32', '-c', '-ffreestanding', '-fno-pic', '-Wno-everything', ...options, '-o', part, source);
    return part;
  });
  const whole = join(folder, `object${built++}.o`);
  tool('ld', '-m', 'elf_i386', '-r', '-o', whole, ...parts);
  return whole;
};

const parsed = (path: string): ElfFile => {
  const result = parseElf(read(path));
  assert.ok(result.ok);
  return result.elf;
};

/** Somewhere for each section that a loader loads, in no order. */
const placesOf = (path: string): SectionPlace[] =>
  parsed(path)
    .sections.filter(({ flags, size }) => (flags & Elf.SHF_ALLOC) !== 0 && size > 0)
    .map(({ name }, i) => ({ name, address: 0xf800_0000 + ((i * 37) % 127) * 0x1_0000 }));

/** The same object, linked by ld with each section at its place. */
describe('an object file', { skip }, () => {
  it('has every kind of relocation applied as ld applies it', () => {
    const source = join(folder, 'kinds.S');
    const all = ['.long low, low + 4, low - ., high + 1', '.word low + 1, low - .', '.byte low + 2, low - .'];
    writeFileSync(
      source,
      `.section .low,"a"\n.skip 4\nlow: .long 1\n.section .high,"aw"\nhigh: .long 2\n.section .debug_kinds,"",@progbits\n${all.join('\n')}\n`,
    );
    const path = object([], [source]);
    const places = [
      { name: '.low', address: 0x20 },
      { name: '.high', address: 0xf812_3450 },
    ];
    const placed = placeObject(read(path), places);
    const linked = parsed(linkedApart(path, places));
    const theirs = linked.sectionBytes(linked.section('.debug_kinds')!);
    assert.ok(placed.ok && theirs.ok);
    const kinds = tool('readelf', '-rW', path).match(/R_386_\w+/g) ?? [];
    assert.deepEqual([...new Set(kinds)].sort(), [
      'R_386_16',
      'R_386_32',
      'R_386_8',
      'R_386_PC16',
      'R_386_PC32',
      'R_386_PC8',
    ]);
    const sections = new DebugSections(placed.elf);
    assert.deepEqual([...sections.get('kinds')], [...theirs.bytes]);
    assert.deepEqual(sections.problems, []);
  });

  for (const [name, options] of Object.entries(VARIANTS)) {
    describe(name, () => {
      const files = (source: string) => {
        const path = object(options, [source, 'sub/twice.c']);
        const places = placesOf(path);
        return { path, places, bytes: read(path), linked: linkedApart(path, places) };
      };

      it('has the bytes that readelf has, where nothing was moved', () => {
        const { path, bytes, places } = files('values.c');
        const placed = placeObject(
          bytes,
          places.map(({ name }) => ({ name, address: 0 })),
        );
        assert.ok(placed.ok);
        const sections = new DebugSections(placed.elf);
        const names = placed.elf.sections.map((section) => section.name).filter((section) => /^\.debug_/.test(section));
        assert.ok(names.length > 5);
        for (const section of names) {
          // It neither inflates nor relocates in the same breath what it dumps.
          const dump = tool('readelf', '-z', `-R${section}`, path);
          const theirs = dump
            .split('\n')
            .map(
              (line) => /^ {2}0x[0-9a-f]{8} ((?:[0-9a-f]+ )+)/.exec(line.slice(0, 49))?.[1]?.replaceAll(' ', '') ?? '',
            )
            .join('');
          assert.equal(Buffer.from(sections.get(section.slice('.debug_'.length))).toString('hex'), theirs, section);
        }
        assert.deepEqual(sections.problems, []);
      });

      it('has the functions and lines that addr2line has, where a loader has put it', () => {
        const { path, bytes, places, linked } = files('frames.c');
        const opened = DebugInfo.open(path, bytes, { places });
        assert.ok(opened.ok);
        const code = parsed(linked).sections.filter(({ flags, size }) => (flags & Elf.SHF_EXECINSTR) !== 0 && size > 0);
        const addresses = code.flatMap(({ address, size }) => Array.from({ length: size }, (_, i) => address + i));
        assert.ok(addresses.length > 300);
        const judged = addr2line(linked, addresses);
        const differences = addresses.filter((address, i) => {
          const own = opened.info.map.locate(address);
          const { line, function: theirs } = judged[i]!;
          return own.line !== line || (own.function !== undefined && own.function !== theirs);
        });
        assert.deepEqual(
          differences.map((address) => address.toString(16)),
          [],
        );
        assert.deepEqual(opened.info.problems, []);
      });

      it('has the values that gdb has', () => {
        const { path, bytes, places, linked } = files('values.c');
        const opened = DebugInfo.open(path, bytes, { places });
        assert.ok(opened.ok);
        const source = { memory: memoryOf(regionsOf(read(linked))), registers: [] };
        const names = new Names(opened.info, undefined, 0, source);
        // Of an object without a size gdb does not say the symbol.
        const globals = opened.info
          .complete('', 500)
          .filter((one) => opened.info.global(one) !== undefined && one !== 'hollow');
        assert.ok(globals.length > 5);
        const texts = globals.flatMap((one) => [one, `&${one}`, `sizeof ${one}`]);
        const theirs = gdb(
          linked,
          texts.map((text) => `output ${text}`),
        );
        texts.forEach((text, i) => {
          const own = evaluate(text, { names, source });
          const value = own.ok
            ? printValue(own.value, { symbolAt: (address) => symbolAt(opened.info, address) })
            : own.reason;
          assert.equal(value, theirs[i], text);
        });
      });
    });
  }

  it('is nobody where it was not loaded', () => {
    const path = object(['-gdwarf-5', '-O1', '-ffunction-sections'], ['frames.c']);
    const [kept] = placesOf(path).filter(({ name }) => name.startsWith('.text.'));
    const opened = DebugInfo.open(path, read(path), { places: [kept!] });
    assert.ok(opened.ok);
    const symbols = opened.info.map.symbolsInRange(0, 2 ** 32);
    assert.deepEqual(
      symbols.map(({ name }) => `.text.${name}`),
      [kept!.name],
    );
    assert.equal(opened.info.map.locate(1).line, undefined);
    const functions = opened.info.complete('', 500).flatMap((name) => opened.info.functionsNamed(name));
    assert.ok(functions.length > 0 && functions.every(({ entry }) => entry === kept!.address));
    const lines = opened.info.map.files().flatMap((file) => opened.info.map.statements(file, 1, 9999));
    assert.ok(lines.length > 0 && lines.every(({ address }) => address >= kept!.address));
  });

  it('is part of a program', () => {
    const main = compile('gcc', ['-gdwarf-5', '-O1', '-Wno-everything']);
    const path = object(['-gdwarf-5', '-O1'], ['frames.c']);
    const program = DebugInfo.open(main, read(main));
    assert.ok(program.ok);
    const { info } = program;
    const opened = info.openLoaded(path, read(path), placesOf(path));
    assert.ok(opened.ok);
    const own = opened.info.map.symbolsInRange(0, 2 ** 32);
    const [low, high] = [own[0]!.address, own.at(-1)!.limit];
    const parts: Parts = {
      at: (address) => (address >= low && address < high ? opened.info : undefined),
      open: [opened.info],
      naming: (file) => (file.endsWith('frames.c') ? [opened.info] : []),
    };
    const joined = joinProgram(info, parts);
    for (const [file, whole] of [
      ['main.c', info],
      ['frames.c', opened.info],
    ] as const) {
      const places = joined.map.statements(`/elsewhere/${file}`, 1, 9999);
      assert.ok(places.length > 5);
      assert.deepEqual(
        places,
        whole.map.statements(file, 1, 9999).sort((a, b) => a.line - b.line || a.address - b.address),
      );
      for (const { address } of places) {
        assert.deepEqual(joined.map.locate(address), whole.map.locate(address));
        assert.deepEqual(joined.map.lineSpan(address), whole.map.lineSpan(address));
        assert.deepEqual(
          joined.functionsAt(address).map((one) => one.name),
          whole.functionsAt(address).map((one) => one.name),
        );
      }
      for (const name of whole.complete('', 500))
        if (whole.global(name) !== undefined) {
          const variable = joined.global(name)!;
          assert.deepEqual(joined.locate(variable), whole.locate(whole.global(name)!), name);
        }
    }
  });

  it('takes damage without a throw or a long wait', () => {
    const path = object(['-gdwarf-5', '-O1'], ['frames.c']);
    const bytes = read(path);
    const places = placesOf(path);
    const { sections } = parsed(path);
    const tables = sections.filter(({ type }) => type === 9);
    assert.ok(tables.length > 3);
    const headers = new DataView(bytes.buffer, bytes.byteOffset).getUint32(32, true);
    const tried = (damaged: Uint8Array): void => {
      const began = process.cpuUsage();
      const opened = DebugInfo.open('damaged', damaged, { places });
      if (opened.ok) {
        for (const { address } of opened.info.map.symbolsInRange(0, 2 ** 32)) {
          opened.info.map.locate(address + 1);
          opened.info.functionsAt(address + 1).forEach(({ name }) => opened.info.parametersOf(name));
          opened.info.globalsAt(address + 1);
        }
        assert.ok(opened.info.problems.every((problem) => problem.length > 0));
      }
      // Of this process, whatever else the host is busy with.
      assert.ok(process.cpuUsage(began).user < 3e6);
    };
    const word = fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 1, 0xffff_ffff, 0x8000_0000, bytes.length));
    fc.assert(
      fc.property(fc.nat(tables.length - 1), fc.nat(), word, (which, at, value) => {
        // An entry: its place, its symbol and its type.
        const damaged = bytes.slice();
        const { offset, size } = tables[which]!;
        new DataView(damaged.buffer).setUint32(offset + (at % (size >> 2)) * 4, value, true);
        tried(damaged);
      }),
      { numRuns: 150, seed: 1 },
    );
    fc.assert(
      fc.property(fc.nat(tables.length - 1), fc.constantFrom(4, 16, 20, 24, 28, 36), word, (which, field, value) => {
        // A section header: type, offset, size, the symbols, what is relocated (itself, too), the size of an entry.
        const damaged = bytes.slice();
        new DataView(damaged.buffer).setUint32(headers + tables[which]!.index * 40 + field, value, true);
        tried(damaged);
      }),
      { numRuns: 150, seed: 2 },
    );
    fc.assert(
      fc.property(fc.nat(bytes.length), (length) => tried(bytes.slice(0, length))),
      { numRuns: 60, seed: 3 },
    );
    const itself = bytes.slice();
    for (const { index } of tables) new DataView(itself.buffer).setUint32(headers + index * 40 + 28, index, true);
    tried(itself);
    const unknown = bytes.slice();
    unknown[tables.find(({ name }) => name === '.rel.debug_info')!.offset + 4] = 10;
    const opened = DebugInfo.open('unknown', unknown, { places });
    assert.ok(opened.ok);
    assert.match(opened.info.problems.join(), /1 relocation of type 10/);
  });
});

const symbolAt = (info: DebugInfo, address: number): string | undefined => {
  const { function: name, offset } = info.map.locate(address);
  return name === undefined ? undefined : offset ? `${name}+${offset}` : name;
};
