import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HEAD_BYTES, imageFormat, mayBeImage } from './image-format.ts';

const elf = (magic: number, at: number, flags = 3, damage = 0): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(HEAD_BYTES);
  const data = new DataView(bytes.buffer);
  data.setUint32(0, 0x464c_457f, true);
  data.setUint32(at, magic, true);
  data.setUint32(at + 4, flags, true);
  if (magic === 0x1bad_b002) data.setUint32(at + 8, -(magic + flags) + damage, true);
  else {
    data.setUint32(at + 8, 16, true);
    data.setUint32(at + 12, -(magic + flags + 16) + damage, true);
  }
  return bytes;
};

test('a Multiboot header counts where the specification puts it and with its checksum only', () => {
  assert.equal(imageFormat(elf(0x1bad_b002, 0x1000)), 'multiboot');
  assert.equal(imageFormat(elf(0x1bad_b002, 8192 - 12)), 'multiboot');
  assert.equal(imageFormat(elf(0x1bad_b002, 8192)), undefined);
  assert.equal(imageFormat(elf(0x1bad_b002, 0x1002)), undefined);
  assert.equal(imageFormat(elf(0x1bad_b002, 0x1000, 3, 1)), undefined);
  assert.equal(imageFormat(elf(0xe852_50d6, 0x4000, 0)), 'multiboot2');
  assert.equal(imageFormat(elf(0xe852_50d6, 0x4004, 0)), undefined);
});

test('a bzImage is told by its setup header', () => {
  const bytes = new Uint8Array(1024);
  bytes.set([0x55, 0xaa], 0x1fe);
  bytes.set(new TextEncoder().encode('HdrS'), 0x202);
  assert.equal(imageFormat(bytes), 'bzimage');
  assert.ok(mayBeImage(bytes.subarray(0, 0x210)));
  bytes[0x1fe] = 0;
  assert.equal(imageFormat(bytes), undefined);
});

test('any length of any bytes has an answer', () => {
  for (let length = 0; length < 600; length++) {
    const bytes = new Uint8Array(length).fill(0x7f);
    assert.equal(imageFormat(bytes), undefined);
    mayBeImage(bytes);
  }
});

test('the sample guest is found, plain and packed', () => {
  const file = new Uint8Array(readFileSync('media/guests/tsubame/tsubame.elf'));
  assert.equal(imageFormat(file.subarray(0, HEAD_BYTES)), 'multiboot');
  assert.ok(mayBeImage(new Uint8Array(gzipSync(file))));
});
