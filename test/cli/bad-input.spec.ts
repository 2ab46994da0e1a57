// What the user gets wrong: exit status 2 and ONE line on standard error that names the file or option and says why. And the other exit
// statuses of `kansoku boot`: 0, 1, 3 and the guest's own.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { kansoku, readReport } from './kansoku.ts';

const scratch = mkdtempSync(join(tmpdir(), 'kansoku-input-'));
after(() => rmSync(scratch, { recursive: true }));

const tsubame = join(import.meta.dirname, 'media', 'guests', 'tsubame', 'tsubame.elf');
const good = readFileSync(tsubame);
const header = good.indexOf(Buffer.from([0x02, 0xb0, 0xad, 0x1b]));

const put = (name: string, bytes: Uint8Array | string): string => {
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
};
/** The sample guest with some bytes changed. */
const changed = (name: string, change: (elf: Buffer) => void): string => {
  const elf = Buffer.from(good);
  change(elf);
  return put(name, elf);
};
const inScratch = (name: string): string => join(scratch, name);

/** The smallest bzImage that says how long it is: 600h paragraphs, most of which are missing. */
const cutLinux = (): Uint8Array => {
  const image = Buffer.alloc(0x4000);
  image[0x1f1] = 4;
  image.writeUInt32LE(0x600, 0x1f4);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write('HdrS', 0x202);
  image.writeUInt16LE(0x020f, 0x206);
  image[0x211] = 1;
  image.writeUInt32LE(0x10_0000, 0x214);
  return image;
};
const linux = (): Uint8Array => {
  const image = Buffer.concat([cutLinux(), Buffer.alloc(0x6000)]);
  image.writeUInt32LE(0x37ff_ffff, 0x22c);
  return image;
};

const big = put('big', new Uint8Array(80 << 20));
const text = put('notes.txt', 'hello\n');
/** Quoted for a pattern. */
const quote = (literal: string): string => literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** A file, and what the line says after its name. */
const FILES: readonly (readonly [what: string, path: string, reason: RegExp])[] = [
  [
    'a text file',
    text,
    /not an ELF file: it starts with the bytes 68 65 6c 6c.*a Multiboot ELF file or a Linux bzImage/,
  ],
  ['an empty file', put('empty', ''), /the file is empty/],
  ['a file that is missing', inScratch('missing.elf'), /no such file/],
  ['a folder', scratch, /it is a folder/],
  [
    'an ELF file cut inside its header',
    put('short.elf', good.subarray(0, 40)),
    /truncated: the ELF header ends 12 bytes after the end/,
  ],
  [
    'an ELF file cut inside its segments',
    put('cut.elf', good.subarray(0, 9000)),
    /truncated: .* after the end of the file/,
  ],
  [
    'an x86-64 ELF file',
    changed('x86-64.elf', (elf) => {
      elf[4] = 2;
      elf.writeUInt16LE(62, 18);
    }),
    /64-bit ELF file for x86-64: only 32-bit i386/,
  ],
  ['an ARM ELF file', changed('arm.elf', (elf) => elf.writeUInt16LE(40, 18)), /ELF file for ARM, not for i386/],
  [
    'no Multiboot header',
    changed('plain.elf', (elf) => elf.fill(0, header, header + 4)),
    /without a Multiboot header in its first 8192 bytes/,
  ],
  [
    'a Multiboot header with a wrong checksum',
    changed('sum.elf', (elf) => elf.writeUInt8(elf[header + 8]! ^ 1, header + 8)),
    /without a Multiboot header/,
  ],
  [
    'a segment outside memory',
    changed('far.elf', (elf) => elf.writeUInt32LE(0x7000_0000, elf.readUInt32LE(28) + 12)),
    /segment 0 at 0x70000000 to 0x7\w+ lies outside the memory of 64 MiB; give the machine \d+ MiB at least/,
  ],
  ['a gzip file cut short', put('cut.gz', gzipSync(good).subarray(0, 5000)), /damaged gzip file/],
  ['a bzImage cut short', put('vmlinuz', cutLinux()), /truncated: the kernel ends \d+ bytes after the end of the file/],
];

/** Arguments after `boot tsubame.elf`, or a whole command line, and the whole line on standard error. */
const OPTIONS: readonly (readonly [what: string, args: readonly string[], line: RegExp])[] = [
  ['memory 0', ['--memory', '0'], /^memory of 0 bytes: give between 4 MiB and 3072 MiB/],
  ['memory 1T', ['--memory', '1T'], /^memory of 1099511627776 bytes: give between/],
  ['memory in no whole pages', ['--memory', '16777217'], /^memory of 16777217 bytes: .*whole pages/],
  ['memory that is no size', ['--memory', 'much'], /^--memory: "much" is no size \(examples: 64M, 1G\)$/],
  ['an unknown option', ['--colour'], /^kansoku boot: unknown option --colour/],
  ['a name that every object has', ['--constructor'], /^kansoku boot: unknown option --constructor/],
  ['an option of a later release', ['--disk', 'x'], /^kansoku boot: --disk is not in this release: /],
  ['EPT', ['--paging', 'ept'], /^kansoku boot: --paging ept is not in this release/],
  ['an option without its argument', ['--memory'], /^kansoku boot: --memory needs an argument: SIZE$/],
  ['a switch with an argument', ['--bare=yes'], /^kansoku boot: --bare takes no argument$/],
  ['an option given twice', ['--cmdline', 'a', '--cmdline', 'b'], /^kansoku boot: --cmdline is given twice$/],
  ['a processor that is none', ['--cpu', 'z80'], /^--cpu: "z80" is none of core-duo, modern$/],
  [
    'an event kind that is none',
    ['--observe', 'vmx.exit,vmx.exits'],
    /^there is no event kind "vmx\.exits"; kinds: vmx\.exit, /,
  ],
  ['a bad pattern', ['--until', '('], /^--until: .*Unterminated group$/],
  ['no instructions', ['--max-instructions', '0'], /^--max-instructions: "0" is no positive whole number$/],
  ['a negative time', ['--timeout', '-1'], /^--timeout: "-1" is no positive/],
  ['a serial target that is none', ['--serial', 'tcp:80'], /^--serial: "tcp:80" is none of stdio, null, file:PATH$/],
  ['firmware with a kernel', ['--bare', '--bios', text], /^kansoku boot: --bios starts firmware in place of a kernel/],
  ['a second image', [tsubame], /^kansoku boot: give one IMAGE/],
  [
    'an initrd for Multiboot',
    ['--initrd', text],
    new RegExp(`^${quote(text)}: a Multiboot kernel takes modules, not an initrd$`),
  ],
  [
    'a missing module',
    ['--module', inScratch('none')],
    new RegExp(`^${quote(inScratch('none'))}: cannot read the module: no such file$`),
  ],
  [
    'a module larger than memory',
    ['--module', big],
    new RegExp(`^${quote(big)}: module 1 of 80 MiB ends at .* outside the memory of 64 MiB; give .* MiB at least$`),
  ],
  ['missing input', ['--input', inScratch('none')], /none: cannot read the input: no such file$/],
  ['symbols that are none', ['--symbols', text], new RegExp(`^${quote(text)}: not an ELF file`)],
  [
    'a report that cannot be written',
    ['--report', inScratch('none/report')],
    /report: cannot write the report: no such folder$/,
  ],
  ['a trace that is a folder', ['--trace', scratch], /: cannot write the trace: it is a folder$/],
  [
    'serial output that cannot be written',
    ['--serial', `file:${inScratch('none/serial')}`],
    /none\/serial: cannot write the serial output: no such file$/,
  ],
];

const COMMANDS: readonly (readonly [what: string, args: readonly string[], line: RegExp])[] = [
  ['an unknown command', ['start'], /^kansoku: no command "start"/],
  ['a name that every object has', ['toString'], /^kansoku: no command "toString"/],
  [
    'a command of a later release',
    ['experiment', tsubame],
    /^kansoku experiment is not in this release: it comes with the paper complete$/,
  ],
  ['boot without an image', ['boot'], /^kansoku boot: give one IMAGE/],
  ['nothing to boot', ['boot', '-'], /^kansoku boot: IMAGE "-" needs --bios \(or --disk, which is not/],
  [
    'firmware under the hypervisor',
    ['boot', '-', '--bios', text],
    /^kansoku boot: --bios needs --bare: firmware under the hypervisor is not in this release/,
  ],
  [
    'a command line for firmware',
    ['boot', '-', '--bare', '--bios', text, '--cmdline', 'x'],
    /^kansoku boot: --cmdline is for a kernel; --bios starts firmware$/,
  ],
  [
    'firmware that is missing',
    ['boot', '-', '--bare', '--bios', inScratch('none')],
    /none: cannot read the firmware: no such file$/,
  ],
  [
    'firmware of a size that no ROM has',
    ['boot', '-', '--bare', '--bios', text],
    new RegExp(
      `^${quote(text)}: not a firmware image: it has 6 bytes, and a ROM has a multiple of 2048, at most 4194304$`,
    ),
  ],
  [
    'firmware without a start',
    ['boot', '-', '--bare', '--bios', put('blank.rom', new Uint8Array(65536).fill(0xff))],
    /blank\.rom: not a firmware image: there is no code in its last 16 bytes, where the processor starts$/,
  ],
  [
    'an initrd larger than memory',
    ['boot', put('linux', linux()), '--initrd', big],
    new RegExp(
      `^${quote(big)}: the initrd of 80 MiB does not fit: between the kernel's end at 0x\\w+ and 0x4000000 there are \\d+ MiB$`,
    ),
  ],
  ['a kernel larger than memory', ['boot', put('linux8', linux()), '--memory', '1M'], /^memory of 1048576 bytes/],
  ['trace without a sub-command', ['trace'], /^kansoku trace: give summary or export/],
  ['trace summary without a file', ['trace', 'summary'], /^kansoku trace summary: give one FILE/],
  ['a trace that is none', ['trace', 'summary', text], new RegExp(`^${quote(text)}: this is not a Kansoku trace`)],
  [
    'a trace that is missing',
    ['trace', 'summary', inScratch('none')],
    new RegExp(`^${quote(inScratch('none'))}: cannot read the trace`),
  ],
  ['export without a format', ['trace', 'export', text], /^kansoku trace export: give one FILE, --format and --out/],
  ['trace query', ['trace', 'query', text, 'x'], /^kansoku trace query is not in this release/],
  ['vectors without a file', ['vectors'], /^kansoku vectors: give at least one FILE/],
  ['vectors that are none', ['vectors', text], new RegExp(`^${quote(text)}: `)],
];

/** Ended by itself, status 2, nothing on standard output, one line on standard error. */
const refused = async (args: readonly string[], line: RegExp): Promise<void> => {
  const { status, stdout, stderr } = await kansoku(args, 30);
  assert.equal(stdout, '');
  assert.match(stderr, /^[^\n]+\n$/);
  assert.match(stderr.trimEnd(), line);
  assert.equal(status, 2);
};

describe('kansoku refuses', { concurrency: 2 }, () => {
  for (const [what, path, reason] of FILES)
    it(`to boot ${what}`, () => refused(['boot', path], new RegExp(`^${quote(path)}: .*${reason.source}`)));
  it('to boot a file that it cannot read', async () => {
    // Root may open anything, but not even root can read the first page of a process.
    if (process.getuid?.() === 0) {
      await refused(['boot', '/proc/self/mem'], /^\/proc\/self\/mem: cannot read the image: .+/);
      return;
    }
    const path = changed('secret.elf', () => undefined);
    chmodSync(path, 0);
    await refused(['boot', path], /secret\.elf: cannot read the image: permission denied$/);
  });
  for (const [what, args, line] of OPTIONS) it(`${what}`, () => refused(['boot', tsubame, ...args], line));
  for (const [what, args, line] of COMMANDS) it(`${what}`, () => refused(args, line));
  it('and leaves no output file behind', async () => {
    mkdirSync(inScratch('out'));
    const report = inScratch('out/report');
    await refused(['boot', text, '--report', report, '--trace', inScratch('out/trace')], /not an ELF/);
    assert.ok(!existsSync(report));
    assert.ok(!existsSync(inScratch('out/trace')));
  });
});

describe('exit status of kansoku boot', { concurrency: 2 }, () => {
  /** Types a line at the shell's prompt, ends, and gives the outcome with its report. */
  const typed = async (name: string, line: string, ...args: string[]) => {
    const report = inScratch(`${name}.json`);
    const input = put(`${name}.in`, `${line}\r`);
    const outcome = await kansoku(['boot', tsubame, '--input', input, '--report', report, ...args]);
    return { ...outcome, report: readReport(report) };
  };

  it('0: the release is asked for', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')) as {
      version: string;
    };
    const { status, stdout } = await kansoku(['--version']);
    assert.deepEqual([status, stdout], [0, `kansoku ${version}\n`]);
  });
  it('0: the pattern matched on the serial line', async () => {
    const { status, stdout, stderr, report } = await typed('until', 'echo ready', '--until', '> ready$');
    assert.equal(status, 0, stderr);
    assert.equal(report.stopReason, 'until');
    assert.match(stdout, /> ready\r?$/m);
    assert.equal(report.serial, stdout);
  });
  it('0: the pattern matched on the screen, with the serial line elsewhere', async () => {
    const serial = inScratch('serial.txt');
    const { status, stdout, report } = await typed('screen', '', '--until', 'tsubame>$', '--serial', `file:${serial}`);
    assert.equal(status, 0);
    assert.equal(stdout, '');
    assert.match(report.vgaText, /tsubame>$/m);
    assert.match(readFileSync(serial, 'latin1'), /tsubame> /);
  });
  it('0: the guest reset the machine', async () => {
    const { status, report } = await typed('reboot', 'reboot');
    assert.equal(status, 0);
    assert.equal(report.stopReason, 'reset');
  });
  it('0: the guest halted for good', async () => {
    const { status, report } = await typed('hlt', 'hlt');
    assert.equal(status, 0);
    assert.equal(report.stopReason, 'power-off');
  });
  it("the guest's own: (v << 1) | 1", async () => {
    const { status, report } = await typed('poweroff', 'poweroff');
    assert.equal(status, 0x10 * 2 + 1);
    assert.equal(report.stopReason, 'debug-exit');
  });
  for (const mode of [[], ['--bare']]) {
    it(`1: triple fault, with the exception chain and the source line, ${mode[0] ?? 'under the hypervisor'}`, async () => {
      const { status, stderr, report } = await typed(`triple${mode.length}`, 'triple', ...mode);
      assert.equal(status, 1);
      assert.equal(report.stopReason, 'triple-fault');
      const [message, ...chain] = stderr.trimEnd().split('\n');
      assert.match(message!, /^triple fault .*machine\.c:\d+ \(machine_triple_fault\+0x[0-9a-f]+\)$/);
      const at = 'at machine\\.c:\\d+ \\(machine_triple_fault\\+0x[0-9a-f]+\\) 0x10[0-9a-f]{4}$';
      [
        '#BP',
        '#GP \\(error code 0x1a\\)',
        '#GP \\(error code 0x6b\\)',
        '#DF \\(error code 0x0\\)',
        '#GP \\(error code 0x43\\)',
      ].forEach((event, i) => assert.match(chain[i]!, new RegExp(`^ {2}${event} ${at}`)));
      assert.deepEqual(report.diagnostics, [message, ...chain.map((line) => line.slice(2))]);
    });
  }
  it('3: the limit of instructions came first, exactly', async () => {
    const { status, report } = await typed('limit', '', '--max-instructions', '1234567');
    assert.equal(status, 3);
    assert.equal(report.stopReason, 'max-instructions');
    assert.equal(report.instructions, 1234567);
  });
  it('3: the limit of time came first', async () => {
    const { status, report, seconds } = await typed('timeout', 'primes 100000000', '--timeout', '1');
    assert.equal(status, 3);
    assert.equal(report.stopReason, 'timeout');
    assert.ok(seconds < 15, `${seconds} s`);
  });
});
