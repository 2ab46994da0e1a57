import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HEAD_BYTES, imageFormat } from './image-format.ts';
import { UserError } from './session.ts';
import { isGzip, unpack, unpackHead } from './unpack.ts';

const file = new Uint8Array(readFileSync('media/guests/tsubame/tsubame.elf'));
const packed = new Uint8Array(gzipSync(file));
const cut = packed.slice(0, packed.length >> 1);

test('a gzip file is unpacked whole, anything else stays as it is', () => {
  assert.ok(isGzip(packed) && !isGzip(file) && !isGzip(packed.subarray(0, 2)));
  assert.deepEqual(Buffer.compare(unpack('guest', packed), file), 0);
  assert.equal(unpack('guest', file), file);
});

test('a cut-off gzip file is the user’s error, by name', () => {
  assert.throws(
    () => unpack('guest.gz', cut),
    (error) => error instanceof UserError && error.message.startsWith('guest.gz: '),
  );
});

test('a head is the same bytes, as many as asked or as there are', () => {
  for (const limit of [1, 52, HEAD_BYTES]) {
    assert.equal(Buffer.compare(unpackHead(packed, limit), file.subarray(0, limit)), 0);
  }
  assert.equal(Buffer.compare(unpackHead(packed, file.length + 5), file), 0);
  assert.equal(imageFormat(unpackHead(cut, HEAD_BYTES)), 'multiboot');
  const damaged = packed.slice();
  damaged.fill(0xff, 2000, 4000);
  assert.ok(unpackHead(damaged, HEAD_BYTES).length <= HEAD_BYTES);
});
