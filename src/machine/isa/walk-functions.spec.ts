// The emitted page walk and the emitted dropping of translations against the general code: random tables, flags of pages, rights and contexts. A run in
// which the functions do what they cover ends with the same RAM, TLB and faults as one in which they do nothing.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import type { Device } from '../devices/device.ts';
import { StateLayout } from '../cpu/state.ts';
import { LinearLayout } from '../memory.ts';
import { refreshMode } from '../translate/mode.ts';
import { JumpLine } from '../translate/entry.ts';
import { NO_VMX } from '../vmx/hooks.ts';
import { Filled } from './walk-functions.ts';

const machine = new BareProcessor(1 << 21);
const { cpu, memory } = machine;
const { s, mmu } = cpu;

interface Functions {
  fillTranslation(linear: number, write: number): number;
  flushTranslations(): number;
  invalidateTranslation(linear: number): number;
}
const functions = (
  machine.processor as unknown as { readonly module: { readonly instance: { readonly shared: Functions } } }
).module.instance.shared;

const DIRECTORY = 0x1000;
const PDPT = 0x2000;
const TABLES = [0x4000, 0x5000];
/** Around a border of page tables, so that both directory entries are in use. */
const FIRST = 0x00bf_e000;
const PAGES = 4;
/** Frames of pages; beyond RAM from 200h on. */
const FRAMES = [0x10, 0x11, 0x12, DIRECTORY >>> 12, TABLES[0]! >>> 12, 0x100, 0x1ff, 0x200, 0xb8, 0xfee00];
machine.bus.claimMemory(0xb8000, 0x8000, { read: () => 0, write: () => undefined } as unknown as Device);

const mostly = (value: boolean): fc.Arbitrary<boolean> => fc.nat(4).map((n) => (n > 0 ? value : !value));
const rights = fc.record({
  present: mostly(true),
  writable: mostly(true),
  user: mostly(true),
  accessed: fc.boolean(),
  dirty: fc.boolean(),
  large: mostly(false),
  reserved: fc.nat(12).map((n) => n === 0),
});
type Rights = typeof rights extends fc.Arbitrary<infer T> ? T : never;
const bits = (r: Rights): number =>
  (r.present ? 1 : 0) | (r.writable ? 2 : 0) | (r.user ? 4 : 0) | (r.accessed ? 0x20 : 0) | (r.dirty ? 0x40 : 0);

const page = fc.nat(PAGES - 1);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant('access' as const), page, write: fc.boolean(), user: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('flush' as const), loose: fc.constantFrom(0, 3, 256, 257) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('invalidate' as const), page, loose: fc.constantFrom(0, 2, 257) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('clear' as const), page, bits: fc.constantFrom(1, 2, 0x20, 0x40, 0x60) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('flag' as const), frame: fc.constantFrom(...FRAMES, 2), flag: fc.constantFrom(1, 4, 8), on: fc.boolean() }) },
); // prettier-ignore
const world = fc.record({
  pae: fc.boolean(),
  pse: fc.boolean(),
  wp: fc.boolean(),
  paging: fc.nat(15).map((n) => n > 0),
  nonRoot: fc.nat(3).map((n) => n === 0),
  aligned: fc.nat(7).map((n) => n === 0),
  directory: fc.tuple(rights, rights),
  pages: fc.array(fc.record({ rights, frame: fc.constantFrom(...FRAMES) }), { minLength: PAGES, maxLength: PAGES }),
  flagged: fc.array(fc.tuple(fc.constantFrom(1, 2, 4, 5, 0x10, 0x11), fc.constantFrom(1, 4, 8)), { maxLength: 2 }),
  steps: fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const entryAt = (w: World, number: number): number => {
  const linear = FIRST + number * 4096;
  const index = (linear >>> 12) & (w.pae ? 0x1ff : 0x3ff);
  return TABLES[linear < FIRST + 0x2000 ? 0 : 1]! + index * (w.pae ? 8 : 4);
};
/** All that a walk can change in RAM. */
const tables = (): Uint8Array => memory.ram.slice(0, 0x6000);
const setUp = (w: World): void => {
  memory.ram.fill(0, 0, 0x6000);
  s.eflags = 2;
  cpu.clearFault();
  for (let number = 0; number < 0x300; number++) mmu.pages.unprotect(number, 13);
  const bytes = w.pae ? 8 : 4;
  const shift = w.pae ? 21 : 22;
  memory.write32(PDPT, DIRECTORY | 1);
  w.directory.forEach((r, i) => {
    const number = ((FIRST + 0x2000) >>> shift) - 1 + i;
    const large = r.large && (w.pae || w.pse);
    const base = large ? (i << shift) | 0x80 | (r.reserved ? 0x4000 : 0) : TABLES[i]! | (r.large ? 0x80 : 0);
    const at = DIRECTORY + (number & (w.pae ? 0x1ff : 0x3ff)) * bytes;
    memory.write32(at, base | bits(r));
    if (w.pae && r.reserved && !large) memory.write32(at + 4, 1);
  });
  w.pages.forEach(({ rights: r, frame }, i) => {
    memory.write32(entryAt(w, i), (frame << 12) | bits(r));
    if (w.pae && r.reserved) memory.write32(entryAt(w, i) + 4, 2);
  });
  s.cr3 = w.pae ? PDPT : DIRECTORY;
  s.cr4 = 0x600 | (w.pse ? 16 : 0) | (w.pae ? 32 : 0);
  s.cr0 = 0x33 | (w.wp ? 1 << 16 : 0) | (w.paging ? 1 << 31 : 0) | (w.aligned ? 1 << 18 : 0);
  if (w.aligned) s.eflags |= 1 << 18;
  if (w.pae) assert.ok(mmu.loadPdptes(s.cr3));
  for (const nonRoot of [!w.nonRoot, w.nonRoot]) {
    cpu.vmx = { ...NO_VMX, nonRoot };
    mmu.controlsChanged();
  }
  for (const [frame, flag] of w.flagged) mmu.pages.protect(frame, flag);
};
/** Lines of the jump cache that no TLB word vouches for. */
const loosen = (count: number): void => {
  s.set(StateLayout.looseCount, count);
  for (let i = 0; i < LinearLayout.looseLinesMost; i++) {
    const line = LinearLayout.jumpCache + i * 16;
    s.set(LinearLayout.looseLines + i * 4, line);
    s.set(line + JumpLine.tag, 0x1234);
  }
};
const tags = (): number[] =>
  Array.from({ length: 260 }, (_, i) => s.get(LinearLayout.jumpCache + i * 16 + JumpLine.tag));

let covered = 0;
let asked = 0;
/** What a run leaves behind. `emitted`: the functions do what they cover. */
const run = (w: World, emitted: boolean): unknown => {
  setUp(w);
  const trace: unknown[] = [];
  const byFunction = (call: () => number): number => {
    if (!emitted) return Filled.refused;
    asked++;
    const answer = call();
    if (answer !== Filled.refused) covered++;
    return answer;
  };
  for (const action of w.steps)
    switch (action.does) {
      case 'access': {
        s.cpl = action.user ? 3 : 0;
        refreshMode(cpu);
        const linear = FIRST + action.page * 4096 + 0x124;
        const before = tables();
        const filled = byFunction(() => functions.fillTranslation(linear, action.write ? 1 : 0));
        if (filled !== Filled.done) assert.equal(Buffer.compare(tables(), before), 0, 'a refusal changes nothing');
        if (filled >= Filled.fault) {
          trace.push([linear, filled - Filled.fault]);
          break;
        }
        const host = action.write ? mmu.hostWrite(linear, 1) : mmu.hostRead(linear, 1);
        if (filled === Filled.done) assert.equal(cpu.faulted, false);
        trace.push(cpu.faulted ? [cpu.faultAddress, s.get(StateLayout.faultError)] : host);
        cpu.clearFault();
        break;
      }
      case 'flush':
        loosen(action.loose);
        if (byFunction(() => functions.flushTranslations()) === 0) mmu.flushNonGlobal();
        trace.push(s.get(StateLayout.looseCount), tags());
        break;
      case 'invalidate': {
        loosen(action.loose);
        const linear = FIRST + action.page * 4096 + 5;
        if (byFunction(() => functions.invalidateTranslation(linear)) === 0) mmu.invalidatePage(linear);
        trace.push(s.get(StateLayout.looseCount), tags());
        break;
      }
      case 'clear': {
        const at = entryAt(w, action.page);
        memory.write32(at, memory.read32(at) & ~action.bits);
        break;
      }
      case 'flag':
        if (action.on) mmu.pages.protect(action.frame, action.flag);
        else mmu.pages.unprotect(action.frame, action.flag);
    }
  const { tlb } = mmu.saveTranslations();
  const writes = tlb.map((context) =>
    [...context].filter((_, i) => i % 2 === 0).map((word) => s.i32[word + (0x40_0000 >> 2)]),
  );
  const sum = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  return { trace, tlb, writes, tables: sum(tables()), flags: sum(mmu.pages.of.subarray(0, 0x300)) };
};

describe('emitted page walks and flushes', () => {
  it('come to what the general code comes to', () => {
    fc.assert(
      fc.property(world, (w) => {
        assert.deepEqual(run(w, true), run(w, false));
      }),
      { numRuns: 400, seed: 31 },
    );
    assert.ok(covered > asked / 2, `the functions covered ${covered} of ${asked} cases`);
  });
  it('make room in a journal that holds each page many times', () => {
    setUp({ pae: false, pse: false, wp: false, paging: true, nonRoot: false, aligned: false, directory: [PLAIN, PLAIN], pages: Array.from({ length: PAGES }, () => ({ rights: PLAIN, frame: 0x10 })), flagged: [], steps: [] }); // prettier-ignore
    s.cpl = 0;
    refreshMode(cpu);
    for (let i = 0; i < 20_000; i++) {
      const linear = FIRST + (i % PAGES) * 4096;
      if (functions.fillTranslation(linear, 0) === Filled.refused) mmu.read(linear, 4, false);
      assert.ok(mmu.cachedCode(linear) >= 0);
      assert.equal(functions.invalidateTranslation(linear), 1);
    }
    assert.ok(s.get(StateLayout.journalLength) < 5000);
    assert.deepEqual(
      mmu.saveTranslations().tlb.map((context) => context.length),
      [0, 0, 0, 0],
    );
  });
});
const PLAIN: Rights = { present: true, writable: true, user: true, accessed: true, dirty: true, large: false, reserved: false }; // prettier-ignore
