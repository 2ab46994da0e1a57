// `kansoku boot` on Debian's stock Linux 6.1 (686), unmodified, under the hypervisor with everything observed, to the end of its init.
// `cryptomgr.notests` leaves out half of the boot (self-tests of RSA); linux.long.spec.ts boots without it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { kansoku, readReport } from '../cli/kansoku.ts';
import { linuxGuest } from './linux-guest.ts';

const guest = linuxGuest();
const skip = guest === undefined ? "Debian's kernel is not to be had here" : false;
const scratch = mkdtempSync(join(tmpdir(), 'kansoku-linux-'));
after(() => rmSync(scratch, { recursive: true }));

/** Exits that every boot of a 32-bit Linux takes: exception, external interrupt, CPUID, HLT, INVLPG, CR access, I/O. */
const REASONS = [0, 1, 10, 12, 14, 28, 30];

const bootLinux = async (ending: 'reboot' | 'poweroff', ...more: string[]) => {
  const initrd = join(scratch, `${ending}.cpio`);
  const report = join(scratch, `${ending}.json`);
  writeFileSync(initrd, guest!.initramfs(ending));
  const cmdline = 'console=ttyS0,115200 nokaslr cryptomgr.notests';
  const args = ['--memory', '64M', '--cmdline', cmdline, '--initrd', initrd, '--report', report, ...more];
  const outcome = await kansoku(['boot', guest!.kernel, ...args], 600);
  assert.notEqual(outcome.status, undefined, `it did not end in time:\n${outcome.stdout.slice(-2000)}`);
  return { ...outcome, report: readReport(report) };
};

it('boots to its init, works and says so', { skip }, async () => {
  const { status, stdout, stderr, report } = await bootLinux('reboot', '--until', '^@DONE');
  assert.equal(status, 0, stderr);
  assert.equal(report.stopReason, 'until');
  assert.equal(report.serial, stdout);
  assert.doesNotMatch(stdout, /Oops|BUG:|WARNING:|Kernel panic|Call Trace/);
  const work = /^@INIT\r?\n([^]*?)^@DONE/m.exec(stdout)?.[1]?.replaceAll('\r', '');
  assert.match(
    work!,
    /^Linux \(none\) 6\.\S+-686 #1 SMP .* i686 GNU\/Linux\n1\n14\n1\n2\n3\n +0: +\d+ +XT-PIC +timer\n/,
  );

  for (const reason of REASONS) assert.ok((report.exits[reason]?.count ?? 0) > 0, `no exit with reason ${reason}`);
  assert.ok(report.shadow['faults']! > 10_000);
  assert.equal(report.shadow['faults'], report.exits[0]!.count);
  const { propagate, fixup, mmio, emulate } = report.shadow;
  assert.ok(Math.min(propagate!, fixup!, mmio!, emulate!) > 0);
  const interrupts = Object.values(report.interrupts).reduce((sum, count) => sum + count, 0);
  assert.ok(interrupts > 100, `${interrupts} interrupts`);
  assert.ok((report.interrupts['0x30'] ?? 0) > 50, 'the timer, vector 30h');
  assert.ok(report.events.recorded > 1_000_000);
  assert.equal(report.events.lost, 0);
  assert.ok(report.instructions > 2e9 && report.instructions < 4e9, `${report.instructions} instructions`);
});

it('resets the machine when it reboots', { skip }, async () => {
  const { status, stdout, report } = await bootLinux('reboot', '--observe', 'none');
  assert.equal(status, 0);
  assert.equal(report.stopReason, 'reset');
  assert.match(stdout, /^@DONE[^]*reboot: (Restarting system|machine restart)/m);
  assert.equal(report.events.recorded, 0);
});
