import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PhysicalMemory } from './memory.ts';
import { firmwareProblem, firmwareRom } from './rom.ts';

const RAM = 1 << 22;
/** Every 32-bit word holds its own offset. */
const numbered = (bytes: number): Uint8Array =>
  new Uint8Array(Uint32Array.from({ length: bytes / 4 }, (_, i) => i * 4).buffer);
const withRom = (bytes: number): PhysicalMemory => new PhysicalMemory(RAM, firmwareRom(numbered(bytes)));

test('a ROM of 256 KiB: all of it below 4 GiB, its last half below 1 MiB', () => {
  const memory = withRom(0x4_0000);
  const read = (pa: number): number => memory.read32(memory.place(pa));
  assert.equal(read(0xfffc_0000), 0);
  assert.equal(read(0xffff_fffc), 0x3_fffc);
  assert.equal(read(0xe_0000), 0x2_0000);
  assert.equal(read(0xf_fffc), 0x3_fffc);
  assert.equal(memory.place(0xd_ffff), 0xd_ffff);
  assert.equal(memory.place(0x10_0000), 0x10_0000);
});

test('a ROM of 64 KiB leaves what is below it', () => {
  const memory = withRom(0x1_0000);
  assert.equal(memory.place(0xe_fffc), 0xe_fffc);
  assert.equal(memory.read32(memory.place(0xf_0000)), 0);
  assert.ok(memory.place(0xfffe_fffc) >= memory.bytes);
});

test('the smallest ROM ends its page; nothing answers before it', () => {
  const memory = withRom(2048);
  assert.equal(memory.read32(memory.place(0xffff_f7fc)), 0xffff_ffff);
  assert.equal(memory.read32(memory.place(0xffff_f800)), 0);
  assert.equal(memory.read32(memory.place(0xf_fffc)), 0x7fc);
});

test('a ROM ignores stores of every size', () => {
  const memory = withRom(0x1_0000);
  const place = memory.place(0xf_1234);
  memory.write8(place, 0xff);
  memory.write16(place, 0xffff);
  memory.write32(place, 0xffff_ffff);
  assert.equal(memory.read32(place), 0x1234);
  memory.write32(memory.place(0xe_1234), 0xffff_ffff);
  assert.equal(memory.read32(0xe_1234), 0xffff_ffff);
});

test('the ROM does not answer where its bytes are kept', () => {
  const memory = withRom(0x1_0000);
  assert.ok(memory.place(RAM) >= memory.bytes);
  assert.ok(memory.place(RAM + 0xffff) >= memory.bytes);
  assert.equal(memory.ram.length, RAM);
});

test('what is no firmware', () => {
  const plain = numbered(0x1_0000);
  assert.equal(firmwareProblem(plain), undefined);
  assert.equal(firmwareProblem(numbered(4 << 20)), undefined);
  assert.match(firmwareProblem(new Uint8Array())!, /empty/);
  assert.match(firmwareProblem(plain.subarray(4))!, /65532 bytes/);
  assert.match(firmwareProblem(numbered((4 << 20) + 2048))!, /at most 4194304/);
  for (const blank of [0, 0xff]) assert.match(firmwareProblem(new Uint8Array(4096).fill(blank))!, /no code/);
});
