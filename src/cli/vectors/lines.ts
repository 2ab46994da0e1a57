// A vector file as lines, in batches of what one read gave: plain or gzipped, from a path or standard input, of any size. Not what the
// lines say (format.ts).

import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UserError } from '../../workers/session.ts';

const CHUNK = 1 << 20;
/** A case is some kilobytes; what has no line end in this many bytes is no vector file. */
const LONGEST_LINE = 1 << 26;
const NEWLINE = 10;

const isGzip = (head: Buffer): boolean => head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b;

/** The first bytes decide whether the stream is gzipped; the name does not. */
const unpacked = async (source: Readable): Promise<AsyncIterable<Buffer>> => {
  const chunks = source.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < 2) {
    const { value, done } = await chunks.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  const whole = async function* (): AsyncIterable<Buffer> {
    yield head;
    for (;;) {
      const { value, done } = await chunks.next();
      if (done) return;
      yield value;
    }
  };
  if (!isGzip(head)) return whole();
  const gunzip = createGunzip({ chunkSize: CHUNK });
  // Its errors reach the reader of `gunzip`.
  pipeline(whole, gunzip, () => undefined);
  return gunzip;
};

/** Complete lines of a byte stream, without their ends; empty lines too, so that they can be counted. Memory: one chunk and one line. */
export const linesOf = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let rest: Buffer[] = [];
  let held = 0;
  for await (const chunk of source) {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) break;
      if (held > 0) {
        rest.push(chunk.subarray(start, end));
        lines.push(Buffer.concat(rest).toString('utf8'));
        rest = [];
        held = 0;
      } else lines.push(chunk.toString('utf8', start, end));
      start = end + 1;
    }
    if (start < chunk.length) {
      rest.push(Buffer.from(chunk.subarray(start)));
      held += chunk.length - start;
      if (held > LONGEST_LINE) throw new UserError(`has a line of more than ${LONGEST_LINE} bytes: not a vector file`);
    }
    if (lines.length > 0) yield lines;
  }
  if (held > 0) yield [Buffer.concat(rest).toString('utf8')];
};

/** The lines of a file, or of standard input for `-`. */
export const linesOfFile = async function* (path: string): AsyncGenerator<readonly string[]> {
  const source = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: CHUNK });
  try {
    yield* linesOf(await unpacked(source));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read the vectors: ${(error as Error).message}`);
  } finally {
    source.destroy();
  }
};
