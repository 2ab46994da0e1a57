// `kansoku bench` as a user runs it: guests of the repository built, run here twice, measured and reported. How fast they are is not
// looked at. What the guests compute must be the same in QEMU where it is installed.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { missingCompiler } from '../guests/build.ts';
import { missingQemu } from '../guests/qemu.ts';
import { kansoku } from './kansoku.ts';

const scratch = mkdtempSync(join(tmpdir(), 'kansoku-bench-'));
after(() => rmSync(scratch, { recursive: true }));

interface Times {
  readonly guests: readonly {
    readonly name: string;
    readonly engines: Readonly<
      Record<string, Record<'cold' | 'warm', readonly { sum: string; cycles: number; milliseconds: number }[]>>
    >;
  }[];
  readonly costs: readonly { readonly text: string; readonly nanoseconds: { readonly median: number } }[];
  readonly errors: readonly string[];
}

describe('kansoku bench', { skip: missingCompiler() ?? false }, () => {
  it('measures a guest and what an exit costs, writes the times and the page', async () => {
    const json = join(scratch, 'times.json');
    const page = join(scratch, 'page.md');
    writeFileSync(page, '# Speed\n\n<!-- measured: kansoku bench --write -->\n\n<!-- end -->\n');
    const only = 'integer,cpuid';
    const args = ['--rounds', '1', '--only', only, '--json', json, '--write', page];
    const { status, stdout, stderr } = await kansoku(['bench', '--engines', 'kansoku', ...args], 240);
    assert.equal(status, 0, stderr);
    const times = JSON.parse(readFileSync(json, 'utf8')) as Times;
    assert.deepEqual(
      times.guests.map(({ name }) => name),
      ['integer'],
    );
    const [cold, warm] = ['cold', 'warm'].map((pass) => times.guests[0]!.engines['kansoku']![pass as 'cold'][0]!);
    // A hundred million times six instructions, and a few around them.
    assert.equal(Math.floor(warm!.cycles / 1e4), 60_000);
    assert.equal(warm!.sum, cold!.sum);
    assert.ok(warm!.milliseconds > 0);
    assert.deepEqual(
      times.costs.map(({ text }) => text).filter((text) => /CPUID|event/.test(text)),
      ['VM exit and entry (CPUID)', 'recorded event'],
    );
    for (const line of ['### Warm', '### What one of each costs', '| integer '])
      assert.ok(stdout.includes(line), stdout);
    assert.equal(readFileSync(page, 'utf8').includes(stdout.trim()), true);
  });

  it('computes what QEMU computes, in every guest', { skip: missingQemu() ?? false }, async () => {
    const { status, stdout, stderr } = await kansoku(['bench', '--engines', 'kansoku,hypervisor,qemu', '--check'], 600);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^(3[0-9]|4[0-9]) guests give the same checksums in kansoku, hypervisor, qemu$/m);
  });

  for (const [args, message] of [
    [['--only', 'nothing'], /^--only: no guest nothing; there are integer, crc32/],
    [['--engines', 'bochs'], /^--engines: "bochs" is none of kansoku, /],
    [['--guests', '/no/such/place'], /^--guests: \/no\/such\/place: no such file or folder$/m],
    [['--initrd', 'x'], /^kansoku bench: --initrd goes with --linux$/m],
    [['--write', join(scratch, 'absent.md')], /absent\.md: cannot read the page: ENOENT/],
    [['fast'], /^kansoku bench: "fast" is no option/],
  ] as const)
    it(`refuses ${args.join(' ')} with one line`, async () => {
      const { status, stderr } = await kansoku(['bench', '--rounds', '1', ...args]);
      assert.equal(status, 2);
      assert.match(stderr, message);
      assert.equal(
        stderr
          .trim()
          .split('\n')
          .filter((line) => !line.startsWith('left out: ')).length,
        1,
        stderr,
      );
    });
});
