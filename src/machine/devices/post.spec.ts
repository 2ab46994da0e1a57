import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inb, out } from '../../../test/support/device-world.ts';
import { PostCode } from './post.ts';

test('keeps the last code', () => {
  const post = new PostCode();
  out(post, 0, 0x31);
  out(post, 0, 0x9a);
  assert.deepEqual([post.code, inb(post, 0)], [0x9a, 0x9a]);
  post.reset();
  assert.equal(post.code, 0);
});
