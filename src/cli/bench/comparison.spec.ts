import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../../workers/session.ts';
import { comparisonTable, meanRatio, startTable } from './comparison.ts';
import { eventCosts } from './costs.ts';
import { engineOf } from './engines.ts';
import { marksOf } from './linux.ts';
import { observingTable } from './observing.ts';
import { Part, withMeasured } from './page.ts';
import type { Measurement } from './report.ts';
import { disagreements, type GuestResults, type Results, turned } from './rounds.ts';
import { figure, spread, table } from './text.ts';

const kernel = { label: '', path: 'bench.elf', guests: [] };
const measurement = (milliseconds: number, sum = 'aaaaaaaa'): Measurement => ({
  name: 'g',
  count: 2,
  milliseconds,
  sum,
  cycles: 3_000_000,
});
const results = (times: readonly number[], sum?: string): Results => ({
  cold: times.map((time) => measurement(2 * time, sum)),
  warm: times.map((time) => measurement(time, sum)),
  firstLineMilliseconds: [],
  builtMilliseconds: [],
  residentBytes: [],
  besidesBytes: [],
});
const row = (guest: string, engines: Readonly<Record<string, Results>>): GuestResults => ({
  kernel,
  guest,
  engines: new Map(Object.entries(engines)),
});
const ENGINES = ['kansoku', 'qemu'].map((id) => engineOf(id)!);

describe('the comparison', () => {
  const rows = [
    row('one', { kansoku: results([10, 30, 20]), qemu: results([40, 40, 40]) }),
    row('two', { kansoku: results([8]), qemu: results([4]) }),
    row('three', { kansoku: results([1]), qemu: { ...results([]), problem: 'did not finish' } }),
  ];
  it('divides the rival by ours, guest by guest, and means those that both ended', () => {
    const lines = comparisonTable(rows, ENGINES, 'warm').split('\n');
    const cells = lines.map((line) => line.split('|').map((text) => text.trim()));
    assert.deepEqual(cells[0]!.slice(1, -1), [
      'guest',
      '10^6 instructions',
      'Kansoku, ms',
      'QEMU TCG, ms',
      'Kansoku, MIPS',
      'QEMU TCG / Kansoku',
    ]);
    assert.deepEqual(cells[2]!.slice(1, -1), ['one', '3.00', '20.0 (10.0 to 30.0)', '40.0', '150', '2.00']);
    assert.deepEqual(cells[3]!.slice(1, -1), ['two', '3.00', '8.00', '4.00', '375', '0.50']);
    assert.deepEqual(cells[4]!.slice(1, -1), ['three', '3.00', '1.00', 'failed', '3000', '']);
    assert.deepEqual(cells[5]!.slice(1, -1), ['geometric mean', '', '', '', '', '1.00']);
    assert.equal(new Set(lines.map((line) => line.length)).size, 1);
    assert.equal(meanRatio(rows, 'qemu', 'kansoku', 'warm').guests, 2);
  });
  it('finds every guest whose checksums differ, between engines and between rounds', () => {
    assert.deepEqual(disagreements(rows), []);
    const between = row('bad', { kansoku: results([1], '00000001'), qemu: results([1], '00000002') });
    assert.deepEqual(disagreements([between]), [
      'bad, first pass: checksums differ: 00000001 in kansoku; 00000002 in qemu',
      'bad, second pass: checksums differ: 00000001 in kansoku; 00000002 in qemu',
    ]);
    const own = results([1, 1]);
    own.warm[1] = measurement(1, '00000003');
    assert.deepEqual(disagreements([row('shaky', { kansoku: own })]), [
      'shaky, second pass: checksums differ: aaaaaaaa in kansoku; 00000003 in kansoku',
    ]);
  });
  it('turns the order of the engines', () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((round) => turned(['a', 'b', 'c'], round).join('')),
      ['abc', 'bca', 'cab', 'abc'],
    );
  });
});

describe('the cost of an event', () => {
  const with_ = (milliseconds: number, recorded: number): Measurement => ({
    ...measurement(milliseconds),
    spent: { instructions: 0, exits: 0, recorded, processorMilliseconds: 0 },
  });
  it('is the difference in time over the events', () => {
    assert.deepEqual(eventCosts([with_(30, 1000), with_(40, 2000)], [with_(20, 0), with_(30, 0)]), [10_000, 5000]);
  });
  it('is unknown where nothing was recorded, or a round is missing', () => {
    assert.deepEqual(eventCosts([with_(30, 0), with_(30, 9)], [with_(20, 0)]), []);
  });
});

describe('the marks of a boot', () => {
  it('are the first lines of each kind', () => {
    const lines = ['[    0.000000] Linux version 6.1', '@INIT', '@DONE', '@DONE'].map((text, at) => ({ at, text }));
    assert.deepEqual(
      marksOf(lines, '^@DONE').map(({ index }) => index),
      [0, 1, 2],
    );
    assert.deepEqual(
      marksOf(lines.slice(1), '^login').map(({ index }) => index),
      [0],
    );
  });
});

describe('text', () => {
  it('has three digits, and separates thousands from 10,000 on', () => {
    assert.deepEqual([0, 0.0123, 1.234, 12.34, 123.4, 1234.4, 12_345.6, 1_234_567].map(figure), [
      '0',
      '0.012',
      '1.23',
      '12.3',
      '123',
      '1234',
      '12,346',
      '1,234,567',
    ]);
  });
  it('says what memory is besides the guest, and of QEMU the whole', () => {
    const memory = (residentBytes: number[], besidesBytes: number[]): Results => ({
      ...results([1]),
      residentBytes,
      besidesBytes,
    });
    const text = startTable(
      row('g', { kansoku: memory([50 << 20], [40 << 20]), qemu: memory([60 << 20], []) }),
      ENGINES,
    );
    const last = text.split('\n').slice(2).map((line) => line.split('|').at(-2)!.trim()); // prettier-ignore
    assert.deepEqual(last, ['40.0', '60.0']);
  });
  it('shows a spread only where there is one', () => {
    assert.equal(spread({ median: 2, least: 1, most: 3 }), '2.00 (1.00 to 3.00)');
    assert.equal(spread({ median: 2, least: 2, most: 2 }), '2.00');
    assert.equal(spread(undefined), '');
  });
  it('makes columns of equal width, and no new ones', () => {
    assert.equal(table(['a|b', 'n'], [['x', '1']]), '| a\\|b |   n |\n| ---- | --: |\n| x    |   1 |');
  });
});

describe('what observing costs', () => {
  const spent = (milliseconds: number, recorded: number): Measurement => ({
    ...measurement(0),
    spent: { instructions: 3_000_000, exits: 1000, recorded, processorMilliseconds: milliseconds },
  });
  const side = (times: readonly number[], recorded: number, mebibytes: number): Results => ({
    ...results([]),
    cold: times.map((time) => spent(2 * time, recorded)),
    warm: times.map((time) => spent(time, recorded)),
    besidesBytes: times.map(() => mebibytes * 2 ** 20),
  });
  const cells = (text: string, first: string): string[] =>
    text
      .split('\n')
      .map((line) => line.split('|').map((word) => word.trim()))
      .find((row) => row[1] === first)!
      .slice(2, -1);

  it('is compared round by round: the ratio of a slow round is not that of the medians', () => {
    const text = observingTable(
      [row('g', { hypervisor: side([100, 220, 330], 4000, 70), unobserved: side([100, 200, 300], 0, 60) })],
      undefined,
    );
    assert.deepEqual(cells(text, 'g'), [
      '1.00', '4.00', '200', '220', '1.10 (1.00 to 1.10)', '1.10 (1.00 to 1.10)', '60.0', '70.0',
    ]); // prettier-ignore
    assert.deepEqual(cells(text, 'geometric mean').slice(4, 6), ['1.10', '1.10']);
  });
  it('leaves a guest that failed out of the mean, and has Linux beside it', () => {
    const failed = { ...side([], 0, 0), problem: 'it did not end' };
    const job = { kernel: 'k', initrd: undefined, cmdline: '', until: '^@DONE' };
    const linux = (milliseconds: number) => ({ times: new Map([['`^@DONE`', [milliseconds]]]) });
    const text = observingTable(
      [
        row('bad', { hypervisor: failed, unobserved: side([1], 0, 1) }),
        row('good', { hypervisor: side([4], 1, 1), unobserved: side([2], 0, 1) }),
      ],
      { job, results: new Map([['hypervisor', linux(21_000)], ['unobserved', linux(20_000)]]) }, // prettier-ignore
    );
    assert.equal(cells(text, 'bad')[0], 'failed');
    assert.equal(cells(text, 'geometric mean')[4], '2.00');
    assert.equal(cells(text, 'Linux to `^@DONE`')[5], '1.05 (1.05 to 1.05)');
  });
});

describe('the page', () => {
  const page = 'before\n\n<!-- measured: kansoku bench --write -->\n\nold\n\n<!-- end -->\n\nafter\n';
  it('gets a new measured part and keeps the rest', () => {
    const written = withMeasured(page, Part.GUESTS, 'new', 'p.md');
    assert.equal(written, page.replace('old', 'new'));
    assert.equal(withMeasured(written, Part.GUESTS, 'new', 'p.md'), written);
  });
  it('keeps the part that was measured otherwise', () => {
    const both = `${page}\n<!-- measured: kansoku bench --observing --write -->\n\nolder\n\n<!-- end -->\n`;
    assert.equal(withMeasured(both, Part.OBSERVING, 'new', 'p.md'), both.replace('older', 'new'));
    assert.equal(withMeasured(both, Part.GUESTS, 'new', 'p.md'), both.replace('old\n', 'new\n'));
  });
  it('must have the place for it', () => {
    for (const text of ['', page.replace('<!-- end -->', ''), page.replace('measured', 'x')])
      assert.throws(() => withMeasured(text, Part.GUESTS, 'new', 'p.md'), UserError);
  });
});
