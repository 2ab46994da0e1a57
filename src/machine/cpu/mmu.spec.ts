// Paging: random page tables, 32-bit and PAE, against a walk written from SDM vol. 3, ch. 4 with nothing cached; then what caching must
// keep to (INVLPG, MOV to CR3), accesses across pages, devices behind paging, and pages that hold code.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import type { Device } from '../devices/device.ts';
import { StateLayout } from './state.ts';

const machine = new BareProcessor(1 << 23);
const { cpu, memory } = machine;
const s = cpu.s;
const mmu = cpu.mmu;

const PE = 1, WP = 1 << 16, PG = 1 << 31; // prettier-ignore
const PSE = 16, PAE = 32; // prettier-ignore
const ROOT = 0x1000;

interface Access {
  readonly linear: number;
  readonly size: 1 | 2 | 4;
  readonly write: boolean;
  readonly user: boolean;
}
interface Mode {
  readonly pae: boolean;
  readonly pse: boolean;
  readonly wp: boolean;
}
type Walk =
  { readonly pa: number; readonly entries: readonly { at: number; leaf: boolean }[] } | { readonly error: number };

/** SDM vol. 3, 4.3, 4.4, 4.6, 4.7: what an access to one page does. `read32`: physical memory. */
const walk = (read32: (pa: number) => number, mode: Mode, linear: number, write: boolean, user: boolean): Walk => {
  const code = (write ? 2 : 0) | (user ? 4 : 0);
  const entries: { at: number; leaf: boolean }[] = [];
  const levels = mode.pae
    ? [{ shift: 30, bits: 2 }, { shift: 21, bits: 9 }, { shift: 12, bits: 9 }]
    : [{ shift: 22, bits: 10 }, { shift: 12, bits: 10 }]; // prettier-ignore
  const bytes = mode.pae ? 8 : 4;
  let table = ROOT;
  let writable = true;
  let forUser = true;
  for (const [i, { shift, bits }] of levels.entries()) {
    const at = table + ((linear >>> shift) & ((1 << bits) - 1)) * bytes;
    const entry = read32(at);
    const high = mode.pae ? read32(at + 4) : 0;
    if (!(entry & 1)) return { error: code };
    const pointer = mode.pae && i === 0;
    const last = i === levels.length - 1;
    const large = !pointer && !last && (entry & 0x80) !== 0 && (mode.pae || mode.pse);
    const reserved = high !== 0 || (large && (entry & (mode.pae ? 0x1fe000 : 0x3fe000)) !== 0);
    if (reserved) return { error: code | 1 | 8 };
    if (!pointer) {
      writable &&= (entry & 2) !== 0;
      forUser &&= (entry & 4) !== 0;
      entries.push({ at, leaf: last || large });
    }
    if (last || large) {
      if (user && !forUser) return { error: code | 1 };
      if (write && !writable && (user || mode.wp)) return { error: code | 1 };
      const offset = 2 ** shift - 1;
      return { pa: ((entry & ~offset & 0xfffff000) | (linear & offset)) >>> 0, entries };
    }
    table = (entry & 0xfffff000) >>> 0;
  }
  throw new Error('unreachable');
};

const RAM = machine.bytes;
/** Large pages lie here; the frames of small ones below 1 MiB. */
const LARGE = 0x400000;
/** Every word that the accesses can reach gets a value of its own. */
const fill = (): void => {
  for (const [first, end] of [[0x10000, 0x100000], [LARGE, LARGE + 0x2000], [0x5fe000, 0x600000], [0x7fe000, RAM]] as const)
    for (let at = first; at < end; at += 4) memory.write32(at, Math.imul(at, 0x9e3779b1) ^ 0x5bd1e995); // prettier-ignore
};

const enter = (mode: Mode): void => {
  s.cr3 = ROOT;
  s.cr4 = 0x600 | (mode.pse ? PSE : 0) | (mode.pae ? PAE : 0);
  s.cr0 = 0x33 | PE | PG | (mode.wp ? WP : 0);
  if (mode.pae) assert.ok(mmu.loadPdptes(ROOT));
  mmu.controlsChanged();
  cpu.modeDirty = true;
};

/** Bits of an entry that matter, in the frequency that makes most walks interesting. */
const bits = fc.record({
  present: fc.nat(9).map((n) => n > 0),
  writable: fc.nat(3).map((n) => n > 0),
  user: fc.nat(3).map((n) => n > 0),
  accessed: fc.boolean(),
  dirty: fc.boolean(),
  large: fc.nat(5).map((n) => n === 0),
  reserved: fc.nat(15).map((n) => n === 0),
});
type Bits = typeof bits extends fc.Arbitrary<infer T> ? T : never;
const flags = (b: Bits): number =>
  (b.present ? 1 : 0) | (b.writable ? 2 : 0) | (b.user ? 4 : 0) | (b.accessed ? 0x20 : 0) | (b.dirty ? 0x40 : 0);

/** Four pages of linear memory around a border of tables: L-2, L-1, L, L+1, in two page tables. */
const BORDER = 0x00c00000;
const FIRST = BORDER - 0x2000;
const PAGES = 4;
const TABLES = [0x4000, 0x5000];
const layout = fc.record({
  directory: fc.tuple(bits, bits),
  pages: fc.array(fc.record({ bits, frame: fc.integer({ min: 0x10, max: 0xff }) }), {
    minLength: PAGES,
    maxLength: PAGES,
  }),
});
type Layout = typeof layout extends fc.Arbitrary<infer T> ? T : never;

const build = (mode: Mode, { directory, pages }: Layout): void => {
  for (let at = ROOT; at < 0x8000; at += 4) memory.write32(at, 0);
  const bytes = mode.pae ? 8 : 4;
  let root = ROOT;
  if (mode.pae) {
    memory.write32(ROOT, 0x2001);
    root = 0x2000;
  }
  const shift = mode.pae ? 21 : 22;
  for (const [i, entry] of directory.entries()) {
    const at = root + ((BORDER >>> shift) - 1 + i) * bytes;
    // Without CR4.PSE bit 7 says nothing: the entry points to a table.
    const isLarge = entry.large && (mode.pae || mode.pse);
    const large = isLarge ? LARGE | 0x80 | (entry.reserved ? 0x4000 : 0) : TABLES[i]! | (entry.large ? 0x80 : 0);
    memory.write32(at, large | flags(entry));
    if (mode.pae && entry.reserved && !isLarge) memory.write32(at + 4, 0x10);
  }
  for (const [i, { bits: b, frame }] of pages.entries()) {
    const linear = FIRST + i * 4096;
    const at = TABLES[linear < BORDER ? 0 : 1]! + ((linear >>> 12) & (mode.pae ? 0x1ff : 0x3ff)) * bytes;
    memory.write32(at, (frame << 12) | flags(b));
    if (mode.pae && b.reserved) memory.write32(at + 4, 0x8000_0000);
  }
};

const access = fc.record({
  linear: fc.oneof(
    fc.integer({ min: FIRST, max: FIRST + PAGES * 4096 - 5 }),
    fc
      .tuple(fc.integer({ min: 1, max: PAGES - 1 }), fc.integer({ min: 1, max: 3 }))
      .map(([page, back]) => FIRST + page * 4096 - back),
  ),
  size: fc.constantFrom(1 as const, 2 as const, 4 as const),
  write: fc.boolean(),
  user: fc.boolean(),
  value: fc.integer({ min: 0, max: 0xffffffff }),
});
const modes = fc.record({ pae: fc.boolean(), pse: fc.boolean(), wp: fc.boolean() });

/** Physical memory as the reference sees it. */
class Reference {
  readonly ram = memory.ram.slice();
  readonly view = new DataView(this.ram.buffer);
  readonly read32 = (pa: number): number => this.view.getUint32(pa, true);
  readonly mode: Mode;
  constructor(mode: Mode) {
    this.mode = mode;
  }
  /** What was read, or error code and address of the #PF. */
  access(a: Access, value: number): { result: number } | { fault: [number, number] } {
    const pieces: number[] = [];
    const firstBytes = Math.min(a.size, 4096 - (a.linear & 0xfff));
    const starts = firstBytes < a.size ? [a.linear, a.linear + firstBytes] : [a.linear];
    const walks: Walk[] = [];
    for (const linear of starts) {
      const w = walk(this.read32, this.mode, linear, a.write, a.user);
      if ('error' in w) return { fault: [w.error, linear] };
      walks.push(w);
    }
    for (const w of walks)
      if ('pa' in w)
        for (const { at, leaf } of w.entries)
          this.view.setUint32(at, this.read32(at) | 0x20 | (leaf && a.write ? 0x40 : 0), true);
    for (const w of walks) if ('pa' in w) pieces.push(w.pa);
    let result = 0;
    for (let i = 0; i < a.size; i++) {
      const pa = i < firstBytes ? pieces[0]! + i : pieces[1]! + i - firstBytes;
      if (a.write) this.ram[pa] = (value >>> (8 * i)) & 0xff;
      else result += this.ram[pa]! * 2 ** (8 * i);
    }
    return { result };
  }
}

describe('paging against a plain walk', () => {
  beforeEach(() => {
    machine.reset();
    fill();
  });
  const PROGRAM = 0x8000;

  it('values, faults, error codes, CR2, A and D bits; TLB warm from access to access', () => {
    fc.assert(
      fc.property(
        modes,
        layout,
        fc.array(access, { minLength: 1, maxLength: 25, size: 'max' }),
        (mode, tables, accesses) => {
          build(mode, tables);
          enter(mode);
          const reference = new Reference(mode);
          for (const a of accesses) {
            const expected = reference.access(a, a.value);
            cpu.clearFault();
            const got = a.write
              ? (mmu.write(a.linear, a.size, a.value, a.user), 0)
              : mmu.read(a.linear, a.size, a.user);
            const where = JSON.stringify({ mode, a, linear: a.linear.toString(16) });
            if ('fault' in expected) {
              assert.equal(s.get(StateLayout.faultVector), 15, where);
              assert.deepEqual([s.get(StateLayout.faultError), cpu.faultAddress], expected.fault, where);
              // A processor may set the flags of one page when the other faults; here the tables go on as they are.
              for (let at = ROOT; at < 0x6000; at += 4) {
                const mine = reference.read32(at);
                assert.equal(memory.read32(at) & ~0x60, mine & ~0x60, where);
                if ((memory.read32(at) ^ mine) !== 0)
                  assert.ok((a.linear & 0xfff) + a.size > 4096, `${where}: flags of entry ${at.toString(16)}`);
                reference.view.setUint32(at, memory.read32(at), true);
              }
            } else {
              assert.equal(cpu.faulted, false, where);
              if (!a.write) assert.equal(got, expected.result, where);
            }
          }
          assert.ok(Buffer.compare(memory.ram, reference.ram) === 0, 'RAM');
        },
      ),
      { numRuns: 250, seed: 21 },
    );
  });

  it('the same through translated code', () => {
    // The program runs in identity-mapped pages of its own; data accesses go to the four pages.
    fc.assert(
      fc.property(
        modes,
        layout,
        fc.array(access, { minLength: 1, maxLength: 12, size: 'max' }),
        (mode, tables, accesses) => {
          build(mode, tables);
          // First 4 MiB (2 MiB) of linear memory: user, writable, table at 6000h.
          const bytes = mode.pae ? 8 : 4;
          memory.write32(mode.pae ? 0x2000 : ROOT, 0x6067);
          for (let page = 0; page < 256; page++) memory.write32(0x6000 + page * bytes, (page << 12) | 0x67);
          enter(mode);
          const reference = new Reference(mode);
          for (const a of accesses) {
            // mov eax,[ebx] / mov [ebx],eax in three sizes
            const op = a.size === 1 ? [a.write ? 0x88 : 0x8a] : [a.write ? 0x89 : 0x8b];
            const code = [...(a.size === 2 ? [0x66] : []), ...op, 0x03];
            machine.load(PROGRAM, code);
            reference.ram.set(code, PROGRAM);
            s.cpl = a.user ? 3 : 0;
            s.setSegment(1, a.user ? 0xb : 8, 0, 0xffffffff, a.user ? 0xc0fb : 0xc09b);
            cpu.modeDirty = true;
            s.eip = PROGRAM;
            s.setGpr(0, a.write ? a.value : 0);
            s.setGpr(3, a.linear);
            machine.faults.length = 0;
            const expected = reference.access(a, a.value);
            machine.processor.step();
            const where = JSON.stringify({ mode, a, linear: a.linear.toString(16) });
            if ('fault' in expected) {
              const [fault] = machine.faults;
              assert.ok(fault, where);
              assert.deepEqual(
                [fault.vector, fault.error, fault.address, s.eip],
                [14, ...expected.fault, PROGRAM],
                where,
              );
              for (let at = ROOT; at < 0x6000; at += 4) reference.view.setUint32(at, memory.read32(at), true);
            } else {
              assert.deepEqual(machine.faults, [], where);
              if (!a.write) assert.equal(s.gpr(0), expected.result, where);
            }
          }
          for (const area of [
            [0x1000, 0x6000],
            [0x10000, RAM],
          ] as const)
            assert.ok(Buffer.compare(memory.ram.subarray(...area), reference.ram.subarray(...area)) === 0, 'RAM');
        },
      ),
      { numRuns: 150, seed: 22 },
    );
  });
});

describe('what the TLB must keep to', () => {
  const LINEAR = 0x400000;
  const PTE = 0x4000;
  beforeEach(() => {
    machine.reset();
    memory.write32(ROOT + 4, 0x4007);
    memory.write32(ROOT, 0x6007);
    for (let page = 0; page < 256; page++) memory.write32(0x6000 + page * 4, (page << 12) | 7);
    memory.write32(PTE, 0x20007);
    memory.write32(PTE + 4, 0x21007);
    memory.write32(0x20000, 0x11111111);
    memory.write32(0x21000, 0x22222222);
    memory.write32(0x30000, 0x33333333);
    enter({ pae: false, pse: false, wp: true });
  });
  const read = (linear = LINEAR): number => mmu.read(linear, 4, false);

  it('INVLPG of one page; MOV to CR3 of all', () => {
    assert.equal(read(), 0x11111111);
    assert.equal(read(LINEAR + 4096), 0x22222222);
    memory.write32(PTE, 0x30007);
    memory.write32(PTE + 4, 0x30007);
    mmu.invalidatePage(LINEAR + 123);
    assert.equal(read(), 0x33333333);
    s.cr3 = ROOT;
    mmu.flushNonGlobal();
    assert.equal(read(LINEAR + 4096), 0x33333333);
  });
  it('INVLPG of both rights', () => {
    assert.equal(mmu.read(LINEAR, 4, true), 0x11111111);
    memory.write32(PTE, 0);
    mmu.invalidatePage(LINEAR);
    mmu.read(LINEAR, 4, true);
    assert.deepEqual([cpu.faulted, cpu.faultAddress, s.get(StateLayout.faultError)], [true, LINEAR, 4]);
  });
  it('code runs at its new place after INVLPG', () => {
    memory.write8(0x20000, 0x40);
    memory.write8(0x30000, 0x43);
    memory.write8(0x20001, 0xeb);
    memory.write8(0x20002, 0xfd);
    memory.write8(0x30001, 0xeb);
    memory.write8(0x30002, 0xfd);
    s.eip = LINEAR;
    machine.run(20);
    assert.equal(s.gpr(0), 10);
    memory.write32(PTE, 0x30007);
    mmu.invalidatePage(LINEAR);
    machine.run(20);
    assert.deepEqual([s.gpr(0), s.gpr(3)], [10, 10]);
  });
  it('the dirty bit comes with the first store, also after loads', () => {
    read();
    assert.equal(memory.read32(PTE) & 0x60, 0x20);
    read();
    mmu.write(LINEAR, 4, 5, false);
    assert.equal(memory.read32(PTE) & 0x60, 0x60);
  });
  it('a dirty bit that software cleared is set again after INVLPG', () => {
    mmu.write(LINEAR, 4, 5, false);
    memory.write32(PTE, 0x20027);
    mmu.invalidatePage(LINEAR);
    read();
    assert.equal(memory.read32(PTE) & 0x40, 0);
    mmu.write(LINEAR, 4, 6, false);
    assert.equal(memory.read32(PTE) & 0x40, 0x40);
  });
  it('a store across pages whose second faults stores nothing; its address is the second page', () => {
    memory.write32(PTE + 4, 0x21005);
    const before = memory.read32(0x20ffc);
    assert.equal(mmu.write(LINEAR + 4094, 4, 0xffffffff, false), false);
    assert.deepEqual([cpu.faultAddress, s.get(StateLayout.faultError)], [LINEAR + 4096, 3]);
    assert.equal(memory.read32(0x20ffc), before);
  });
  it('a store to a page that holds code reaches RAM and the code, each time', () => {
    memory.write8(0x20000, 0x40);
    memory.write8(0x20001, 0xf4);
    for (const opcode of [0x40, 0x43, 0x41, 0x42]) {
      mmu.write(LINEAR, 1, opcode, false);
      for (let r = 0; r < 4; r++) s.setGpr(r, 0);
      s.eip = LINEAR;
      machine.run(1);
      assert.equal(s.gpr(opcode & 7), 1);
    }
  });
  it('a device behind paging: offset, size and value as the instruction had them', () => {
    const log: unknown[] = [];
    const device: Device = {
      name: 'probe',
      read: (offset, size) => (
        log.push(['read', offset, size]),
        0xa5a5a5a5 & (size === 4 ? -1 : (1 << (8 * size)) - 1)
      ),
      write: (offset, size, value) => void log.push(['write', offset, size, value]),
      registerName: () => '',
      reset: () => undefined,
      saveState: () => [],
      loadState: () => undefined,
    };
    machine.bus.claimMemory(0xb8000, 0x8000, device);
    memory.write32(PTE, 0xb8007);
    mmu.invalidatePage(LINEAR);
    // mov [ebx],ax; mov eax,[ebx]; add byte [ebx],1; mov [ebx],eax twice
    machine.load(0x8000, [0x66, 0x89, 0x03, 0x8b, 0x03, 0x80, 0x03, 0x01, 0x89, 0x03, 0x89, 0x03]);
    s.eip = 0x8000;
    s.setGpr(0, 0x12345678);
    s.setGpr(3, LINEAR + 0x10);
    machine.run(5);
    assert.deepEqual(machine.faults, []);
    assert.deepEqual(log, [
      ['write', 0x10, 2, 0x5678],
      ['read', 0x10, 4],
      ['read', 0x10, 1],
      ['write', 0x10, 1, 0xa6],
      ['write', 0x10, 4, 0xa5a5a5a5],
      ['write', 0x10, 4, 0xa5a5a5a5],
    ]);
  });
  it('REP STOS into a page that is missing: the iterations before it count, and it goes on', () => {
    memory.write32(PTE + 4, 0);
    mmu.invalidatePage(LINEAR + 4096);
    machine.load(0x8000, [0xf3, 0xab]);
    s.eip = 0x8000;
    s.setGpr(0, 0x77);
    s.setGpr(1, 20);
    s.setGpr(7, LINEAR + 4096 - 40);
    machine.run(100);
    const [fault] = machine.faults;
    assert.deepEqual(fault, { vector: 14, error: 2, address: LINEAR + 4096, eip: 0x8000, retired: 10 });
    assert.deepEqual([s.gpr(1), s.gpr(7), machine.clock.now], [10, LINEAR + 4096, 10]);
    memory.write32(PTE + 4, 0x21007);
    machine.processor.stopRequested = false;
    machine.run(10);
    assert.deepEqual([s.gpr(1), s.eip, machine.processor.retired], [0, 0x8002, 20]);
    assert.equal(memory.read32(0x21000 + 36), 0x77);
  });
});

describe('single step', () => {
  beforeEach(() => machine.reset());
  it('#DB with BS after each instruction, each iteration of REP, and not after the one that sets TF', () => {
    const eips: number[] = [];
    machine.onFault = ({ vector, address, eip }): void => {
      assert.deepEqual([vector, address & 0x4000], [1, 0x4000]);
      eips.push(eip);
    };
    // push 102h; popf; nop; mov ecx,2; rep stosb; push 2; popf; nop
    machine.load(0x8000, [0x68, 2, 1, 0, 0, 0x9d, 0x90, 0xb9, 2, 0, 0, 0, 0xf3, 0xaa, 0x6a, 2, 0x9d, 0x90, 0x90]);
    s.eip = 0x8000;
    s.setGpr(4, 0xc000);
    s.setGpr(7, 0x9000);
    machine.run(9);
    machine.onFault = () => {
      machine.processor.stopRequested = true;
    };
    assert.deepEqual(eips, [0x8007, 0x800c, 0x800c, 0x800e, 0x8010, 0x8011]);
  });
});
