// Lines from chunks that know nothing of them.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { linesOf } from './lines.ts';

const text = 'first\n\nthe third, ünïcode\nlast without an end';

const split = async (size: number): Promise<string[]> => {
  const bytes = Buffer.from(text, 'utf8');
  const chunks = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
  };
  const lines: string[] = [];
  for await (const batch of linesOf(chunks())) lines.push(...batch);
  return lines;
};

it('any size of chunk gives the same lines', async () => {
  for (let size = 1; size <= text.length + 8; size++) assert.deepEqual(await split(size), text.split('\n'), `${size}`);
});
it('an end of line at the end makes no further line', async () => {
  const lines: string[] = [];
  for await (const batch of linesOf([Buffer.from('a\nb\n')] as unknown as AsyncIterable<Buffer>)) lines.push(...batch);
  assert.deepEqual(lines, ['a', 'b']);
});
