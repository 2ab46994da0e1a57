// The .ktrace file: a header in JSON that explains everything after it, then blocks of records, each with its checksum.
// Not an exchange format (export/). All numbers are little-endian.
//
//   magic "KTRACE\r\n" · version · header bytes (a multiple of 4) · header checksum · 0 · header (JSON, padded with blanks)
//   blocks: "RECS" · records · checksum · 0 · records of 48 bytes (record.ts)
//   "ENDS" · records in all, low and high · checksum of these two
//
// Checksum: FNV-1a, 32 bits, over the words that follow (the count before them goes in first). Every step is a bijection, so a
// single changed word is always found.

import { CODE_SETS } from './codes.ts';
import { EVENT_BY_NUMBER, EVENTS, type EventMask } from './events.ts';
import { kindAt, RECORD_BYTES, RECORD_WORDS } from './record.ts';
import type { LostInterval } from './lost-records.ts';
import { CHUNK_RECORDS, EventStore } from './store.ts';

export const TRACE_VERSION = 1;
const MAGIC = [0x4b, 0x54, 0x52, 0x41, 0x43, 0x45, 0x0d, 0x0a] as const;
const RECS = 0x5343_4552;
const ENDS = 0x5344_4e45;
const FIXED_BYTES = 24;
const BLOCK_BYTES = 16;

/** A trace that cannot be read: the file, the reason and what to do, in one sentence. */
export class TraceFileError extends Error {
  override readonly name = 'TraceFileError';
}

/** What the engine knows about the run; it goes into the header as it is. */
export interface TraceMeta {
  /** Cycles of one second of virtual time. */
  readonly cyclesPerSecond: number;
  /** Kinds that were recorded when the trace was written. */
  readonly mask: EventMask;
  readonly image: { readonly name: string; readonly sha256?: string };
  readonly symbols?: { readonly name: string; readonly sha256?: string };
  readonly cpu: string;
  readonly paging: 'shadow' | 'ept' | 'bare';
  readonly memoryBytes: number;
  readonly cmdline: string;
  readonly domains: readonly { readonly id: number; readonly name: string }[];
}

export interface TraceHeader extends TraceMeta {
  readonly format: 'kansoku-trace';
  readonly version: number;
  readonly recordBytes: number;
  readonly records: number;
  /** Sequence number of the first record. */
  readonly first: number;
  /** Gaps; `lostRecords` is their sum. */
  readonly lost: readonly LostInterval[];
  readonly lostRecords: number;
  readonly kinds: readonly {
    readonly number: number;
    readonly id: string;
    readonly group: string;
    readonly operands: readonly { readonly name: string; readonly format: string }[];
    readonly text: string;
  }[];
  readonly codes: Readonly<Record<string, Readonly<Record<number, string>>>>;
}

export interface Trace {
  readonly header: TraceHeader;
  /** The records, indexed for zooming and searching. */
  readonly store: EventStore;
}

/** The whole trace as a file. */
export const encodeTrace = (meta: TraceMeta, store: EventStore): Uint8Array<ArrayBuffer> => {
  const header: TraceHeader = {
    format: 'kansoku-trace',
    version: TRACE_VERSION,
    recordBytes: RECORD_BYTES,
    records: store.held,
    first: store.first,
    lost: store.lostIntervals(),
    lostRecords: store.lost,
    kinds: EVENTS.map(({ number, id, group, operands, text }) => ({ number, id, group, operands, text })),
    codes: CODE_SETS,
    ...meta,
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = (text.length + 3) & ~3;
  const blocks = Math.ceil(store.held / CHUNK_RECORDS);
  const file = new Uint8Array(FIXED_BYTES + headerBytes + (blocks + 1) * BLOCK_BYTES + store.held * RECORD_BYTES);
  const words = new Uint32Array(file.buffer);
  file.set(MAGIC);
  file.fill(0x20, FIXED_BYTES, FIXED_BYTES + headerBytes);
  file.set(text, FIXED_BYTES);
  words[2] = TRACE_VERSION;
  words[3] = headerBytes;
  words[4] = checksum(headerBytes, words, FIXED_BYTES / 4, headerBytes / 4);
  let at = (FIXED_BYTES + headerBytes) / 4;
  store.forEachRun(store.first, store.next, (source, from, count) => {
    words[at] = RECS;
    words[at + 1] = count;
    words.set(source.subarray(from, from + count * RECORD_WORDS), at + 4);
    words[at + 2] = checksum(count, words, at + 4, count * RECORD_WORDS);
    at += 4 + count * RECORD_WORDS;
  });
  words[at] = ENDS;
  words[at + 1] = store.held;
  words[at + 2] = Math.floor(store.held / 0x1_0000_0000);
  words[at + 3] = checksum(ENDS, words, at + 1, 2);
  return file;
};

/** @param name of the file, for messages. @throws TraceFileError for anything but a whole trace of a version we know. */
export const decodeTrace = (bytes: Uint8Array, name: string): Trace => {
  const fail = (reason: string, remedy: string): never => {
    throw new TraceFileError(`${name}: ${reason}. ${remedy}`);
  };
  if (bytes.length < FIXED_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    const cut = bytes.length < FIXED_BYTES && MAGIC.every((byte, i) => i >= bytes.length || bytes[i] === byte);
    return fail(
      cut ? 'the file is cut off' : 'this is not a Kansoku trace',
      'Give a file made with `kansoku boot --trace`.',
    );
  }
  const length = bytes.length & ~3;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(aligned.buffer as ArrayBuffer, aligned.byteOffset, length / 4);
  if (words[2] !== TRACE_VERSION) {
    return fail(
      `the trace has format version ${words[2]}, this Kansoku reads version ${TRACE_VERSION}`,
      'Use the Kansoku that made it, or record again.',
    );
  }
  const damaged = (what: string): never =>
    fail(`${what} is damaged (checksum)`, 'Copy the file again, or record again.');
  const cutOff = (): never =>
    fail('the trace is cut off', 'The run or the copy ended early; copy the file again, or record again.');

  const headerBytes = words[3]!;
  if (headerBytes % 4 !== 0 || words[5] !== 0) return damaged('the header');
  if (FIXED_BYTES + headerBytes > bytes.length) return cutOff();
  if (words[4] !== checksum(headerBytes, words, FIXED_BYTES / 4, headerBytes / 4)) return damaged('the header');
  const header = JSON.parse(
    new TextDecoder().decode(bytes.subarray(FIXED_BYTES, FIXED_BYTES + headerBytes)),
  ) as TraceHeader;

  const store = new EventStore(header.records * RECORD_BYTES, header.first);
  const known = new Uint8Array(0x1_0000);
  for (const kind of header.kinds) if (EVENT_BY_NUMBER[kind.number]?.id === kind.id) known[kind.number] = 1;
  let at = (FIXED_BYTES + headerBytes) / 4;
  for (;;) {
    if (at + 4 > words.length) return cutOff();
    if (words[at] === ENDS) break;
    if (words[at] !== RECS || words[at + 3] !== 0) return damaged('a block of records');
    const count = words[at + 1]!;
    const end = at + 4 + count * RECORD_WORDS;
    if (end + 4 > words.length) return cutOff();
    if (words[at + 2] !== checksum(count, words, at + 4, count * RECORD_WORDS)) return damaged('a block of records');
    for (let i = at + 4; i < end; i += RECORD_WORDS) {
      if (known[kindAt(words, i)] === 0) {
        return fail(
          `it has events of kind ${kindAt(words, i)}, which this Kansoku does not know`,
          'Use the Kansoku that made it.',
        );
      }
    }
    if (store.held + count > header.records) return damaged('a block of records');
    store.append(words, at + 4, count);
    at = end;
  }
  if (words[at + 3] !== checksum(ENDS, words, at + 1, 2)) return damaged('the end');
  if (words[at + 2]! * 0x1_0000_0000 + words[at + 1]! !== store.held || store.held !== header.records) return cutOff();
  if (bytes.length !== (at + 4) * 4)
    return fail('there is something after the end of the trace', 'Copy the file again.');
  return { header, store };
};

const checksum = (seed: number, words: Uint32Array, at: number, count: number): number => {
  let hash = Math.imul((0x811c_9dc5 ^ seed) | 0, 0x0100_0193);
  for (let i = at; i < at + count; i++) hash = Math.imul(hash ^ words[i]!, 0x0100_0193);
  return hash >>> 0;
};
