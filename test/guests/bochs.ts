// Runs a Multiboot guest in Debian's Bochs 2.7 for comparison: waits for text on its serial line, reports how it ended. Bochs knows no
// Multiboot: it starts from a firmware of a few instructions (bochs-rom.S), with guest and boot information already in memory as "RAM
// images". For specs only. Bochs's end: there is no isa-debug-exit, so who waits knows the guest's last line, and `close` ends the process.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { MemoryLoad } from '../../src/hypervisor/boot/image.ts';
import { bootMultiboot1 } from '../../src/hypervisor/boot/multiboot1.ts';
import { buildBochsRom } from './build.ts';
import { waitForText } from './wait-for-text.ts';

/** Why Bochs cannot be used here, or undefined if it can. */
export function missingBochs(): string | undefined {
  return spawnSync('bochs-bin', ['--help']).error === undefined ? undefined : 'bochs is not installed';
}

export interface BochsOptions {
  readonly cmdline?: string;
  /** Megabytes; 64 if not given. */
  readonly memory?: number;
  /** A model of `bochs-bin --help cpu`. Not given: one with VMX and without EPT. */
  readonly cpu?: string;
  readonly modules?: readonly { readonly bytes: Uint8Array; readonly cmdline: string }[];
}

/** The entry point, EAX and EBX for bochs-rom.S. */
const HANDOVER = 0x500;
const HIGH_MEMORY = 0x10_0000;

/** One file of all the loads, from `base` on. */
function ramImage(base: number, loads: readonly MemoryLoad[]): Uint8Array {
  const end = Math.max(base + 1, ...loads.map((load) => load.address + load.bytes.length));
  const image = new Uint8Array(end - base);
  for (const { address, bytes } of loads) image.set(bytes, address - base);
  return image;
}

/** One running Bochs. `close` must be called in the end. */
export class Bochs {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bochs-'));
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #running = true;

  /** Throws if the guest is no Multiboot kernel. */
  constructor(kernel: string, options: BochsOptions = {}) {
    const memory = options.memory ?? 64;
    const boot = bootMultiboot1({
      image: readFileSync(kernel),
      imageName: basename(kernel),
      cmdline: options.cmdline ?? '',
      modules: options.modules ?? [],
      memoryBytes: memory << 20,
    });
    if (!boot.ok) throw new Error(`${kernel}: ${boot.reason}`);
    const { eip, eax, ebx } = boot.state;
    const handover = { address: HANDOVER, bytes: new Uint8Array(Uint32Array.of(eip, eax, ebx).buffer) };
    const isHigh = (load: MemoryLoad): boolean => load.address >= HIGH_MEMORY;
    const low = [handover, ...boot.loads.filter((load) => !isHigh(load))];
    writeFileSync(this.#file('low'), ramImage(HANDOVER, low));
    writeFileSync(this.#file('high'), ramImage(HIGH_MEMORY, boot.loads.filter(isHigh)));
    writeFileSync(this.#file('serial'), '');
    writeFileSync(this.#file('commands'), 'c\n');
    const settings = [
      `megs: ${memory}`,
      `romimage: file=${buildBochsRom()}`,
      `optramimage1: file=${this.#file('low')}, address=0x${HANDOVER.toString(16)}`,
      `optramimage2: file=${this.#file('high')}, address=0x${HIGH_MEMORY.toString(16)}`,
      // A shutdown is a panic, and a panic ends Bochs.
      `cpu: model=${options.cpu ?? 'core2_penryn_t9600'}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=0`,
      'panic: action=fatal',
      'clock: sync=none',
      `com1: enabled=1, mode=file, dev=${this.#file('serial')}`,
      'display_library: rfb, options="timeout=0"',
      'sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy',
      `log: ${this.#file('log')}`,
    ];
    writeFileSync(this.#file('settings'), `${settings.join('\n')}\n`);
    const args = ['-q', '-f', this.#file('settings'), '-rc', this.#file('commands')];
    this.#process = spawn('bochs-bin', args, { stdio: 'ignore' });
    this.#ended = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('close', () => {
        this.#running = false;
        resolve();
      });
    });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  get running(): boolean {
    return this.#running;
  }

  /** Everything that came on the serial line so far, without carriage returns. */
  get output(): string {
    return readFileSync(this.#file('serial'), 'latin1').replaceAll('\r', '');
  }

  /** What Bochs complained of: the reason of each exception it raised, and why it ended if it did. */
  get complaints(): string[] {
    const log = readFileSync(this.#file('log'), 'latin1');
    return [...log.matchAll(/^\d+[ep](\[.*)$/gm)].map((match) => match[1]!);
  }

  /** Output from offset `from` to the end of the first match. Throws after `seconds`, or if Bochs ends without one. */
  waitFor(pattern: RegExp, from = 0, seconds = 30): Promise<string> {
    return waitForText(this, pattern, from, seconds, () => `\n${this.complaints.slice(-5).join('\n')}`);
  }

  /** True if Bochs has ended by itself, which it does when the guest's processor shuts down; false if not within `seconds`. */
  async ends(seconds = 10): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, seconds * 1000)));
    await Promise.race([this.#ended, late]);
    clearTimeout(timer);
    return !this.#running;
  }

  async close(): Promise<void> {
    if (this.#running) this.#process.kill('SIGKILL');
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
