// The whole boot of Debian's stock Linux 6.1 (686) as it comes, with its cryptographic self-tests: some 6.5 thousand million
// instructions, so it runs with --long only. What the report holds is linux.spec.ts's.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { kansoku, readReport } from '../cli/kansoku.ts';
import { linuxGuest } from './linux-guest.ts';

const guest = linuxGuest();
const scratch = mkdtempSync(join(tmpdir(), 'kansoku-linux-long-'));
after(() => rmSync(scratch, { recursive: true }));

for (const [place, mode] of [
  ['under the hypervisor', []],
  ['on the bare machine', ['--bare']],
] as const) {
  it(
    `boots with every self-test ${place}`,
    { skip: guest === undefined ? "Debian's kernel is not to be had here" : false },
    async () => {
      const initrd = join(scratch, 'initramfs.cpio');
      const report = join(scratch, 'report.json');
      writeFileSync(initrd, guest!.initramfs('poweroff'));
      const args = [
        '--memory',
        '64M',
        '--cmdline',
        'console=ttyS0,115200 nokaslr',
        '--initrd',
        initrd,
        '--until',
        '^@DONE',
        ...mode,
      ];
      const { status, stdout, stderr } = await kansoku(['boot', guest!.kernel, ...args, '--report', report], 1500);
      assert.equal(status, 0, `${stderr}\n${stdout.slice(-2000)}`);
      assert.doesNotMatch(stdout, /alg: .*fail|Oops|BUG:|Kernel panic/i);
      const { stopReason, instructions, events } = readReport(report);
      assert.equal(stopReason, 'until');
      assert.ok(instructions > 5e9, `${instructions} instructions`);
      assert.equal(events.lost, 0);
    },
  );
}
