// The real gdb of Debian at `kansoku gdb`: a script of breakpoints, steps, watchpoints, catches, writes of memory and registers on the sample kernel
// gives the transcript below, under the hypervisor and bare; and on Debian's kernel gdb finds itself where the machine says.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { linuxGuest } from '../boot/linux-guest.ts';
import { TSUBAME } from '../boot/running-guest.ts';
import { missingGdb, runGdb } from './real-gdb.ts';

/** A command, and all that gdb says to it. */
type Step = readonly [command: string, answer: string | RegExp];

const STEPS: readonly Step[] = [
  ['info registers eip', /^eip +0x10000c +0x10000c <_start>$/],
  ['break kmain', 'Breakpoint 1 at 0x1003ad: file ./kmain.c, line 8.'],
  [
    'continue',
    '\nBreakpoint 1, kmain (magic=732803074, info=65536) at ./kmain.c:8\n8\tvoid kmain(u32 magic, u32 info) {',
  ],
  ['print/x magic', '$1 = 0x2badb002'],
  ['next', '9\t  vga_init();'],
  ['next', '10\t  bool serial = serial_init();'],
  ['step', 'serial_init () at ./serial.c:32\n32\t  outb(SCRATCH, 0x5a);'],
  [
    'bt',
    '#0  serial_init () at ./serial.c:32\n#1  0x001003bf in kmain (magic=<optimized out>, info=<optimized out>) at ./kmain.c:10\n#2  0x0010001f in _start () at ./boot.S:26',
  ],
  ['finish', /^0x001003bf in kmain .* at .*kmain\.c:10\n10\t.*\nValue returned is \$2 = true$/],
  ['print $cr0', /^\$3 = \[ .*PE.* \]$/],
  ['print $eflags', /^\$4 = \[ .*IOPL=0.* \]$/],
  ['stepi', '11\t  print("\\ntsubame " VERSION ", a small preemptive kernel\\n");'],
  ['tbreak schedule', 'Temporary breakpoint 2 at 0x101e50: file ./process.c, line 60.'],
  ['continue', '\nTemporary breakpoint 2, schedule () at ./process.c:60\n60\tvoid schedule(void) {'],
  ['print/x $cs', '$5 = 0x8'],
  ['print $cs_limit', '$6 = 4294967295'],
  ['set var $ebx = 0x12345678', ''],
  ['print/x $ebx', '$7 = 0x12345678'],
  ['set var $xmm0.v4_int32[1] = 5', ''],
  ['print $xmm0.v4_int32', '$8 = {0, 5, 0, 0}'],
  ['set var $st1 = 1.5', ''],
  ['print $st1', '$9 = 1.5'],
  ['monitor catch exception 14', /^\d+: exception 14$/],
  [
    'continue',
    /Page fault \(#PF\), error code 0x0004, linear address 0x4[0-9a-f]+ at 0x4[0-9a-f]+\n\nProgram received signal SIGTRAP/,
  ],
  ['print/x $cr2 >> 28', '$10 = 0x4'],
  ['monitor uncatch', 'done'],
  ['thbreak vm_fault', 'Hardware assisted breakpoint 3 at 0x101a09: file ./fault.c, line 70.'],
  ['continue', /^\nTemporary breakpoint 3, vm_fault \(/],
  ['awatch frames_free', 'Hardware access (read/write) watchpoint 4: frames_free'],
  ['continue', /^\nHardware access \(read\/write\) watchpoint 4: frames_free\n\n(Value|Old value) = 160\d\d\n/],
  ['delete', ''],
  ['watch ticks if ticks > 3', 'Hardware watchpoint 5: ticks'],
  [
    'continue',
    '\nHardware watchpoint 5: ticks\n\nOld value = 3\nNew value = 4\ntick () at ./pit.c:15\n15\t  clock_tick();',
  ],
  ['set var ticks = 77', ''],
  [
    'continue',
    '\nHardware watchpoint 5: ticks\n\nOld value = 77\nNew value = 78\ntick () at ./pit.c:15\n15\t  clock_tick();',
  ],
  ['delete', ''],
  ['monitor position', /^\d+\+0, reachable: /],
  ['stepi 3', /./],
  ['monitor walk 0x100000', /^PDE +at [0-9a-f]{8}: [0-9a-f]{8} P .*\nPTE +at .*\n00100000 is at 00100000$/],
  ['kill', '[Inferior 1 (Remote target) killed]'],
];

/** The same guest, forwards and back: its past is recorded unless that is switched off. */
const BACK: readonly Step[] = [
  ['break kmain', /^Breakpoint 1 at/],
  ['continue', /Breakpoint 1, kmain/],
  ['next', '9\t  vga_init();'],
  ['next', '10\t  bool serial = serial_init();'],
  ['step', 'serial_init () at ./serial.c:32\n32\t  outb(SCRATCH, 0x5a);'],
  ['reverse-finish', /kmain\.c:10\n10\t/],
  ['reverse-next', '9\t  vga_init();'],
  ['reverse-stepi', /./],
  ['stepi', /./],
  ['reverse-continue', /kmain \(magic=/],
  ['delete', ''],
  ['watch ticks', 'Hardware watchpoint 2: ticks'],
  ['continue', /Old value = 0\nNew value = 1\n/],
  ['continue', /Old value = 1\nNew value = 2\n/],
  ['continue', /Old value = 2\nNew value = 3\n/],
  ['reverse-continue', /Old value = 3\nNew value = 2\n/],
  ['reverse-continue', /Old value = 2\nNew value = 1\n/],
  ['continue', /Old value = 1\nNew value = 2\n/],
  ['delete', ''],
  ['reverse-continue', /No more reverse-execution history/],
  ['info registers eip', /^eip +0x10000c +0x10000c <_start>$/],
  ['kill', '[Inferior 1 (Remote target) killed]'],
];

describe('gdb', { skip: missingGdb() }, () => {
  for (const bare of [true, false])
    it(`works on the sample kernel, ${bare ? 'bare' : 'under the hypervisor'}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kansoku-input-'));
      const input = join(folder, 'typed');
      writeFileSync(input, 'fork 2\rtouch 40\rsleep 500\r');
      try {
        const args = [TSUBAME, '--input', input, '--observe', 'none', ...(bare ? ['--bare'] : [])];
        const commands = STEPS.map(([command]) => command);
        const { answers, status } = await runGdb(args, TSUBAME, dirname(TSUBAME), commands, 400);
        STEPS.forEach(([command, answer], n) => {
          if (typeof answer === 'string') assert.equal(answers[n], answer, command);
          else assert.match(answers[n]!, answer, command);
        });
        assert.equal(status, 0);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

  for (const bare of [true, false])
    it(`goes back, ${bare ? 'bare' : 'under the hypervisor'}`, async () => {
      const args = [TSUBAME, '--observe', 'none', ...(bare ? ['--bare'] : [])];
      const commands = BACK.map(([command]) => command);
      const { answers, status } = await runGdb(args, TSUBAME, dirname(TSUBAME), commands, 400);
      BACK.forEach(([command, answer], n) => {
        if (typeof answer === 'string') assert.equal(answers[n], answer, command);
        else assert.match(answers[n]!, answer, command);
      });
      assert.equal(status, 0);
    });

  it("works on Debian's kernel, which has no symbols", async (t) => {
    const guest = linuxGuest();
    if (guest === undefined) {
      t.skip("Debian's kernel is not to be had here");
      return;
    }
    const steps: readonly Step[] = [
      ['monitor catch exit 10', /^\d+: exit 10$/],
      ['continue', /VM exit: CPUID, qualification 0x00000000\n\nProgram received signal SIGTRAP/],
      ['x/i $eip', /^=> 0x[0-9a-f]+:\tcpuid$/],
      ['print/x $eax', /^\$1 = 0x/],
      ['stepi', /^0x[0-9a-f]+ in \?\? \(\)$/],
      ['continue', /VM exit: CPUID/],
      ['x/i $eip', /\tcpuid$/],
      ['kill', '[Inferior 1 (Remote target) killed]'],
    ];
    const args = [guest.kernel, '--observe', 'none', '--cmdline', 'nokaslr'];
    const commands = steps.map(([command]) => command);
    const { answers } = await runGdb(args, '/dev/null', '/', commands, 400);
    steps.forEach(([command, answer], n) => {
      if (typeof answer === 'string') assert.equal(answers[n], answer, command);
      else assert.match(answers[n]!, answer, command);
    });
  });
});
