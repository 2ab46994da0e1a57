// Trace files: what goes in comes out; a damaged, cut or foreign file is refused with a sentence, never with a crash.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MASK_ALL } from '../../src/monitor/events.ts';
import { Metrics } from '../../src/monitor/metrics.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { EventStore } from '../../src/monitor/store.ts';
import { summarize } from '../../src/monitor/summary.ts';
import { decodeTrace, encodeTrace, TraceFileError } from '../../src/monitor/trace-file.ts';
import { madeUpRun, META, Point } from './synthetic.ts';

const record = (exits: number, store = new EventStore()): Recorder => {
  const point = new Point();
  const recorder = new Recorder(point, { mask: MASK_ALL, store });
  madeUpRun(recorder, point, exits, 21);
  recorder.flush();
  return recorder;
};
const small = encodeTrace(META, record(20).store);

describe('.ktrace', () => {
  it('comes back as it was written, over several chunks and from any alignment', () => {
    const { store } = record(25_000);
    const file = encodeTrace(META, store);
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    const trace = decodeTrace(shifted.subarray(1), 'a.ktrace');
    assert.deepEqual(trace.store.slice(0, 1e9), store.slice(0, 1e9));
    assert.equal(trace.header.records, store.held);
    assert.deepEqual(trace.header.image, META.image);
    assert.equal(trace.header.kinds.find((k) => k.id === 'vmx.exit')?.number, 0);
    assert.equal(trace.header.codes['shadow']?.[6], 'fixup');
  });

  it('may be empty', () => {
    const trace = decodeTrace(encodeTrace(META, new EventStore()), 'empty.ktrace');
    assert.equal(trace.store.held, 0);
    assert.match(summarize(trace, String), /Records: 0, lost: 0/);
  });

  it('refuses every single flipped bit', () => {
    fc.assert(
      fc.property(fc.nat(small.length * 8 - 1), (bit) => {
        const file = small.slice();
        file[bit >> 3]! ^= 1 << (bit & 7);
        assert.throws(() => decodeTrace(file, 'flipped.ktrace'), TraceFileError);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses every truncation and anything appended', () => {
    for (let length = 0; length < small.length; length++) {
      assert.throws(() => decodeTrace(small.subarray(0, length), 'cut.ktrace'), TraceFileError, String(length));
    }
    assert.throws(() => decodeTrace(Uint8Array.from([...small, 0]), 'long.ktrace'), /long\.ktrace: .* after the end/);
  });

  it('refuses noise, and noise behind the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, magic) => {
        const file = magic ? Uint8Array.from([...small.subarray(0, 12), ...noise]) : noise;
        assert.throws(() => decodeTrace(file, 'noise.ktrace'), TraceFileError);
      }),
    );
  });

  it('says file, reason and remedy', () => {
    const elf = new Uint8Array(100).fill(0x7f);
    assert.throws(
      () => decodeTrace(elf, 'vmlinux'),
      /^TraceFileError: vmlinux: this is not a Kansoku trace\. Give a file/,
    );
    assert.throws(() => decodeTrace(small.subarray(0, small.length - 40), 'a.ktrace'), /cut off.*record again/);
    const newer = small.slice();
    newer[8] = 2;
    assert.throws(() => decodeTrace(newer, 'a.ktrace'), /format version 2, this Kansoku reads version 1/);
  });
});

describe('summary', () => {
  it('counts a file as the live metrics counted the run', () => {
    const recorder = record(2000);
    const trace = decodeTrace(encodeTrace(META, recorder.store), 'a.ktrace');
    const replayed = new Metrics();
    trace.store.forEachRun(0, trace.store.next, (words, at, count) => replayed.addRecords(words, at, count));
    assert.deepEqual(replayed, recorder.metrics);
    const text = summarize(trace, (address) => `<${address.toString(16)}>`);
    for (const { reason, name, count, cycles } of recorder.metrics.exits()) {
      const line = text.split('\n').find((l) => l.trim().startsWith(`${reason} ${name}`));
      assert.match(line ?? '', new RegExp(` ${count} .* ${cycles} `), name);
    }
    assert.match(text, /Records: \d+, lost: 0/);
    assert.match(text, /0x00100[0-9a-f]{3} +\d+ +[\d.]+% +<100[0-9a-f]+>/);
    assert.doesNotMatch(text, /~/);
  });

  it('shows loss, and marks every share of an incomplete trace', () => {
    const recorder = record(30_000, new EventStore(1));
    assert.ok(recorder.store.lost > 0);
    const text = summarize(decodeTrace(encodeTrace(META, recorder.store), 'a.ktrace'), String);
    assert.match(
      text,
      new RegExp(`lost: ${recorder.store.lost}\n {2}${recorder.store.lost} lost between instructions`),
    );
    for (const share of text.match(/\S*\d%/g)!.filter((s) => s.includes('.'))) assert.match(share, /^~/);
  });
});
