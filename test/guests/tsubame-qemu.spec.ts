// The sample guest in QEMU: boot, every command of its shell, both input devices, and every way to end.
// Boots the committed ELF file; whether its sources give that file is rebuild.spec.ts.
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingQemu, Qemu, type QemuOptions } from './qemu.ts';

const skip = missingQemu() ?? false;
const kernel = join(import.meta.dirname, 'media', 'guests', 'tsubame', 'tsubame.elf');
const prompt = 'tsubame> ';

/** A shell that is ready for a command. */
class Shell {
  readonly qemu: Qemu;
  constructor(options: QemuOptions = {}) {
    this.qemu = new Qemu(kernel, options);
  }

  async boot(): Promise<string> {
    return this.qemu.waitFor(/\ntsubame> $/);
  }

  /** What the command prints, without its echo and the next prompt. */
  async run(command: string): Promise<string> {
    const from = this.qemu.output.length;
    this.qemu.send(`${command}\r`);
    const text = await this.qemu.waitFor(/\ntsubame> $/, from);
    assert.ok(text.startsWith(`${command}\n`), `no echo of ${command} in ${text}`);
    return text.slice(command.length + 1, -prompt.length);
  }

  /** Sends a command that does not return; what came until the pattern matched. */
  async last(command: string, pattern: RegExp): Promise<string> {
    const from = this.qemu.output.length;
    this.qemu.send(`${command}\r`);
    return this.qemu.waitFor(pattern, from);
  }
}

async function withShell(options: QemuOptions, body: (shell: Shell, banner: string) => Promise<void>): Promise<void> {
  const shell = new Shell(options);
  try {
    await body(shell, await shell.boot());
  } finally {
    await shell.qemu.close();
  }
}

const freeFrames = async (shell: Shell) => Number(/frames: (\d+) of/.exec(await shell.run('mem'))?.[1]);

describe('tsubame in QEMU', { skip }, () => {
  it('boots and tells each step', async () => {
    await withShell({ cmdline: 'one two=2' }, async (_shell, banner) => {
      assert.match(banner, /tsubame 1\.0/);
      assert.match(banner, /memory: 65408 KiB usable/);
      assert.match(banner, /command line: \S+ one two=2\n/);
      for (const step of ['console', 'gdt', 'idt', 'pic', 'frames', 'paging', 'pit', 'keyboard', 'shell']) {
        assert.match(banner, new RegExp(`^\\[ ok \\] ${step}`, 'm'));
      }
      assert.doesNotMatch(banner, /\[ -- \]/);
    });
  });

  it('runs every command that returns', async () => {
    await withShell({}, async (shell) => {
      assert.match(await shell.run('help'), /^fork N +forks N children/m);
      assert.equal(await shell.run('echo  hello   world'), 'hello   world\n');
      assert.equal(await shell.run(''), '');
      assert.equal(await shell.run('xyz'), 'xyz: no such command, try help\n');
      assert.match(
        await shell.run('ps'),
        /^ +0 +0 runnable .* idle\n +1 +0 sleeping .* shell\n +\d+ +1 runnable .* ps\n$/m,
      );
      assert.match(await shell.run('uptime'), /^up \d+\.\d\d s, \d+ ticks \(\d+ idle\), \d+ context switches\n$/);
      assert.match(await shell.run('cpu'), /^vendor: \w{12}\nfamily \d+, model \d+, stepping \d+\nfeatures: fpu /);
      assert.equal(await shell.run('primes 1000'), 'primes: 168 up to 1000\n');
      assert.match(await shell.run('sleep 100'), /^$/);
    });
  });

  it('forks, faults and kills without losing memory', async () => {
    await withShell({}, async (shell) => {
      await shell.run('fork 3');
      const before = await freeFrames(shell);
      assert.equal(await shell.run('fork 200'), 'fork: 200 children, all waited for\n');
      assert.equal(await shell.run('touch 1000'), 'touch: 1000 pages, 1000 page faults\n');
      const crash = /^crash\[\d+\]: page fault: bad write, address 00000000, eip 4000[0-9a-f]{4}: killed\n$/;
      assert.match(await shell.run('crash'), crash);
      assert.equal(await freeFrames(shell), before);
    });
  });

  it('kills the process that runs out of memory, and only that', async () => {
    await withShell({ memory: 8 }, async (shell) => {
      assert.match(await shell.run('touch 4000'), /^touch\[\d+\]: out of memory.*killed\n$/);
      assert.equal(await shell.run('touch 100'), 'touch: 100 pages, 100 page faults\n');
    });
  });

  it('preempts a process that never gives up the processor', async () => {
    await withShell({}, async (shell) => {
      const busy = /(\d+) +1 runnable +\d+ +\d+ primes\n/;
      assert.match(await shell.run('primes 100000000 &'), /^\[\d+\] started\n$/);
      await shell.run('sleep 100');
      assert.match(await shell.run('ps'), busy);
    });
  });

  it('edits the line, and keeps what is typed ahead', async () => {
    await withShell({}, async (shell) => {
      assert.match(await shell.last('ecjo\x7f\x7fho a', /\ntsubame> $/), /\na\n/);
      assert.match(await shell.last('echx\bo b', /\ntsubame> $/), /\nb\n/);
      assert.match(await shell.last('garbage\x15echo c', /\ntsubame> $/), /\nc\n/);
      const ahead = await shell.last('primes 100000\recho d\recho e', /\ntsubame> e\ntsubame> $/);
      assert.match(ahead, /^primes: 9592 up to 100000\ntsubame> d\n/m);
      assert.doesNotMatch(ahead, /no such command/);
    });
  });

  it('takes the keyboard and writes to the screen', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsubame-'));
    const screenFile = join(folder, 'screen');
    const qemu = new Qemu(kernel, { console: 'monitor', extra: ['-serial', 'null'] });
    const screen = async () => {
      const from = qemu.output.length;
      qemu.send(`pmemsave 0xb8000 4000 "${screenFile}"\n`);
      await qemu.waitFor(/pmemsave[^]*\(qemu\) $/, from);
      const cells = readFileSync(screenFile);
      const rows = Array.from({ length: 25 }, (_, row) => cells.subarray(row * 160, row * 160 + 160));
      return rows.map((row) => String.fromCharCode(...row.filter((_, i) => i % 2 === 0)).trimEnd()).join('\n');
    };
    const until = async (pattern: RegExp) => {
      for (let i = 0; i < 100; i++) {
        const text = await screen();
        if (pattern.test(text)) return text;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`no ${String(pattern)} on the screen:\n${await screen()}`);
    };
    try {
      await until(/^tsubame>$/m);
      for (const key of ['e', 'c', 'h', 'o', 'spc', 'shift-h', 'i', '1', 'shift-1', 'up', 'ret']) {
        qemu.send(`sendkey ${key}\n`);
        await new Promise((resolve) => setTimeout(resolve, 150)); // sendkey holds a key for 100 ms
      }
      assert.match(await until(/^Hi1!\ntsubame>$/m), /^tsubame> echo Hi1!$/m);
    } finally {
      await qemu.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('panics with registers and a backtrace', async () => {
    await withShell({}, async (shell) => {
      const text = await shell.last('panic', /\nhalted\n$/);
      assert.match(text, /KERNEL PANIC: invalid opcode, error code 00000000\nprocess panic\[\d+\]/);
      assert.match(text, /^eip 0010[0-9a-f]{4} {2}cs {2}00000008 {2}eflags 000000[0-9a-f]{2}$/m);
      assert.match(text, /^backtrace:\n( {2}#\d 0010[0-9a-f]{4}\n){4}/m);
    });
  });

  it('halts', async () => {
    await withShell({}, async (shell) => {
      await shell.last('hlt', /\nhalted\n$/);
      shell.qemu.send('echo alive\r');
      await assert.rejects(shell.qemu.waitFor(/alive/, 0, 1));
    });
  });

  for (const [command, status] of [
    ['poweroff', 33],
    ['reboot', 0],
    ['triple', 0],
  ] as const) {
    it(`ends QEMU with status ${status} on ${command}`, async () => {
      await withShell({}, async (shell) => {
        shell.qemu.send(`${command}\r`);
        assert.equal(await shell.qemu.status(20), status);
      });
    });
  }
});
