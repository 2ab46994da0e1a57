// Xen's own xenalyze reads what we export: it must accept the file without complaint and count what we count.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ShadowOutcome } from '../../src/hypervisor/observer.ts';
import { EXIT_REASONS, ExitReason } from '../../src/machine/vmx/exit-reasons.ts';
import { MASK_ALL, maskOf } from '../../src/monitor/events.ts';
import { exportTrace } from '../../src/monitor/export/index.ts';
import { Metrics } from '../../src/monitor/metrics.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { RECORD_BYTES } from '../../src/monitor/record.ts';
import { CHUNK_RECORDS, EventStore } from '../../src/monitor/store.ts';
import { decodeTrace, encodeTrace } from '../../src/monitor/trace-file.ts';
import { debianPackage } from '../oracles/debian-package.ts';
import { exitInformation, madeUpRun, META, Point } from './synthetic.ts';

const folder = debianPackage('xen-utils-common');
const skip = folder === undefined ? 'xenalyze is not to be had here' : false;
const scratch = mkdtempSync(join(tmpdir(), 'xenalyze-'));
after(() => rmSync(scratch, { recursive: true }));

const xenalyze = (recorder: Recorder, ...options: string[]) => {
  recorder.flush();
  const trace = decodeTrace(encodeTrace(META, recorder.store), 'test.ktrace');
  const file = join(scratch, 'trace.xen');
  writeFileSync(file, exportTrace(trace, 'xentrace').files.get('')!);
  const { status, stdout, stderr, signal } = spawnSync(
    join(folder!, 'usr/bin/xenalyze'),
    ['--cpu-hz', '1000000000', '-s', ...options, file],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  assert.equal(signal, null);
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
};

/** Where xenalyze's name of a reason differs from Xen's. */
const ALIASES: Readonly<Record<string, string>> = { PENDING_VIRT_INTR: 'PENDING_INTERRUPT' };
const complaints = (text: string): string[] =>
  text.split('\n').filter((line) => /Strange|FATAL|Unexpected|Unknown|Warning|not |skew|invalid/i.test(line));

/** Counts of the lines that match; group 1 is the key, group 2 the count. */
const table = (text: string, pattern: RegExp): Map<string, number> =>
  new Map([...text.matchAll(pattern)].map(([, key, count]) => [key!.trim(), Number(count)] as const));
const ours = (counts: readonly { readonly code: number; readonly count: number }[]): Map<number, number> =>
  new Map(counts.map(({ code, count }) => [code, count]));

/** xenalyze's sub-tables of EXCEPTION_NMI by our outcome. */
const OUTCOMES: Readonly<Record<number, string>> = {
  [ShadowOutcome.PROPAGATE]: 'propagate',
  [ShadowOutcome.MMIO]: 'mmio',
  [ShadowOutcome.FIXUP]: 'fixup',
  [ShadowOutcome.EMULATE]: 'emulate',
  [ShadowOutcome.UNSHADOW_USER]: 'unshadow:user-mode',
};

/** @param open exits that a gap cut off from their entry: xenalyze counts an exit when it ends. */
const checkCounts = (metrics: Metrics, stdout: string, open = 0): void => {
  const theirs = table(stdout, /^ ([A-Z_]+) +(\d+) +[\d.]+s/gm);
  const exits = metrics.exits();
  assert.ok(exits.length >= 9);
  const missing = exits.map(({ reason, count }) => {
    const xen = EXIT_REASONS[reason]!.xen;
    return count - (theirs.get(ALIASES[xen] ?? xen) ?? 0);
  });
  assert.ok(Math.min(...missing) >= 0);
  assert.ok(missing.reduce((a, b) => a + b) <= open, `missing: ${missing.join(' ')}`);
  assert.equal(theirs.size, exits.length);
};

describe('xentrace export', { skip }, () => {
  for (const [name, schedule] of [
    ['with run states', true],
    ['without run states', false],
  ] as const) {
    it(`is accepted by xenalyze, ${name}, and counts agree`, () => {
      const point = new Point();
      const recorder = new Recorder(point, { mask: MASK_ALL });
      madeUpRun(recorder, point, 3000, 7, schedule);
      const { stdout, stderr } = xenalyze(recorder);
      assert.deepEqual(complaints(stderr), []);
      checkCounts(recorder.metrics, stdout);

      const pageFaults = table(stdout, /^     ([a-z:-]+) +(\d+) +[\d.]+s/gm);
      const shadow = recorder.metrics.shadowFaults();
      assert.equal(shadow.length, 5);
      for (const { code, count } of shadow) assert.equal(pageFaults.get(OUTCOMES[code]!), count, OUTCOMES[code]);

      const injected = stdout.slice(stdout.indexOf('Guest interrupt counts:'));
      const vectors = table(injected, /^ {2}\[ *(\d+)\] (\d+)$/gm);
      assert.deepEqual(
        new Map([...vectors].map(([v, n]) => [Number(v), n])),
        new Map([...ours(recorder.metrics.interruptsByVector())].sort((a, b) => a[0] - b[0])),
      );

      // Mean cost: theirs is cut to whole cycles. HLT is open until the vCPU wakes, so it is theirs alone.
      for (const { reason, cost } of recorder.metrics.exits()) {
        if (reason === ExitReason.HLT) continue;
        const xen = ALIASES[EXIT_REASONS[reason]!.xen] ?? EXIT_REASONS[reason]!.xen;
        const mean = new RegExp(`^ ${xen} .*?(\\d+) cyc`, 'm').exec(stdout)?.[1];
        assert.equal(Number(mean), Math.floor(cost!.mean), xen);
      }
    });
  }

  it('leaves out what xenalyze would die of: failed entries keep their bare reason, reasons above 55 go', () => {
    const point = new Point();
    const recorder = new Recorder(point, { mask: MASK_ALL });
    madeUpRun(recorder, point, 200, 3);
    recorder.vmExit(0x8000_0021, exitInformation());
    recorder.vmEntry(0, 0, 0, 0, 10);
    recorder.vmExit(60, exitInformation());
    recorder.vmEntry(0, 0, 0, 0, 10);
    const { stdout } = xenalyze(recorder);
    const theirs = table(stdout, /^ ([A-Z_]+) +(\d+) +[\d.]+s/gm);
    assert.equal(theirs.get('INVALID_GUEST_STATE'), 1);
  });

  for (const chunks of [1, 2]) {
    it(`says where records were lost: ${chunks === 1 ? 'before the first' : 'between'} records`, () => {
      const point = new Point();
      const store = new EventStore(chunks * CHUNK_RECORDS * RECORD_BYTES);
      const recorder = new Recorder(point, { mask: MASK_ALL, store });
      madeUpRun(recorder, point, 45_000, 11);
      recorder.flush();
      const lost = store.lost;
      assert.ok(lost > 0);
      store.release(CHUNK_RECORDS);
      madeUpRun(recorder, point, 3000, 12);
      recorder.flush();
      assert.equal(store.lost, lost);
      const { stdout, stderr } = xenalyze(recorder);
      assert.deepEqual(complaints(stderr), []);
      const kept = new Metrics();
      store.forEachRun(store.first, store.next, (words, at, count) => kept.addRecords(words, at, count));
      checkCounts(kept, stdout, 1);
      const { stdout: dump } = xenalyze(recorder, '-a');
      assert.equal(dump.includes(`lost_records count ${lost}`), chunks === 2, dump.match(/.*lost.*/)?.[0]);
    });
  }

  it('refuses a trace without exits, and formats that are not there', () => {
    const point = new Point();
    const recorder = new Recorder(point, { mask: maskOf(['irq.line']).mask });
    recorder.irqLine(0, 1, 0, 0);
    recorder.flush();
    const trace = decodeTrace(encodeTrace(META, recorder.store), 'lines.ktrace');
    assert.throws(() => exportTrace(trace, 'xentrace'), /no VM exits and entries.*--observe/);
    assert.throws(() => exportTrace(trace, 'ctf'), /"ctf".*not in this release.*xentrace/);
    assert.throws(() => exportTrace(trace, 'elf'), /no export format "elf"/);
  });
});
