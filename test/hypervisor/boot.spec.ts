// Boot protocols: what lands in memory and in the registers, checked against the specifications with images made here byte by byte and
// one linked by gcc; and one clear sentence for every kind of bad input.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bootImage, detectProtocol } from '../../src/hypervisor/boot/detect.ts';
import { StructWriter, type BootImage, type BootOptions, type BootResult } from '../../src/hypervisor/boot/image.ts';

const MIB = 1 << 20;

class Memory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  constructor(image: BootImage, size: number) {
    this.bytes = new Uint8Array(size);
    for (const load of image.loads) this.bytes.set(load.bytes, load.address);
    this.view = new DataView(this.bytes.buffer);
  }
  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  text(at: number): string {
    return new TextDecoder().decode(this.bytes.subarray(at, this.bytes.indexOf(0, at)));
  }
}

const options = (image: Uint8Array, more: Partial<BootOptions> = {}): BootOptions => ({
  image,
  cmdline: '',
  modules: [],
  memoryBytes: 16 * MIB,
  ...more,
});
const booted = (result: BootResult): BootImage => {
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result;
};
const refused = (result: BootResult, reason: RegExp, file = 'image'): void => {
  assert.ok(!result.ok, 'accepted');
  assert.match(result.reason, reason);
  assert.equal(result.file, file);
};

interface Segment {
  paddr: number;
  vaddr?: number;
  bytes: Uint8Array;
  memsz?: number;
}
/** An ELF32 file of the given segments; the first one starts with a Multiboot header if `flags` is given. */
function elf(segments: Segment[], entry: number, flags?: number, machine = 3): Uint8Array {
  const headers = 52 + segments.length * 32;
  const total = segments.reduce((sum, segment) => sum + segment.bytes.length, headers);
  const w = new StructWriter(total);
  w.u32(0, 0x464c457f).u8(4, 1).u8(5, 1).u8(6, 1).u16(16, 2).u16(18, machine).u32(20, 1).u32(24, entry).u32(28, 52);
  w.u16(40, 52).u16(42, 32).u16(44, segments.length).u16(46, 40);
  let at = headers;
  segments.forEach((segment, i) => {
    const ph = 52 + i * 32;
    w.u32(ph, 1)
      .u32(ph + 4, at)
      .u32(ph + 8, segment.vaddr ?? segment.paddr)
      .u32(ph + 12, segment.paddr);
    w.u32(ph + 16, segment.bytes.length)
      .u32(ph + 20, segment.memsz ?? segment.bytes.length)
      .u32(ph + 24, 7)
      .u32(ph + 28, 4);
    w.set(at, segment.bytes);
    at += segment.bytes.length;
  });
  if (flags !== undefined) header(w, Math.ceil(headers / 4) * 4, flags);
  return w.bytes;
}
const header = (w: StructWriter, at: number, flags: number): StructWriter =>
  w
    .u32(at, 0x1badb002)
    .u32(at + 4, flags)
    .u32(at + 8, -(0x1badb002 + flags) >>> 0);

const code = (length: number, seed: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * seed) & 0xff);

describe('Multiboot 1', () => {
  const kernel = elf(
    [
      { paddr: MIB, bytes: code(64, 3) },
      { paddr: 2 * MIB, vaddr: 0xc0200000, bytes: code(100, 5), memsz: 9000 },
    ],
    0xc0200010,
    3,
  );

  test('segments, machine state and information structure', () => {
    const modules = [
      { bytes: code(5000, 7), cmdline: 'first a=1' },
      { bytes: code(10, 9), cmdline: 'second' },
    ];
    const image = booted(bootImage(options(kernel, { cmdline: 'loop x=1', imageName: 'k.elf', modules })));
    assert.equal(image.protocol, 'multiboot1');
    const m = new Memory(image, 16 * MIB);
    assert.deepEqual(m.bytes.subarray(2 * MIB, 2 * MIB + 100), code(100, 5));
    const s = image.state;
    // 3.2: EAX, EBX, flat segments, PE without PG, IF and VM clear.
    assert.equal(s.eax, 0x2badb002);
    assert.equal(s.eip, 2 * MIB + 0x10, 'a virtual entry becomes physical');
    assert.equal(s.cr0 & 0x80000001, 1);
    assert.equal(s.eflags & 0x20200, 0);
    for (const segment of [s.cs, s.ds, s.es, s.fs, s.gs, s.ss])
      assert.deepEqual([segment.base, segment.limit], [0, 0xffffffff]);
    // The GDT in memory says what the hidden parts say.
    assert.equal(m.u32(s.gdtr.base + s.cs.selector + 4), 0x00cf9b00);
    assert.equal(m.u32(s.gdtr.base + s.ds.selector + 4), 0x00cf9300);

    const info = s.ebx;
    const flags = m.u32(info);
    assert.equal(flags & 0x24d, 0x24d);
    assert.equal(m.u32(info + 4), 639);
    assert.equal(m.u32(info + 8), 15 * 1024);
    assert.equal(m.text(m.u32(info + 16)), 'k.elf loop x=1');
    assert.equal(m.u32(info + 20), 2);
    const list = m.u32(info + 24);
    const [start, end] = [m.u32(list), m.u32(list + 4)];
    assert.equal(start % 4096, 0);
    assert.ok(start >= 2 * MIB + 9000, 'behind the zero-filled part');
    assert.deepEqual(m.bytes.subarray(start, end), code(5000, 7));
    assert.equal(m.text(m.u32(list + 8)), 'first a=1');
    assert.equal(m.u32(list + 16 + 4) - m.u32(list + 16), 10);
    assert.equal(m.text(m.u32(list + 16 + 8)), 'second');
    assert.equal(m.text(m.u32(info + 64)), 'Kansoku');
    const [mapLength, map] = [m.u32(info + 44), m.u32(info + 48)];
    const usable: [number, number][] = [];
    for (let at = map; at < map + mapLength; at += m.u32(at) + 4)
      if (m.u32(at + 20) === 1) usable.push([m.u32(at + 4), m.u32(at + 12)]);
    assert.deepEqual(usable, [
      [0, 0x9fc00],
      [MIB, 15 * MIB],
    ]);
  });

  test('the information structure keeps clear of a kernel in low memory', () => {
    const low = elf([{ paddr: 0x8000, bytes: code(0x20000, 3) }], 0x8000, 0);
    const image = booted(bootImage(options(low)));
    assert.ok(image.state.ebx >= MIB);
    const high = booted(bootImage(options(kernel)));
    assert.ok(high.state.ebx < 0xa0000);
  });

  test('address fields load a file that is not an ELF', () => {
    const w = new StructWriter(5000);
    w.set(0, code(5000, 11));
    header(w, 0x40, 0x10003);
    w.u32(0x4c, 0x100040).u32(0x50, 0x100000).u32(0x54, 0x101000).u32(0x58, 0x108000).u32(0x5c, 0x100100);
    const image = booted(bootImage(options(w.bytes)));
    const m = new Memory(image, 16 * MIB);
    assert.deepEqual(m.bytes.subarray(MIB, MIB + 4096), w.bytes.subarray(0, 4096));
    assert.equal(m.bytes[MIB + 4097], 0, 'nothing beyond load_end_addr');
    assert.equal(image.state.eip, 0x100100);
    w.u32(0x54, 0x109000);
    refused(bootImage(options(w.bytes)), /truncated: load_end_addr 0x109000/);
  });

  test('a kernel that gcc links, with its symbol table', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kansoku-boot-'));
    try {
      writeFileSync(
        join(folder, 'k.S'),
        '.section .mb,"a"\n.long 0x1BADB002,2,-(0x1BADB004)\n.text\n.globl _start\n_start: mov $marker,%eax\n hlt\n.data\n.globl marker\nmarker: .long 0x12345678\n.section .note.GNU-stack,"",@progbits\n',
      );
      writeFileSync(
        join(folder, 'k.ld'),
        'ENTRY(_start) SECTIONS { . = 1M; .text : { *(.mb) *(.text) } .data : { *(.data) } .bss : { *(.bss) } }',
      );
      execFileSync('gcc', [
        '-m32',
        '-nostdlib',
        '-static',
        '-no-pie',
        '-Wl,--build-id=none',
        '-T',
        join(folder, 'k.ld'),
        '-o',
        join(folder, 'k.elf'),
        join(folder, 'k.S'),
      ]);
    } catch {
      rmSync(folder, { recursive: true });
      t.skip('no 32-bit gcc');
      return;
    }
    const bytes = new Uint8Array(readFileSync(join(folder, 'k.elf')));
    const image = booted(bootImage(options(bytes)));
    const m = new Memory(image, 16 * MIB);
    assert.equal(m.bytes[image.state.eip], 0xb8);
    const marker = m.u32(image.state.eip + 1);
    assert.equal(m.u32(marker), 0x12345678);
    // The kernel finds `marker` by the section headers it was given.
    const info = image.state.ebx;
    assert.equal(m.u32(info) & 32, 32);
    const [count, size, table] = [m.u32(info + 28), m.u32(info + 32), m.u32(info + 36)];
    let found = 0;
    for (let i = 0; i < count; i++) {
      const section = table + i * size;
      if (m.u32(section + 4) !== 2) continue;
      const [symbols, length, strings] = [
        m.u32(section + 12),
        m.u32(section + 20),
        m.u32(table + m.u32(section + 24) * size + 12),
      ];
      for (let at = symbols; at < symbols + length; at += 16)
        if (m.text(strings + m.u32(at)) === 'marker') found = m.u32(at + 4);
    }
    assert.equal(found, marker);
    rmSync(folder, { recursive: true });
  });

  test('refusals', () => {
    refused(
      bootImage(options(elf([{ paddr: 15 * MIB, bytes: code(32, 1), memsz: 2 * MIB }], MIB, 0))),
      /segment 0 at 0xf00000 to 0x10fffff lies outside the memory of 16 MiB; give the machine 17 MiB/,
    );
    refused(bootImage(options(elf([{ paddr: 0x9f000, bytes: code(0x2000, 1) }], 0, 0))), /overlaps the video memory/);
    refused(bootImage(options(elf([{ paddr: MIB, bytes: code(32, 1) }], MIB, 0x100))), /requires features/);
    refused(bootImage(options(kernel.subarray(0, kernel.length - 60))), /truncated: segment 1/);
    refused(
      bootImage(options(kernel, { modules: [{ bytes: new Uint8Array(20 * MIB), cmdline: '' }] })),
      /module 1 of 20 MiB ends at/,
      'module',
    );
    refused(bootImage(options(kernel, { initrd: code(4, 1) })), /modules, not an initrd/, 'initrd');
    refused(bootImage(options(kernel, { memoryBytes: 0 })), /too small/, 'options');
    refused(bootImage(options(kernel, { memoryBytes: 0xffff0000 })), /too large/, 'options');
    refused(bootImage(options(kernel, { memoryBytes: 5000000 })), /not a multiple/, 'options');
  });
});

describe('Linux', () => {
  const bzImage = (change: (w: StructWriter) => void = () => undefined): Uint8Array => {
    const w = new StructWriter(512 * 5 + 8192);
    w.u8(0x1f1, 4).u16(0x1fe, 0xaa55).u8(0x200, 0xeb).u8(0x201, 0x66).u32(0x202, 0x53726448).u16(0x206, 0x20f);
    w.u8(0x211, 1)
      .u32(0x214, MIB)
      .u32(0x22c, 0x37ffffff)
      .u32(0x238, 2047)
      .u32(0x258, 4 * MIB)
      .u32(0x260, 3 * MIB);
    w.set(512 * 5, code(8192, 13));
    change(w);
    return w.bytes;
  };

  test('zero page, command line, initrd and machine state', () => {
    const initrd = code(10000, 17);
    const image = booted(bootImage(options(bzImage(), { cmdline: 'console=ttyS0 nokaslr', initrd })));
    assert.equal(image.protocol, 'linux');
    const m = new Memory(image, 16 * MIB);
    const s = image.state;
    assert.equal(s.eip, MIB);
    assert.deepEqual(m.bytes.subarray(MIB, MIB + 8192), code(8192, 13));
    assert.deepEqual([s.ebx, s.ebp, s.edi, s.eflags & 0x200, s.cr0 & 0x80000001], [0, 0, 0, 0, 1]);
    assert.deepEqual([s.cs.selector, s.ds.selector, s.es.selector, s.ss.selector], [0x10, 0x18, 0x18, 0x18]);
    assert.equal(m.u32(s.gdtr.base + 0x14), 0x00cf9b00);
    assert.equal(m.u32(s.gdtr.base + 0x1c), 0x00cf9300);
    const zero = s.esi;
    assert.equal(m.u32(zero + 0x202), 0x53726448);
    assert.equal(m.bytes[zero + 0x210], 0xff);
    assert.equal(m.text(m.u32(zero + 0x228)), 'console=ttyS0 nokaslr');
    const [at, length] = [m.u32(zero + 0x218), m.u32(zero + 0x21c)];
    assert.deepEqual(m.bytes.subarray(at, at + length), initrd);
    assert.ok(at % 4096 === 0 && at + length <= 16 * MIB && at >= 7 * MIB);
    assert.deepEqual([m.bytes[zero + 6], m.bytes[zero + 7], m.bytes[zero + 0xe], m.bytes[zero + 0xf]], [3, 80, 25, 1]);
    const entries = m.bytes[zero + 0x1e8]!;
    const e820 = Array.from({ length: entries }, (_, i) => [
      m.u32(zero + 0x2d0 + i * 20),
      m.u32(zero + 0x2d0 + i * 20 + 8),
      m.u32(zero + 0x2d0 + i * 20 + 16),
    ]);
    assert.deepEqual(e820, [
      [0, 0x9fc00, 1],
      [0x9fc00, 0x400, 2],
      [0xf0000, 0x10000, 2],
      [MIB, 15 * MIB, 1],
    ]);
  });

  test('the initrd stays below initrd_addr_max', () => {
    const initrd = code(5000, 3);
    const image = booted(
      bootImage(
        options(
          bzImage((w) => w.u32(0x22c, 9 * MIB - 1)),
          { initrd },
        ),
      ),
    );
    const m = new Memory(image, 16 * MIB);
    assert.equal(m.u32(image.state.esi + 0x218), 9 * MIB - 8192);
  });

  test('refusals', () => {
    refused(bootImage(options(bzImage((w) => w.u16(0x206, 0x204)))), /boot protocol 2\.04 is too old/);
    refused(bootImage(options(bzImage((w) => w.u8(0x211, 0)))), /zImage/);
    refused(bootImage(options(bzImage((w) => w.u16(0x236, 1)))), /64-bit Linux kernel/);
    refused(bootImage(options(bzImage().subarray(0, 2000))), /truncated/);
    refused(
      bootImage(options(bzImage(), { memoryBytes: 6 * MIB })),
      /needs memory from 0x100000 to 0x6fffff, the machine has 6 MiB; give it 7 MiB/,
    );
    refused(
      bootImage(options(bzImage(), { initrd: new Uint8Array(10 * MIB) })),
      /initrd of 10 MiB does not fit/,
      'initrd',
    );
    refused(bootImage(options(bzImage(), { cmdline: 'x'.repeat(3000) })), /takes 2047 at most/, 'options');
  });
});

describe('detection', () => {
  test('names what a file is', () => {
    assert.equal(detectProtocol(new Uint8Array(0)), undefined);
    refused(bootImage(options(new Uint8Array(0))), /empty/);
    refused(
      bootImage(options(new TextEncoder().encode('#!/bin/sh\necho'))),
      /not an ELF file.*Multiboot ELF file or a Linux bzImage is expected/,
    );
    refused(
      bootImage(options(elf([{ paddr: MIB, bytes: code(16, 1) }], MIB))),
      /without a Multiboot header in its first 8192 bytes/,
    );
    refused(bootImage(options(elf([{ paddr: MIB, bytes: code(16, 1) }], MIB, undefined, 40))), /ELF file for ARM/);
    const two = new StructWriter(64);
    two
      .u32(0, 0xe85250d6)
      .u32(8, 16)
      .u32(12, -(0xe85250d6 + 16) >>> 0);
    refused(bootImage(options(two.bytes)), /Multiboot 2/);
  });
});
