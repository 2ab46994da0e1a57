// Runs a Multiboot guest in qemu-system-i386 for comparison: types on its serial line, waits for text, reports how it ended.
// For specs only. Not our machine (src/workers/session.ts).
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitForText } from './wait-for-text.ts';

/** Why QEMU cannot be used here, or undefined if it can. */
export function missingQemu(): string | undefined {
  return spawnSync('qemu-system-i386', ['--version']).error === undefined
    ? undefined
    : 'qemu-system-i386 is not installed';
}

export interface QemuOptions {
  readonly cmdline?: string;
  /** Megabytes; 64 if not given. */
  readonly memory?: number;
  /** Further arguments. */
  readonly extra?: readonly string[];
  /** What standard input and output are connected to; the serial line if not given. */
  readonly console?: 'serial' | 'monitor';
  /** The file is firmware, with a debug console that nobody reads. */
  readonly firmware?: boolean;
}

/** One running QEMU. `close` must be called in the end. */
export class Qemu {
  /** Standard output is a file: of a pipe that is not read in time, QEMU drops what it writes. */
  readonly #folder = mkdtempSync(join(tmpdir(), 'qemu-'));
  readonly #file = join(this.#folder, 'output');
  /** What the file held when `close` removed it. */
  #last: string | undefined;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #running = true;

  constructor(file: string, options: QemuOptions = {}) {
    const serial = (options.console ?? 'serial') === 'serial';
    const args =
      options.firmware === true
        ? ['-bios', file, '-chardev', 'null,id=log', '-device', 'isa-debugcon,iobase=0x402,chardev=log']
        : ['-kernel', file, '-append', options.cmdline ?? ''];
    args.push('-m', String(options.memory ?? 64));
    args.push('-display', 'none', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4');
    args.push(...(serial ? ['-serial', 'stdio', '-monitor', 'none'] : ['-monitor', 'stdio']));
    const written = openSync(this.#file, 'w');
    this.#process = spawn('qemu-system-i386', [...args, ...(options.extra ?? [])], {
      stdio: ['pipe', written, 'ignore'],
    });
    closeSync(written);
    this.#ended = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('close', (code) => {
        this.#running = false;
        resolve(code);
      });
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** Everything that came on the console so far, without carriage returns. */
  get output(): string {
    return this.#last ?? readFileSync(this.#file, 'latin1').replaceAll('\r', '');
  }

  send(text: string): void {
    this.#process.stdin?.write(text);
  }

  /** Output from offset `from` to the end of the first match. Throws after `seconds`, or if the guest ends without one. */
  waitFor(pattern: RegExp, from = 0, seconds = 30): Promise<string> {
    return waitForText(this, pattern, from, seconds);
  }

  /** Exit status once QEMU has ended by itself; null if it had to be killed after `seconds`. */
  async status(seconds = 60): Promise<number | null> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), seconds * 1000);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  async close(): Promise<void> {
    if (this.#running) this.#process.kill('SIGKILL');
    await this.#ended;
    this.#last ??= this.output;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
