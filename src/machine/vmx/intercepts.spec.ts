import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PhysicalMemory } from '../memory.ts';
import { ActiveControls } from './active-controls.ts';
import { PrimaryControl, SecondaryControl } from './controls.ts';
import { ExitReason } from './exit-reasons.ts';
import * as decide from './intercepts.ts';

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const bits = (value: number): boolean[] => Array.from({ length: 32 }, (_, i) => ((value >>> i) & 1) === 1);

test('property: the read shadow formula, bit by bit', () => {
  fc.assert(
    fc.property(word, word, word, (actual, mask, shadow) => {
      const read = bits(decide.maskedRead(actual, mask, shadow));
      const write = bits(decide.maskedWrite(actual, mask, shadow));
      bits(mask).forEach((host, i) => {
        assert.equal(read[i], host ? bits(shadow)[i] : bits(actual)[i]);
        assert.equal(write[i], host ? bits(actual)[i] : bits(shadow)[i]);
      });
      assert.equal(
        decide.movToCrExits(mask, shadow, actual),
        bits(mask).some((host, i) => host && bits(shadow)[i] !== bits(actual)[i]),
      );
    }),
  );
});

test('property: a guest that writes back what it reads never exits', () => {
  fc.assert(
    fc.property(word, word, word, (actual, mask, shadow) => {
      assert.equal(decide.movToCrExits(mask, shadow, decide.maskedRead(actual, mask, shadow)), false);
    }),
  );
});

test('CLTS and LMSW', () => {
  // mask, shadow, LMSW source, expected
  const lmsw: [number, number, number, boolean][] = [
    [0x0, 0x0, 0xf, false],
    [0xe, 0x0, 0x0, false],
    [0x8, 0x0, 0x8, true],
    [0x8, 0x8, 0x0, true],
    [0x8, 0x8, 0x8, false],
    [0x1, 0x0, 0x1, true],
    [0x1, 0x1, 0x0, false],
    [0x1, 0x1, 0x1, false],
    [0xffff_fff0, 0x0, 0xffff, false],
  ];
  for (const [mask, shadow, source, expected] of lmsw) {
    const c = new ActiveControls();
    c.cr0Mask = mask;
    c.cr0Shadow = shadow;
    assert.equal(decide.lmswExits(c, source), expected, `${mask} ${shadow} ${source}`);
    assert.equal(decide.cltsExits(c), (mask & 8) !== 0 && (shadow & 8) !== 0);
  }
});

test('CR3: target values pass, as many as the count says', () => {
  const c = new ActiveControls();
  c.cr3Targets.set([0x1000, 0x2000, 0x3000, 0x4000]);
  assert.equal(decide.movToCr3Exits(c, 0x9000), false);
  c.primary = PrimaryControl.CR3_LOAD_EXITING;
  assert.equal(decide.movToCr3Exits(c, 0x1000), true);
  c.cr3TargetCount = 2;
  assert.deepEqual(
    [0x1000, 0x2000, 0x3000].map((v) => decide.movToCr3Exits(c, v)),
    [false, false, true],
  );
});

test('exceptions: the bitmap; for #PF mask and match turn it round', () => {
  const c = new ActiveControls();
  c.exceptionBitmap = 1 << 13;
  assert.equal(decide.exceptionExits(c, 13, 0), true);
  assert.equal(decide.exceptionExits(c, 6, 0), false);
  // bitmap bit 14, mask, match, error code, expected
  const pf: [boolean, number, number, number, boolean][] = [
    [true, 0, 0, 7, true],
    [true, 0, 1, 7, false],
    [false, 0, 0, 7, false],
    [false, 0, 1, 7, true],
    [true, 1, 1, 1, true],
    [true, 1, 1, 4, false],
    [false, 1, 1, 1, false],
    [false, 1, 1, 4, true],
  ];
  for (const [bit, mask, match, code, expected] of pf) {
    c.exceptionBitmap = bit ? 1 << 14 : 0;
    c.pageFaultMask = mask;
    c.pageFaultMatch = match;
    assert.equal(decide.exceptionExits(c, 14, code), expected, `${bit} ${mask} ${match} ${code}`);
  }
});

test('I/O: unconditional, bitmaps, straddling, wrap-around', () => {
  const memory = new PhysicalMemory(0x4000);
  const c = new ActiveControls();
  c.ioBitmapA = 0x1000;
  c.ioBitmapB = 0x2000;
  assert.equal(decide.ioExits(c, memory, 0x80, 1), false);
  c.primary = PrimaryControl.UNCONDITIONAL_IO_EXITING;
  assert.equal(decide.ioExits(c, memory, 0x80, 1), true);
  c.primary |= PrimaryControl.USE_IO_BITMAPS;
  assert.equal(decide.ioExits(c, memory, 0x80, 1), false);
  memory.write8(0x1000 + (0x3f8 >> 3), 1);
  memory.write8(0x2000, 1);
  assert.equal(decide.ioExits(c, memory, 0x3f8, 1), true);
  assert.equal(decide.ioExits(c, memory, 0x3f7, 1), false);
  assert.equal(decide.ioExits(c, memory, 0x3f7, 2), true);
  assert.equal(decide.ioExits(c, memory, 0x3f5, 4), true);
  assert.equal(decide.ioExits(c, memory, 0x3f9, 4), false);
  assert.equal(decide.ioExits(c, memory, 0x8000, 1), true);
  assert.equal(decide.ioExits(c, memory, 0x7fff, 1), false);
  assert.equal(decide.ioExits(c, memory, 0x7fff, 2), true);
  assert.equal(decide.ioExits(c, memory, 0xffff, 1), false);
  assert.equal(decide.ioExits(c, memory, 0xffff, 2), true);
});

test('MSRs: four bitmaps of 1 KiB, everything outside the ranges exits', () => {
  const memory = new PhysicalMemory(0x4000);
  const c = new ActiveControls();
  assert.equal(decide.msrExits(c, memory, 0x174, false), true);
  c.primary = PrimaryControl.USE_MSR_BITMAPS;
  c.msrBitmap = 0x1000;
  const cases: [number, boolean, number][] = [
    [0x174, false, 0],
    [0xc000_0080, false, 1024],
    [0x174, true, 2048],
    [0xc000_0080, true, 3072],
  ];
  for (const [index, write, part] of cases) {
    assert.equal(decide.msrExits(c, memory, index, write), false);
    const at = 0x1000 + part + ((index & 0x1fff) >> 3);
    memory.write8(at, 1 << (index & 7));
    for (const [other, w] of cases) assert.equal(decide.msrExits(c, memory, other, w), other === index && w === write);
    memory.write8(at, 0);
  }
  for (const outside of [0x2000, 0xbfff_ffff, 0xc000_2000, 0xffff_ffff])
    assert.equal(decide.msrExits(c, memory, outside, false), true);
  for (const inside of [0x1fff, 0xc000_1fff]) assert.equal(decide.msrExits(c, memory, inside, true), false);
});

test('instructions: each has its control, CPUID and INVD need none', () => {
  const table: [number, number][] = [
    [ExitReason.HLT, PrimaryControl.HLT_EXITING],
    [ExitReason.INVLPG, PrimaryControl.INVLPG_EXITING],
    [ExitReason.RDPMC, PrimaryControl.RDPMC_EXITING],
    [ExitReason.RDTSC, PrimaryControl.RDTSC_EXITING],
    [ExitReason.MWAIT, PrimaryControl.MWAIT_EXITING],
    [ExitReason.MONITOR, PrimaryControl.MONITOR_EXITING],
    [ExitReason.PAUSE, PrimaryControl.PAUSE_EXITING],
  ];
  for (const [reason, control] of table) {
    const c = new ActiveControls();
    assert.equal(decide.instructionExits(c, reason), false);
    c.primary = control;
    for (const [other] of table) assert.equal(decide.instructionExits(c, other), other === reason);
    c.primary = ~control;
    assert.equal(decide.instructionExits(c, reason), false);
  }
  const c = new ActiveControls();
  assert.equal(decide.instructionExits(c, ExitReason.CPUID), true);
  assert.equal(decide.instructionExits(c, ExitReason.INVD), true);
  assert.equal(decide.instructionExits(c, ExitReason.WBINVD), false);
  c.secondary = SecondaryControl.WBINVD_EXITING;
  assert.equal(decide.instructionExits(c, ExitReason.WBINVD), true);
});
