// The MTRRs, IA32_PAT and the machine-check banks: which values they take. SDM vol. 3, 11.11, 11.12, 15.3.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture } from '../vmx/vmx.fixture.ts';
import { FIRMWARE_MTRRS, MTRR_CAP, mtrrAccepts, MTRRS, patAccepts } from './memory-types.ts';
import { readMsr, writeMsr } from './msr.ts';

const { cpu } = fixture({ bare: true });
const out = { low: 0, high: 0 };
const read = (index: number): [number, number] => {
  assert.ok(readMsr(cpu, index, out), index.toString(16));
  return [out.low, out.high];
};

test('28 MTRRs, all zero after power-on, read back what they were given', () => {
  assert.deepEqual(read(0xfe), [MTRR_CAP, 0]);
  assert.equal(MTRRS.length, 1 + 11 + 16);
  assert.equal(writeMsr(cpu, 0xfe, MTRR_CAP, 0), false);
  for (const index of MTRRS) assert.deepEqual(read(index), [0, 0]);
  FIRMWARE_MTRRS.forEach(([low, high], i) => assert.ok(writeMsr(cpu, MTRRS[i]!, low, high)));
  assert.deepEqual(read(0x2ff), [0xc06, 0]);
  assert.deepEqual(read(0x250), [0x0606_0606, 0x0606_0606]);
  assert.deepEqual(read(0x259), [0, 0]);
  assert.deepEqual(read(0x268), [0x0505_0505, 0x0505_0505]);
  assert.ok(writeMsr(cpu, 0x20f, 0xf000_0800, 0));
  assert.deepEqual(read(0x20f), [0xf000_0800, 0]);
});

test('types 2, 3 and above 6 are refused, in IA32_PAT above 7; so are reserved bits', () => {
  for (let type = 0; type < 256; type++) {
    const valid = [0, 1, 4, 5, 6].includes(type);
    assert.equal(mtrrAccepts(0x2ff, type, 0), valid);
    assert.equal(mtrrAccepts(0x200, 0x1234_5000 | type, 0), valid);
    assert.equal(mtrrAccepts(0x26f, 0x0606_0606, (type << 16) >>> 0), valid);
    assert.equal(patAccepts(0, (type << 24) >>> 0), valid || type === 7);
  }
  for (const [index, low, high] of [
    [0x2ff, 0x1006, 0],
    [0x2ff, 0x106, 0],
    [0x2ff, 6, 1],
    [0x200, 0x106, 0],
    [0x200, 6, 1],
    [0x201, 0x400, 0],
    [0x201, 0x800, 0xf],
  ] as const) {
    assert.equal(mtrrAccepts(index, low, high), false, `${index.toString(16)} ${low.toString(16)}`);
    assert.equal(writeMsr(cpu, index, low, high), false);
  }
});

test('six machine-check banks: CTL takes anything, the others only zero; nothing was ever logged', () => {
  assert.deepEqual(read(0x179), [6, 0]);
  for (let bank = 0; bank < 6; bank++) {
    const ctl = 0x400 + bank * 4;
    assert.ok(writeMsr(cpu, ctl, 0xffff_ffff, 0xffff_ffff));
    assert.deepEqual(read(ctl), [0xffff_ffff, 0xffff_ffff]);
    for (const register of [1, 2, 3]) {
      assert.deepEqual(read(ctl + register), [0, 0]);
      assert.ok(writeMsr(cpu, ctl + register, 0, 0));
      assert.equal(writeMsr(cpu, ctl + register, 1, 0), false);
    }
  }
  assert.equal(readMsr(cpu, 0x418, out), false);
  assert.equal(readMsr(cpu, 0x17b, out), false, 'no IA32_MCG_CTL');
  assert.ok(writeMsr(cpu, 0x17a, 5, 0));
  assert.deepEqual(read(0x17a), [5, 0]);
  assert.equal(writeMsr(cpu, 0x17a, 8, 0), false);
});

test('IA32_MISC_ENABLE: read-only bits stay, bits of what is not there are #GP; CPUID leaf 1 gives the microcode revision', () => {
  assert.deepEqual(read(0x1a0), [0x4_1881, 0]);
  assert.ok(writeMsr(cpu, 0x1a0, 0, 0));
  assert.deepEqual(read(0x1a0), [0x1880, 0]);
  for (const bit of [3, 13, 16, 20, 23]) assert.equal(writeMsr(cpu, 0x1a0, 1 << bit, 0), false);
  assert.equal(writeMsr(cpu, 0x1a0, 0, 4), false, 'execute-disable bit disable');
});
