// Shadow paging against brute force: after any sequence of accesses, page-table writes, CR3 loads and mode changes the processor gets
// through the shadow tables exactly what the guest's own tables grant, guest memory is bit for bit that of a plain machine, every audit
// passes, and no writable translation of a page table survives in the TLB.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MIN_POOL_PAGES } from '../../src/hypervisor/shadow/paging.ts';
import { DemoteTrigger } from '../../src/hypervisor/observer.ts';
import { GUEST_FRAMES, ShadowRig } from './shadow-rig.ts';

const TABLES = Array.from({ length: 24 }, (_, i) => i + 1 + (i >= 8 ? 1 : 0));
/** Page-directory-pointer tables are in frame 9. */
const PDPT = 9 * 4096;
/** Addresses that share directory entries and tables in every way: start, neighbours, ends, the recursive slot. */
const PDES = [0, 1, 2, 3, 512, 1023] as const;
const PTES = [0, 1, 2, 5, 511, 1023] as const;
const FLAGS = [
  0x00, 0x01, 0x03, 0x05, 0x07, 0x07, 0x07, 0x27, 0x67, 0x67, 0x67, 0x63, 0x61, 0x167, 0x163, 0x87, 0xe7, 0x83, 0xa5,
] as const;

type Command = readonly [kind: number, a: number, b: number, c: number];
const command = fc.tuple(fc.nat(99), fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff));

/** A page-table entry: mostly useful ones. */
const entryOf = (a: number, b: number): number => {
  const flags = FLAGS[b % FLAGS.length]!;
  const frame = a % 10 < 5 ? TABLES[a % TABLES.length]! : a % 10 === 9 ? 0x800 + (a % 7) : (a >> 4) % GUEST_FRAMES;
  // A superpage begins at a multiple of its size: otherwise its reserved bits are set, which happens too, but seldom.
  return ((flags & 0x80) !== 0 && a % 8 !== 0 ? 0 : frame * 4096) | flags;
};
const address = (pae: boolean, a: number, b: number): number =>
  pae
    ? (((a % 4) << 30) |
        ([0, 1, 511][(a >> 2) % 3]! << 21) |
        ((PTES[b % PTES.length]! & 511) << 12) |
        (((b >> 4) % 4) << 2)) >>>
      0
    : ((PDES[a % PDES.length]! << 22) | (PTES[b % PTES.length]! << 12) | (((b >> 4) % 4) << 2)) >>> 0;

function step(rig: ShadowRig, [kind, a, b, c]: Command): void {
  const { pae } = rig.mode;
  const table = TABLES[a % TABLES.length]!;
  if (kind < 56) rig.touch(address(pae, a, b), (c & 1) === 1, (c & 6) === 6, c & 8 ? 0 : entryOf(b, c >> 4));
  else if (kind < 82) {
    const index = pae ? [0, 1, 511, 2, 5][b % 5]! * 2 : [...PDES, ...PTES][b % 12]!;
    rig.store(table, index, c & 0xe000 ? entryOf(c, b >> 4) : 0);
    if (pae && c % 16 === 3) rig.store(table, index + 1, c % 32 === 3 ? 1 : 0);
  } else if (kind < 89) rig.loadCr3(pae ? PDPT + (a % 4) * 32 : (a % 9 === 8 ? 70 : table) * 4096);
  else if (kind === 89) rig.loadCr3(table * 4096);
  else if (kind === 90) rig.setMode({ wp: !rig.mode.wp });
  else if (kind === 91) rig.setMode({ pse: !rig.mode.pse });
  else if (kind === 92) {
    rig.setMode({ paging: false });
    for (let i = 0; i < 4; i++)
      rig.touch(((a + i * 5) % (GUEST_FRAMES + 2)) * 4096 + (b % 8) * 4, i < 2, false, entryOf(b + i, c));
    rig.setMode({ paging: true });
  } else if (kind === 93 && a % 4 === 0) {
    rig.loadCr3(PDPT);
    rig.setMode({ pae: !pae });
    if (pae) rig.loadCr3(table * 4096);
  } else if (kind === 94) rig.shadow.mode.pge = !rig.shadow.mode.pge;
  else if (kind < 97) rig.shadow.unshadow(a % GUEST_FRAMES, DemoteTrigger.EARLY_UNSHADOW);
  else if (kind === 97) for (let i = 0; i < 4; i++) rig.store(table, (b + i) % 8, 0);
  else rig.shadow.invlpg(address(pae, a, b));
}

/** Four page-directory-pointer tables; directories and tables that map something from the start. */
function prepare(rig: ShadowRig, pae: boolean): void {
  const wide = pae ? 2 : 1;
  for (let i = 0; i < 16; i++) rig.store(PDPT >> 12, i * 2, TABLES[i]! * 4096 + (i === 6 ? 0 : 1));
  for (let i = 0; i < 24; i++) {
    for (let j = 0; j < 3; j++) {
      rig.store(TABLES[i]!, j * wide, i < 16 ? TABLES[(i + j + 1) % 24]! * 4096 + 7 : (26 + i + j) * 4096 + 0x67);
    }
  }
  rig.loadCr3(pae ? PDPT : 0x1000);
  if (pae) rig.setMode({ pae: true });
  rig.setMode({ paging: true });
}

describe('shadow paging grants what the guest grants', () => {
  const totals = { granted: 0, refused: 0, emulated: 0, evicted: 0, early: 0 };
  for (const pae of [false, true]) {
    for (const [name, pool, options] of [
      ['large pool', 256, { prefetch: 32, earlyUnshadow: 3 }],
      ['smallest pool, no prefetch', MIN_POOL_PAGES, { prefetch: 0, earlyUnshadow: 0 }],
    ] as const) {
      test(`${pae ? 'PAE' : '32-bit'}, ${name}`, () => {
        fc.assert(
          fc.property(fc.array(command, { minLength: 100, maxLength: 600, size: 'max' }), (commands) => {
            const rig = new ShadowRig(pool, options);
            prepare(rig, pae);
            commands.forEach((c, i) => {
              step(rig, c);
              if (i % 64 === 63) rig.check();
            });
            rig.check();
            totals.granted += rig.granted;
            totals.refused += rig.refused;
            totals.emulated += rig.emulated;
            totals.evicted += rig.shadow.counters.preallocUnpin + rig.shadow.counters.preallocUnhook;
            totals.early += rig.shadow.counters.earlyUnshadow;
          }),
          { numRuns: 80, seed: 20080101 },
        );
      });
    }
  }
  test('every outcome was met often', () => {
    assert.ok(
      Object.values(totals).every((n) => n > 200),
      JSON.stringify(totals),
    );
  });
});
