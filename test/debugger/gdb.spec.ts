// The real gdb of Debian at `kansoku gdb`: a script of breakpoints, steps, watchpoints, catches, writes of memory and registers on the sample kernel
// gives the transcript below, under the hypervisor and bare; and on Debian's kernel gdb finds itself where the machine says.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { linuxGuest } from '../boot/linux-guest.ts';
import { TSUBAME } from '../boot/running-guest.ts';
import { kansoku } from '../cli/kansoku.ts';
import { DIES } from '../hypervisor/small-kernels.ts';
import { missingGdb, refused, runGdb } from './real-gdb.ts';

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

/** Gives gdb the commands, and looks at what it says to each. @param image for gdb's symbols */
const follow = async (
  steps: readonly Step[],
  args: readonly string[],
  target: 'remote' | 'extended-remote' = 'remote',
  image = TSUBAME,
): Promise<void> => {
  const commands = steps.map(([command]) => command);
  const { answers, status } = await runGdb(args, image, dirname(image), commands, 400, target);
  steps.forEach(([command, answer], n) => {
    if (typeof answer === 'string') assert.equal(answers[n], answer, command);
    else assert.match(answers[n]!, answer, command);
  });
  assert.equal(status, 0);
};

const RUNS_ON = '0x00101f25 in sti_hlt () at ./x86.h:25';
const TURNED_TO_1 = /^\[Switching to inferior 1 \[process 1\] .*\]\n\[Switching to thread 1.1 \(Thread 1.1\)\]\n#0 /;
const TURNED_TO_2 = /^\[Switching to inferior 2 \[process 2\] .*\]\n\[Switching to thread 2.1 \(Thread 2.1\)\]\n#0 /;
const TICK_1 =
  '\nThread 1.1 "d0v0 ring 0" hit Breakpoint 1.1, clock_tick () at ./process.c:97\n97\t  current->used_ticks++;';
const TICK_2 =
  '\nThread 2.1 "d1v0 ring 0" hit Breakpoint 1.2, clock_tick () at ./process.c:97\n97\t  current->used_ticks++;';
const REFUSED_BACK = /^warning: Remote failure reply: E\.with "set schedule-multiple on" gdb does not say which/;

/** Two domains with the same kernel; the second ends itself. */
const SEVERAL: readonly Step[] = [
  ['info os processes', /^pid +domain +command +state +\n1 +d0 +tsubame\.elf attached +\n2 +d1 +second +not attached$/],
  [`add-inferior -exec ${TSUBAME}`, /^\[New inferior 2\]\nAdded inferior 2 on connection 1 /],
  ['inferior 2', /^\[Switching to inferior 2 \[<null>\]/],
  [refused('attach 1'), 'Attaching to process 1 failed'],
  [refused('attach 9'), 'Attaching to process 9 failed'],
  ['attach 2', '_start () at ./boot.S:18\n18\t        cli'],
  ['inferior 1', TURNED_TO_1],
  ['set schedule-multiple on', ''],
  ['break clock_tick', 'Breakpoint 1 at 0x101f8a: clock_tick. (2 locations)'],
  ['continue', TICK_1],
  ['continue', `[Switching to Thread 2.1]\n${TICK_2}`],
  ['continue', `[Switching to Thread 1.1]\n${TICK_1}`],
  ['disable 1.1', ''],
  ['continue', `[Switching to Thread 2.1]\n${TICK_2}`],
  ['continue', TICK_2],
  [
    'info threads',
    `  Id   Target Id                Frame \n  1.1  Thread 1.1 "d0v0 ring 0" ${RUNS_ON}\n* 2.1  Thread 2.1 "d1v0 ring 0" clock_tick () at ./process.c:97`,
  ],
  // Steps in one.
  ['print ticks', '$1 = 3'],
  ['next', '98\t  if (current == idle_process) idle_ticks++;'],
  ['stepi', '0x00101f97\t98\t  if (current == idle_process) idle_ticks++;'],
  ['reverse-stepi', '98\t  if (current == idle_process) idle_ticks++;'],
  ['reverse-next', TICK_2],
  ['next', '98\t  if (current == idle_process) idle_ticks++;'],
  // Writes of the other.
  ['inferior 1', TURNED_TO_1],
  ['set var $edi = 0x1234', ''],
  ['set var ticks = 77', ''],
  ['monitor registers general', /^\(d0\)\nGeneral registers\n(.*\n)*edi +0x00001234\n/],
  ['inferior 2', TURNED_TO_2],
  ['print/x $edi', '$2 = 0x0'],
  ['print ticks', '$3 = 3'],
  ['monitor registers general', /^\(d1\)\nGeneral registers\n(.*\n)*edi +0x00000000\neip +0x00101f92\n/],
  ['monitor vmcs guest rip', /^\(d1\)\nGuest RIP +0x[0-9a-f]{8}$/],
  ['monitor screen', /^\(d1\)\n\ntsubame 1\.0/],
  ['delete', ''],
  ['watch ticks', 'Hardware watchpoint 2: ticks'],
  ['continue', /^\nThread 2\.1 .* hit Hardware watchpoint 2: ticks\n\nOld value = 3\nNew value = 4\n/],
  ['continue', /^\nThread 2\.1 .* hit Hardware watchpoint 2: ticks\n\nOld value = 4\nNew value = 5\n/],
  ['inferior 1', TURNED_TO_1],
  ['print ticks', '$4 = 79'],
  // Back in time: gdb does not say who steps.
  ['reverse-stepi', REFUSED_BACK],
  ['set schedule-multiple off', ''],
  ['stepi', /^all domains run, as they share the processor: .*\nisr_32 \(\) at /],
  ['reverse-stepi', /^0x00101f25 in sti_hlt \(\) at /],
  ['set schedule-multiple on', ''],
  [
    'reverse-continue',
    /^\[Switching to Thread 2.1\]\n\nThread 2\.1 .* watchpoint 2: ticks\n\nOld value = 5\nNew value = 4\n/,
  ],
  ['stepi', 'clock_tick () at ./process.c:97\n97\t  current->used_ticks++;'],
  ['reverse-stepi', 'tick () at ./pit.c:15\n15\t  clock_tick();'],
  ['delete', ''],
  ['continue', '(d1) the guest wrote 0x10 to port 0xf4\n[Inferior 2 (process 2) exited with code 041]'],
  [refused('continue'), 'The program is not being run.'],
  [refused('attach 2'), 'Attaching to process 2 failed'],
  ['info os processes', /\n2 +d1 +second +ended$/],
  ['inferior 1', TURNED_TO_1],
  ['info threads', /^ +Id .*\n\* 1\.1 +Thread 1\.1 "d0v0 ring 0" .*$/],
  ['tbreak tick', /^Temporary breakpoint 3 at /],
  ['continue', /^\nThread 1\.1 "d0v0 ring 0" hit Temporary breakpoint 3\.1, tick \(\) at /],
  ['kill', '[Inferior 1 (process 1) killed]'],
];

/** One domain that breaks, and gdb that lets go. */
const BREAKS: readonly Step[] = [
  ['set schedule-multiple on', ''],
  ['add-inferior', /./],
  ['inferior 2', /./],
  ['attach 2', /./],
  ['inferior 1', TURNED_TO_1],
  [refused('kill inferior 2'), "Can't kill process"],
  [
    'continue',
    '(d1) triple fault at 0x100020\n\nThread 2.1 "d1v0 ring 0" received signal SIGSEGV, Segmentation fault.\n[Switching to Thread 2.1]\n0x00100020 in ?? ()',
  ],
  ['x/i $eip', '=> 0x100020:\tint3'],
  ['continue', '\nProgram terminated with signal SIGSEGV, Segmentation fault.\nThe program no longer exists.'],
  ['inferior 1', TURNED_TO_1],
  ['tbreak clock_tick', /./],
  ['continue', /^\nThread 1\.1 .* hit Temporary breakpoint 1, clock_tick/],
  ['detach', '[Inferior 1 (process 1) detached]'],
  ['info os processes', /\n1 +d0 +tsubame\.elf not attached +\n2 +d1 +dies +ended$/],
  ['attach 1', /clock_tick \(\) at/],
  ['kill', '[Inferior 1 (process 1) killed]'],
];

describe('gdb', { skip: missingGdb() }, () => {
  for (const bare of [true, false])
    it(`works on the sample kernel, ${bare ? 'bare' : 'under the hypervisor'}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kansoku-input-'));
      const input = join(folder, 'typed');
      writeFileSync(input, 'fork 2\rtouch 40\rsleep 500\r');
      try {
        await follow(STEPS, [TSUBAME, '--input', input, '--observe', 'none', ...(bare ? ['--bare'] : [])]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

  for (const bare of [true, false])
    it(`goes back, ${bare ? 'bare' : 'under the hypervisor'}`, async () => {
      await follow(BACK, [TSUBAME, '--observe', 'none', ...(bare ? ['--bare'] : [])]);
    });

  const further = (folder: string, name: string, more: object): string => {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify({ name, memory: '16M', ...more }));
    return file;
  };
  it('has several domains as inferiors', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kansoku-domains-'));
    writeFileSync(join(folder, 'typed'), 'sleep 200\rpoweroff\r');
    const second = further(folder, 'second', { image: TSUBAME, input: 'typed' });
    try {
      const args = [TSUBAME, '--observe', 'none', '--domain', second];
      await follow(SEVERAL, args, 'extended-remote');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  it('outlives an inferior that breaks, and lets inferiors go', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kansoku-domains-'));
    writeFileSync(join(folder, 'dies'), DIES);
    const dies = further(folder, 'dies', { image: 'dies' });
    try {
      await follow(BREAKS, [TSUBAME, '--observe', 'none', '--domain', dies], 'extended-remote');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
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
    await follow(steps, [guest.kernel, '--observe', 'none', '--cmdline', 'nokaslr'], 'remote', '/dev/null');
  });
});

describe('kansoku gdb --domain', () => {
  it('refuses what is no domain before it waits for gdb', async () => {
    const missing = await kansoku(['gdb', TSUBAME, '--domain', 'nowhere.json', '--port', '0']);
    assert.deepEqual([missing.status, missing.stderr], [2, 'nowhere.json: cannot read the domain: no such file\n']);
    const folder = mkdtempSync(join(tmpdir(), 'kansoku-domains-'));
    try {
      const bad = join(folder, 'bad.json');
      writeFileSync(bad, '{');
      const text = await kansoku(['gdb', TSUBAME, '--domain', bad, '--port', '0']);
      assert.equal(text.status, 2);
      assert.match(text.stderr, /bad\.json: not JSON: /);
      writeFileSync(bad, JSON.stringify({ image: TSUBAME, id: 0 }));
      const twice = await kansoku(['gdb', TSUBAME, '--domain', bad, '--port', '0']);
      assert.equal(twice.status, 2);
      assert.match(twice.stderr, /there is a domain 0 already/);
      writeFileSync(bad, JSON.stringify({ image: TSUBAME }));
      const bare = await kansoku(['gdb', TSUBAME, '--bare', '--domain', bad, '--port', '0']);
      assert.equal(bare.status, 2);
      assert.match(bare.stderr, /further domains need the hypervisor/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
