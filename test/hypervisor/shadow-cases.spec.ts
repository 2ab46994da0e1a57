// Shadow paging, single cases that random sequences meet too seldom: what the TLB may still hold, the recursive directory, pool pressure,
// early unshadowing, the reasons why a page stops being a page table.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MIN_POOL_PAGES } from '../../src/hypervisor/shadow/paging.ts';
import { DemoteTrigger } from '../../src/hypervisor/observer.ts';
import { ShadowRig } from './shadow-rig.ts';

const OPTIONS = { prefetch: 0, earlyUnshadow: 3 };
const RW = 0x67;
const GLOBAL = 0x100;

/** Directory in frame 1, its first table in frame 2, which maps page i to frame 10 + i, all writable. */
function rig(pool = 64, flags = RW): ShadowRig {
  const r = new ShadowRig(pool, OPTIONS);
  r.store(1, 0, 2 * 4096 + RW);
  for (let i = 0; i < 16; i++) r.store(2, i, (10 + i) * 4096 + flags);
  r.loadCr3(0x1000);
  r.setMode({ paging: true });
  return r;
}

/** Makes frame `gfn` a page table in use: directory entry 1 points at it. */
function promote(r: ShadowRig, gfn: number): void {
  r.store(gfn, 0, 30 * 4096 + RW);
  r.store(1, 1, gfn * 4096 + RW);
  r.touch(0x40_0000, false, false, 0);
  assert.ok(r.shadow.isTable(gfn));
  r.enter();
}

describe('translations that outlive their entries', () => {
  test('an entry removed by a table write, then its frame becomes a table', () => {
    const r = rig();
    r.touch(0x3000, true, false, 1);
    r.store(2, 3, 0);
    assert.equal(r.tlb.has(3 * 2), true, 'the guest has not asked for INVLPG');
    promote(r, 13);
  });
  test('a global entry survives MOV CR3, and must still go when its frame becomes a table', () => {
    const r = rig(64, RW | GLOBAL);
    r.touch(0x3000, true, false, 1);
    r.store(2, 3, 0);
    r.loadCr3(0x1000);
    assert.equal(r.tlb.has(3 * 2), true, 'it is global');
    promote(r, 13);
  });
  test('the shadow of the table is destroyed, then the frame it mapped becomes a table', () => {
    const r = rig();
    r.touch(0x3000, true, false, 1);
    r.enter();
    assert.ok(r.shadow.unshadow(2, DemoteTrigger.EARLY_UNSHADOW));
    promote(r, 13);
    r.check();
  });
  test('a directory goes that had the table elsewhere, then the frame it mapped globally becomes a table', () => {
    const r = rig(64, RW | GLOBAL);
    r.store(5, 7, 2 * 4096 + RW);
    r.loadCr3(0x5000);
    r.touch((7 << 22) + 0x3000, true, false, 1);
    r.loadCr3(0x1000);
    r.touch(0, false, false, 0);
    assert.ok(r.shadow.unshadow(5, DemoteTrigger.EARLY_UNSHADOW));
    assert.ok(r.tlb.has(((7 << 10) + 3) * 2));
    promote(r, 13);
  });
  test('a table that is unhooked in one of two places', () => {
    const r = rig();
    r.store(1, 7, 2 * 4096 + RW);
    r.touch(0x3000, true, false, 1);
    r.touch((7 << 22) + 0x3000, true, false, 1);
    r.store(1, 7, 0);
    promote(r, 13);
  });
  test('only the translations of the frame that becomes a table go', () => {
    const r = rig();
    r.store(2, 9, 13 * 4096 + RW);
    for (const page of [3, 4, 9]) r.touch(page * 4096, true, false, 1);
    const { flushes } = r.shadow.counters;
    promote(r, 13);
    assert.equal(r.shadow.counters.flushes, flushes);
    assert.ok(!r.tlb.has(3 * 2) && !r.tlb.has(9 * 2) && r.tlb.has(4 * 2));
  });
});

test('a directory that maps itself: tables are read and written through it', () => {
  const r = rig();
  r.store(1, 1023, 0x1000 + RW);
  r.touch(0x3000, false, false, 0);
  // ffc00000h is the table in frame 2; fffff000h the directory itself.
  r.touch(0xffc0_0000 + 20 * 4, true, false, 40 * 4096 + RW);
  r.touch(20 * 4096, true, false, 7);
  assert.equal(r.reference.read(40 * 4096), 7);
  r.touch(0xffff_f000 + 2 * 4, true, false, 3 * 4096 + RW);
  r.touch(0xffff_fffc, false, false, 0);
  r.touch(0xffff_fffc, true, false, 0x1000 + RW);
  r.check();
  assert.ok(r.emulated >= 3);
});

test('one address space larger than the pool: its tables come and go, its directory stays', () => {
  const r = rig(MIN_POOL_PAGES);
  // The same 40 frames serve as tables and as what they map.
  for (let i = 0; i < 40; i++) {
    r.store(1, i, (3 + i) * 4096 + RW);
    r.store(3 + i, 0, (20 + i) * 4096 + 0x05);
  }
  for (let round = 0; round < 3; round++) for (let i = 0; i < 40; i++) r.touch(i << 22, false, false, 0);
  assert.equal(r.refused, 0);
  assert.ok(r.shadow.counters.preallocUnhook > 40);
  // The one directory to give up was that of unpaged mode.
  assert.equal(r.shadow.counters.preallocUnpin, 1);
  assert.ok(r.shadow.isTable(1));
  r.check();
});

test('directories that no CR3 uses go first', () => {
  const r = rig(MIN_POOL_PAGES);
  for (let i = 0; i < 40; i++) {
    r.store(3 + i, 0, 2 * 4096 + RW);
    r.loadCr3((3 + i) * 4096);
    r.touch(0x1000, true, false, i);
  }
  assert.ok(r.shadow.counters.preallocUnpin > 10);
  assert.equal(r.shadow.counters.preallocUnhook, 0);
  r.check();
});

describe('a page stops being a page table', () => {
  test('when nothing points at it any more', () => {
    const r = rig();
    r.touch(0x3000, true, false, 1);
    assert.ok(r.shadow.isTable(2));
    r.store(1, 0, 0);
    assert.ok(!r.shadow.isTable(2));
  });
  test('after three writes in a row that are no page-table writes, but not if the CR3 stands on it', () => {
    const r = rig();
    r.store(2, 15, 2 * 4096 + RW);
    r.store(2, 14, 1 * 4096 + RW);
    for (let i = 0; i < 2; i++) r.touch(0xf000 + i * 4, true, false, 0);
    r.touch(0xf000 + 8, true, false, 12 * 4096 + RW);
    for (let i = 0; i < 2; i++) r.touch(0xf000 + i * 4, true, false, 0);
    assert.ok(r.shadow.isTable(2), 'a page-table write in between starts the count again');
    r.touch(0xf000 + 3 * 4, true, false, 0);
    assert.equal(r.shadow.counters.earlyUnshadow, 1);
    for (let i = 0; i < 5; i++) r.touch(0xe000 + (512 + i) * 4, true, false, 0);
    assert.ok(r.shadow.isTable(1));
    r.check();
  });
});

test('a recycled address space finds its shadow, and switching back costs no fault', () => {
  const r = rig();
  r.store(5, 0, 2 * 4096 + RW);
  r.touch(0x3000, true, false, 1);
  r.loadCr3(0x5000);
  r.loadCr3(0x1000);
  const faults = r.shadow.counters.faults;
  r.touch(0x3000, true, false, 2);
  assert.equal(r.shadow.counters.faults, faults);
  // A new directory is hooked up with the tables that are shadowed already.
  r.loadCr3(0x5000);
  r.touch(0x3000, true, false, 3);
  assert.equal(r.shadow.counters.faults, faults);
});

test('before the p2m changes, every mapping of the frame goes, and no other', () => {
  const r = rig();
  r.store(2, 9, 13 * 4096 + RW);
  for (const page of [3, 4, 9]) r.touch(page * 4096, true, false, 1);
  assert.equal(r.shadow.tables.removeMappings(13), 2);
  r.enter();
  assert.ok(!r.tlb.has(3 * 2) && !r.tlb.has(9 * 2));
  r.p2m.set(13, 190);
  const faults = r.shadow.counters.faults;
  r.touch(0x4000, true, false, 2);
  assert.equal(r.shadow.counters.faults, faults, 'page 4 is still mapped');
  r.touch(0x3000, true, false, 3);
  assert.equal(r.machine.memory.read32(190 * 4096), 3);
});
