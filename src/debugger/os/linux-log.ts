// Linux's kernel log as it lies in memory: the ring of descriptors of 5.10 and later, and the records of 3.5 to 5.9. kernel/printk/printk.c and
// printk_ringbuffer.h. Lines that the kernel is just writing are left out.

import type { LogLine } from './awareness.ts';
import type { Structures } from './structures.ts';

const NANOSECONDS = 1e9;
/** A descriptor's state is in the two highest bits of its word, its number in the others. */
const STATE_SHIFT = 30;
const NUMBER = 0x3fff_ffff;
const Committed = 1;
const Finalized = 2;
/** More than any ring has. */
const MOST_RECORDS = 1 << 20;
const LONGEST_LINE = 4096;

export const readLinuxLog = (structures: Structures): LogLine[] => {
  const ring = structures.word(structures.symbol('prb'));
  return ring === undefined ? readRecords(structures) : readRing(structures, ring);
};

/** Since 5.10: `struct printk_ringbuffer`. */
const readRing = (s: Structures, ring: number): LogLine[] => {
  const of = (path: string): number | undefined => s.read(ring, 'printk_ringbuffer', path);
  const bits = of('desc_ring.count_bits');
  const descriptors = of('desc_ring.descs');
  const infos = of('desc_ring.infos');
  const head = of('desc_ring.head_id.counter') ?? of('desc_ring.head_id');
  const tail = of('desc_ring.tail_id.counter') ?? of('desc_ring.tail_id');
  const dataBits = of('text_data_ring.size_bits');
  const data = of('text_data_ring.data');
  const [descriptorSize, infoSize] = [s.size('prb_desc'), s.size('printk_info')];
  if (bits === undefined || descriptors === undefined || infos === undefined || head === undefined) return [];
  if (tail === undefined || dataBits === undefined || data === undefined || bits > 24 || dataBits > 30) return [];
  if (descriptorSize === undefined || infoSize === undefined) return [];

  const lines: LogLine[] = [];
  const count = Math.min((head - tail) & NUMBER, MOST_RECORDS);
  for (let i = 0; i <= count; i++) {
    const number = (tail + i) & NUMBER;
    const index = number & ((1 << bits) - 1);
    const descriptor = descriptors + index * descriptorSize;
    const state = s.read(descriptor, 'prb_desc', 'state_var.counter') ?? s.read(descriptor, 'prb_desc', 'state_var');
    if (state === undefined || (state & NUMBER) !== number) continue;
    const phase = state >>> STATE_SHIFT;
    if (phase !== Committed && phase !== Finalized) continue;
    const begin = s.read(descriptor, 'prb_desc', 'text_blk_lpos.begin');
    const next = s.read(descriptor, 'prb_desc', 'text_blk_lpos.next');
    if (begin === undefined || next === undefined) continue;
    const place = dataPlace(begin, next, dataBits);
    const line = lineOf(s, infos + index * infoSize, 'printk_info', (bytes) =>
      place === undefined ? '' : s.text(data + place, bytes),
    );
    if (line !== undefined) lines.push(...line);
  }
  return lines;
};

/** Where a block's text is in the ring of text, behind the number it begins with; undefined: it has none. A block that would wrap begins at 0. */
const dataPlace = (begin: number, next: number, bits: number): number | undefined => {
  if (begin & 1) return undefined;
  const size = 2 ** bits;
  const wraps = Math.floor(begin / size) !== Math.floor(next / size) && next % size !== 0;
  return (wraps ? 0 : begin % size) + 4;
};

/** 3.5 to 5.9: records of `struct printk_log` (`struct log` before 3.11) in a buffer, from the first to the next to be written. */
const readRecords = (s: Structures): LogLine[] => {
  const struct = s.struct('printk_log') === undefined ? 'log' : 'printk_log';
  const buffer = s.word(s.symbol('log_buf'));
  const size = s.word(s.symbol('log_buf_len'));
  const header = s.size(struct);
  const end = s.word(s.symbol('log_next_idx'));
  let at = s.word(s.symbol('log_first_idx'));
  if (buffer === undefined || size === undefined || header === undefined || end === undefined || at === undefined)
    return [];
  const lines: LogLine[] = [];
  for (let i = 0; at !== end && i < MOST_RECORDS; i++) {
    const length = s.read(buffer + at, struct, 'len');
    // A length of zero says that the rest of the buffer is left free.
    if (length === 0 && at !== 0) {
      at = 0;
      continue;
    }
    if (length === undefined || length < header) break;
    const text = buffer + at + header;
    lines.push(...(lineOf(s, buffer + at, struct, (bytes) => s.text(text, bytes)) ?? []));
    at += length;
    if (at >= size) break;
  }
  return lines;
};

const lineOf = (
  s: Structures,
  info: number,
  struct: string,
  text: (bytes: number) => string | undefined,
): LogLine[] | undefined => {
  const nanoseconds = s.read(info, struct, 'ts_nsec');
  const bytes = s.read(info, struct, 'text_len');
  const level = levelOf(s, info, struct);
  if (nanoseconds === undefined || bytes === undefined || bytes > LONGEST_LINE) return undefined;
  const whole = bytes === 0 ? '' : text(bytes);
  if (whole === undefined) return undefined;
  return whole.split('\n').map((line) => ({ seconds: nanoseconds / NANOSECONDS, level, text: line }));
};

/** A bit-field of three bits behind five of flags. */
const levelOf = (s: Structures, info: number, struct: string): number => {
  const type = s.struct(struct);
  const member = type?.kind === 'struct' ? type.members.find(({ name }) => name === 'level') : undefined;
  const first = member?.bits?.offset;
  if (first === undefined) return s.read(info, struct, 'level') ?? 0;
  const byte = s.bytes(info + (first >> 3), 1)?.[0] ?? 0;
  return (byte >> (first & 7)) & 7;
};
