// Firmware on the bare machine, from the reset vector: the ROM that checks itself (test/guests/firmware.S, which QEMU runs too), and
// Debian's SeaBIOS, as far as it gets without a PCI bus: its first lines on the debug console.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { kansoku, readReport } from '../cli/kansoku.ts';
import { buildFirmware, missingCompiler } from '../guests/build.ts';
import { debianPackage } from '../oracles/debian-package.ts';

const scratch = mkdtempSync(join(tmpdir(), 'kansoku-firmware-'));
after(() => rmSync(scratch, { recursive: true }));

const boot = async (rom: string, ...args: string[]) => {
  const report = join(scratch, 'report.json');
  const outcome = await kansoku(['boot', '-', '--bare', '--bios', rom, '--report', report, ...args], 60);
  return { ...outcome, report: readReport(report) };
};

it(
  'a ROM starts at the reset vector, is where it must be and cannot be written',
  {
    skip: missingCompiler() ?? false,
  },
  async () => {
    const { status, stdout, stderr, report } = await boot(buildFirmware(), '--max-instructions', '10000000');
    assert.match(stdout, /^(ok [\w-]+\n){19}$/);
    assert.equal(status, 33);
    assert.equal(report.stopReason, 'debug-exit');
    assert.equal(report.serial, stdout);
    // It writes to both lines; the debug console appears on standard error.
    assert.equal(report.debugConsole, stdout);
    assert.equal(stderr, stdout);
  },
);

const folder = debianPackage('seabios');

it(
  'SeaBIOS says its version and looks for the chip set',
  {
    skip: folder === undefined ? 'SeaBIOS is not to be had here' : false,
  },
  async () => {
    const image = join(folder!, 'usr', 'share', 'seabios', 'bios.bin');
    const { status, stdout, stderr, report } = await boot(image, '--until', 'bridge not found', '--serial', 'null');
    assert.equal(status, 0, stderr);
    assert.equal(stdout + stderr, '');
    assert.match(
      report.debugConsole,
      /^SeaBIOS \(version 1\.\d+\.\d+[^)]*\)\nBUILD: gcc: .*\nUnable to unlock ram - bridge not found\n/,
    );
    assert.deepEqual(report.exits, {});
  },
);
