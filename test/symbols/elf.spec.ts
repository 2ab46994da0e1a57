// The ELF container: what it reads from a linked sample, and the sentence for each file it refuses.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Elf, parseElf } from '../../src/machine/elf.ts';
import { compile, missing, read, tool } from './toolchain.ts';

/** A header with one LOAD segment of the 16 bytes at 0x60 and a section table of one null entry. */
function image(change: (view: DataView) => void = () => {}, size = 0x98): Uint8Array {
  const bytes = new Uint8Array(0x98);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const half: Record<number, number> = { 16: 2, 18: 3, 40: 52, 42: 32, 44: 1, 46: 40, 48: 1 };
  for (const [at, value] of Object.entries(half)) view.setUint16(Number(at), value, true);
  view.setUint32(24, 0x10000c, true);
  view.setUint32(28, 0x34, true);
  view.setUint32(32, 0x70, true);
  [1, 0x60, 0x100000, 0x200000, 16, 32, 5, 4].forEach((value, i) => view.setUint32(0x34 + 4 * i, value, true));
  change(view);
  return bytes.slice(0, size);
}

const refusal = (bytes: Uint8Array) => {
  const result = parseElf(bytes);
  assert.ok(!result.ok);
  return [result.problem, result.reason];
};

describe('parseElf', () => {
  it('reads the header and the segments', () => {
    const result = parseElf(image());
    assert.ok(result.ok);
    const { elf } = result;
    assert.equal(elf.type, Elf.ET_EXEC);
    assert.equal(elf.entry, 0x10000c);
    assert.deepEqual(elf.programHeaders, [
      {
        index: 0,
        type: Elf.PT_LOAD,
        offset: 0x60,
        virtualAddress: 0x100000,
        physicalAddress: 0x200000,
        fileSize: 16,
        memorySize: 32,
        flags: Elf.PF_R | Elf.PF_X,
        align: 4,
      },
    ]);
    const segment = elf.segmentBytes(elf.programHeaders[0]!);
    assert.ok(segment.ok && segment.bytes.length === 16 && segment.bytes.byteOffset === 0x60);
  });

  it('reads a file that lies inside a larger buffer', () => {
    const larger = new Uint8Array(0x198);
    larger.set(image(), 0x100);
    const result = parseElf(larger.subarray(0x100));
    assert.ok(result.ok && result.elf.entry === 0x10000c);
  });

  it('says why it refuses a file', () => {
    const u16 = (at: number, value: number) => (view: DataView) => view.setUint16(at, value, true);
    const u32 = (at: number, value: number) => (view: DataView) => view.setUint32(at, value, true);
    const table: [Uint8Array, string, string][] = [
      [new Uint8Array(0), 'not-elf', 'the file is empty'],
      [
        new Uint8Array([0x4d, 0x5a, 0x90, 0]),
        'not-elf',
        'not an ELF file: it starts with the bytes 4d 5a 90 00 instead of 7f 45 4c 46',
      ],
      [
        image((view) => (view.setUint8(4, 2), view.setUint16(18, 62, true))),
        'elf64',
        'a 64-bit ELF file for x86-64: only 32-bit i386 files run here',
      ],
      [image(u16(18, 40)), 'other-machine', 'an ELF file for ARM, not for i386'],
      [image(u16(18, 999)), 'other-machine', 'an ELF file for machine number 999, not for i386'],
      [
        image((view) => (view.setUint8(5, 2), view.setUint16(18, 20, false))),
        'big-endian',
        'a big-endian ELF file for PowerPC, not for i386',
      ],
      [image(undefined, 51), 'truncated', 'truncated: the ELF header ends 1 byte after the end of the file'],
      [
        image(undefined, 0x90),
        'truncated',
        'truncated: the section header table (1 entry at 0x70) ends 8 bytes after the end of the file',
      ],
      [
        image(u16(44, 5)),
        'truncated',
        'truncated: the program header table (5 entries at 0x34) ends 60 bytes after the end of the file',
      ],
      [
        image(u32(32, 0xffffffff)),
        'truncated',
        'truncated: the section header table (1 entry at 0xffffffff) ends 4294967183 bytes after the end of the file',
      ],
      [image((view) => view.setUint8(4, 7)), 'damaged', 'damaged ELF header: file class 7 does not exist'],
      [image((view) => view.setUint8(5, 0)), 'damaged', 'damaged ELF header: data encoding 0 does not exist'],
      [image(u16(42, 8)), 'damaged', 'damaged ELF header: program headers of 8 bytes instead of 32'],
      [image(u16(46, 0)), 'damaged', 'damaged ELF header: section headers of 0 bytes instead of 40'],
    ];
    for (const [bytes, problem, reason] of table) assert.deepEqual(refusal(bytes), [problem, reason]);
  });

  it('gives the segments that are there, and says by how much another lies outside', () => {
    const result = parseElf(image((view) => view.setUint32(0x34 + 16, 100, true)));
    assert.ok(result.ok);
    assert.deepEqual(result.elf.segmentBytes(result.elf.programHeaders[0]!), {
      ok: false,
      problem: 'truncated',
      reason: 'truncated: segment 0 ends 44 bytes after the end of the file',
    });
  });
});

describe('a linked file', { skip: missing('gcc') }, () => {
  it('has the sections, segments and notes of readelf', () => {
    const path = compile('gcc', ['-gdwarf-5', '-O2']);
    const result = parseElf(read(path));
    assert.ok(result.ok);
    const { elf } = result;
    const sections = [
      ...tool('readelf', '-SW', path).matchAll(
        /^ +\[ *(\d+)\] (\S+) +\S+ +([0-9a-f]{8}) ([0-9a-f]{6}) ([0-9a-f]{6}) /gm,
      ),
    ].map(([, index, name, ...rest]) => [Number(index), name, ...rest.map((text) => parseInt(text, 16))]);
    assert.ok(sections.length > 10);
    assert.deepEqual(
      elf.sections.slice(1).map((s) => [s.index, s.name, s.address, s.offset, s.size]),
      sections,
    );
    const segments = [
      ...tool('readelf', '-lW', path).matchAll(
        /^ +[A-Z_]+ +(0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+) [RWE ]{3} /gm,
      ),
    ].map(([, ...fields]) => fields.map(Number));
    assert.deepEqual(
      elf.programHeaders.map((p) => [p.offset, p.virtualAddress, p.physicalAddress, p.fileSize, p.memorySize]),
      segments,
    );
    const buildId = /Build ID: ([0-9a-f]+)/.exec(tool('readelf', '-n', path))![1];
    const note = elf.notes().find(({ name, type }) => name === 'GNU' && type === 3);
    assert.equal(Buffer.from(note!.description).toString('hex'), buildId);
  });

  it('says that .bss has no bytes', () => {
    const result = parseElf(read(compile('gcc', ['-O2'])));
    assert.ok(result.ok);
    const bss = result.elf.sectionBytes(result.elf.section('.bss')!);
    assert.deepEqual(bss, { ok: false, problem: 'no-bytes-in-file', reason: 'section .bss has no bytes in the file' });
  });
});
