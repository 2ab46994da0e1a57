import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CORE_DUO, MODERN } from '../cpu/model.ts';
import { capabilityMsr } from './capability-msrs.ts';
import { CONTROLS, describeControls, PinControl, PrimaryControl, type ControlWord } from './controls.ts';

const WORDS: ControlWord[] = ['pin', 'primary', 'secondary', 'exit', 'entry'];
const read = (model: typeof CORE_DUO, index: number): [number, number] | undefined => {
  const out = { low: 0, high: 0 };
  return capabilityMsr(model.vmx, index, out) ? [out.low, out.high] : undefined;
};

test('what must be 1 may be 1, and a named control is no reserved bit', () => {
  for (const model of [CORE_DUO, MODERN]) {
    for (const word of WORDS) {
      const { allowed0, allowed1 } = model.vmx.controls[word];
      assert.equal(allowed0 & ~allowed1, 0, `${model.id} ${word}`);
      const legacy = model.vmx.legacyControls[word];
      assert.equal(allowed0 & ~legacy.allowed0, 0);
      assert.equal(legacy.allowed1, allowed1);
    }
  }
  const seen = new Set(CONTROLS.map((c) => `${c.word}${c.bit}`));
  assert.equal(seen.size, CONTROLS.length);
});

test("the default1 classes are the SDM's (appendix A.3 to A.5)", () => {
  assert.deepEqual(read(CORE_DUO, 0x481)![0], 0x16);
  assert.deepEqual(read(CORE_DUO, 0x482)![0], 0x0401_e172);
  assert.deepEqual(read(CORE_DUO, 0x483)![0], 0x0003_6dff);
  assert.deepEqual(read(CORE_DUO, 0x484)![0], 0x0000_11ff);
});

test('the Core Duo has no secondary controls and no true-controls MSRs; the modern model has', () => {
  assert.equal(CORE_DUO.vmx.controls.primary.allowed1 >>> 31, 0);
  assert.equal(MODERN.vmx.controls.primary.allowed1 >>> 31, 1);
  for (const index of [0x48b, 0x48d, 0x490]) {
    assert.equal(read(CORE_DUO, index), undefined);
    assert.notEqual(read(MODERN, index), undefined);
  }
  assert.equal((CORE_DUO.vmx.controls.primary.allowed0 >>> 15) & 3, 3);
  assert.equal((MODERN.vmx.controls.primary.allowed0 >>> 15) & 3, 0);
  assert.equal(read(CORE_DUO, 0x491), undefined);
});

test('IA32_VMX_BASIC: revision, region size, 32-bit addresses, write-back, INS/OUTS information', () => {
  assert.deepEqual(read(CORE_DUO, 0x480), [5, 0x0059_1000]);
  assert.deepEqual(read(MODERN, 0x480), [16, 0x00d9_1000]);
});

test('control words in words', () => {
  const value = PinControl.NMI_EXITING | PinControl.EXTERNAL_INTERRUPT_EXITING | 0x16;
  assert.deepEqual(describeControls('pin', value), ['External-interrupt exiting', 'NMI exiting']);
  assert.equal(PrimaryControl.ACTIVATE_SECONDARY_CONTROLS, 0x8000_0000);
});
