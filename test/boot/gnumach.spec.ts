// `kansoku boot` on Debian's GNU Mach 1.8: a Multiboot 1 kernel nobody here wrote, gzipped as it comes. Without modules it probes
// its devices and panics for want of a bootstrap server: that is as far as it goes in QEMU too.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { kansoku, readReport } from '../cli/kansoku.ts';
import { debianPackage } from '../oracles/debian-package.ts';

const folder = debianPackage('gnumach-image-1.8-486:i386');
const skip = folder === undefined ? 'GNU Mach is not to be had here' : false;
const scratch = mkdtempSync(join(tmpdir(), 'kansoku-mach-'));
after(() => rmSync(scratch, { recursive: true }));
const PANIC = 'bootstrap_create: No bootstrap code loaded with the kernel!';

for (const [place, mode] of [
  ['under the hypervisor', []],
  ['on the bare machine', ['--bare']],
] as const) {
  it(`boots to its panic ${place}`, { skip }, async () => {
    const report = join(scratch, 'report.json');
    const image = join(folder!, 'boot', 'gnumach-1.8-486.gz');
    const args = ['--cmdline', 'console=com0', '--until', 'No bootstrap code loaded', '--report', report, ...mode];
    const { status, stdout, stderr } = await kansoku(['boot', image, ...args], 120);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^GNU Mach 1\.8/m);
    assert.match(stdout, /scsi : 0 hosts\.\r\n[^]*RTC time is \d{4}-/);
    assert.ok(stdout.includes(`panic ../kern/bootstrap.c:181: ${PANIC}`), stdout);
    const { exits, events, stopReason } = readReport(report);
    assert.equal(stopReason, 'until');
    assert.equal(events.lost, 0);
    if (mode.length === 0)
      for (const reason of [0, 1, 28, 30]) assert.ok(exits[reason]!.count > 0, `no exit with reason ${reason}`);
    else assert.deepEqual(exits, {});
  });
}
