// From a real boot to Xen's own tool: `kansoku boot --trace`, `kansoku trace export`, and what xenalyze counts is what the report says.
// Made-up traces with every kind of event: test/monitor/xenalyze.spec.ts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { CYCLES_PER_SECOND } from '../../src/machine/clock.ts';
import { EXIT_REASONS } from '../../src/machine/vmx/exit-reasons.ts';
import { kansoku, readReport } from '../cli/kansoku.ts';
import { debianPackage } from '../oracles/debian-package.ts';
import { TSUBAME } from './running-guest.ts';

const folder = debianPackage('xen-utils-common');
const scratch = mkdtempSync(join(tmpdir(), 'kansoku-xenalyze-'));
after(() => rmSync(scratch, { recursive: true }));
const file = (name: string): string => join(scratch, name);

/** Where xenalyze's name of a reason differs from Xen's. */
const ALIASES: Readonly<Record<string, string>> = { PENDING_VIRT_INTR: 'PENDING_INTERRUPT' };

const recorded = async () => {
  writeFileSync(file('input'), 'fork 50\rtouch 500\rprimes 20000 &\rsleep 200\rps\rcrash\rpoweroff\r');
  const args = ['--input', file('input'), '--trace', file('trace'), '--report', file('report')];
  const { status, stderr } = await kansoku(['boot', TSUBAME, ...args]);
  assert.equal(status, 33, stderr);
  return readReport(file('report'));
};

it(
  'xenalyze accepts the export of a boot and counts the exits that the report counts',
  { skip: folder === undefined ? 'xenalyze is not to be had here' : false },
  async () => {
    const report = await recorded();
    const { status: exported, stderr: notes } = await kansoku([
      'trace',
      'export',
      file('trace'),
      '--format',
      'xentrace',
      '--out',
      file('xen'),
    ]);
    assert.equal(exported, 0, notes);

    const { status, stdout, stderr } = spawnSync(
      join(folder!, 'usr/bin/xenalyze'),
      ['--cpu-hz', String(CYCLES_PER_SECOND), '-s', file('xen')],
      { encoding: 'utf8', maxBuffer: 1 << 28 },
    );
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /Strange|FATAL|Unexpected|Unknown|Warning|skew|invalid/i);
    const theirs = Object.fromEntries(
      [...stdout.matchAll(/^ ([A-Z_]+) +(\d+) +[\d.]+s/gm)].map(([, name, count]) => [name!, Number(count)]),
    );
    const ours = Object.fromEntries(
      Object.entries(report.exits).map(([reason, { count }]) => {
        const { xen } = EXIT_REASONS[Number(reason)]!;
        return [ALIASES[xen] ?? xen, count];
      }),
    );
    // The exit whose handler stopped the guest has no entry after it, and xenalyze counts an exit when it is entered again.
    const last = ours['IO_INSTRUCTION']!;
    ours['IO_INSTRUCTION'] = last - 1;
    assert.deepEqual(theirs, ours);
    assert.ok(Object.keys(ours).length >= 6);
  },
);

it('the summary of a trace counts the same exits and names the source', async () => {
  const report = await recorded();
  const { status, stdout, stderr } = await kansoku(['trace', 'summary', file('trace')]);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  for (const { name, count } of Object.values(report.exits)) {
    const line = stdout.split('\n').find((text) => text.includes(name));
    assert.ok(line !== undefined, `no line for ${name} in\n${stdout}`);
    assert.ok(line.replaceAll(/(?<=\d)[, ](?=\d{3}\b)/g, '').includes(String(count)), `${line} without ${count}`);
  }
  assert.match(stdout, /\w+\.[cS]:\d+/);
});
