// One guest in one engine, in a process of its own: so no heap and no compiled code of a run before it is there. `kansoku bench` starts
// this program again for it and reads the answers (job.ts) from its standard output. Not the measuring: only the stamps on lines.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createSession } from '../../workers/engine-session.ts';
import type { Session } from '../../workers/session.ts';
import { writeAll } from '../write-all.ts';
import type { Answer, InnerJob } from './job.ts';
import { LineReader, type MachineCounters } from './report.ts';
import { residentOfGuest } from './resident.ts';

/** A slice takes so many milliseconds: a line is stamped at the end of the slice it came in. */
const SLICE_MILLISECONDS = 4;
/** Instructions. Not less: a bare machine passes idle time in pieces of a slice's length. */
const SMALLEST_SLICE = 20_000;
/** Idle time that a waiting guest may spend in a slice, in cycles: 10 ms of its time. */
const IDLE_CYCLES = 10_000_000;

const say = (answer: Answer): void => {
  writeAll(1, Buffer.from(`${JSON.stringify(answer)}\n`));
};
const resident = (): number => process.memoryUsage.rss();
const memory = (job: InnerJob): { readonly bytes: number; readonly guestBytes?: number } => {
  const guestBytes = residentOfGuest(job.memoryBytes);
  return { bytes: resident(), ...(guestBytes === undefined ? {} : { guestBytes }) };
};
const bytesOf = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(path));

const countersOf = (session: Session): MachineCounters => {
  const { instructions, exits, events } = session.counters();
  const { user, system } = process.cpuUsage();
  return {
    instructions,
    exits: exits.reduce((sum, exit) => sum + exit.count, 0),
    recorded: events.recorded,
    processorMilliseconds: (user + system) / 1000,
  };
};

const runSession = (job: InnerJob & { inner: 'session' }): void => {
  const image = { name: job.image, bytes: bytesOf(job.image) };
  const initrd = job.initrd === undefined ? {} : { initrd: { name: job.initrd, bytes: bytesOf(job.initrd) } };
  const until = new RegExp(job.until);
  const bytesBefore = resident();
  const start = performance.now();
  const session = createSession({
    image,
    ...initrd,
    cmdline: job.cmdline,
    modules: [],
    memoryBytes: job.memoryBytes,
    cpu: 'core-duo',
    ...job.how,
    stateHashEvery: 0,
  });
  say({ kind: 'built', milliseconds: performance.now() - start, bytesBefore });
  const reader = new LineReader();
  let slice = SMALLEST_SLICE;
  for (let before = performance.now(); ;) {
    session.run(slice, slice + IDLE_CYCLES);
    const now = performance.now();
    const took = now - before;
    // What is printed costs no time of the guest's.
    for (const text of reader.add(session.takeSerial())) {
      say({ kind: 'line', line: { at: now, text, counters: countersOf(session) } });
      if (until.test(text)) return say({ kind: 'end', ...memory(job) });
    }
    if (session.stop !== undefined || session.waiting)
      return say({
        kind: 'end',
        ...memory(job),
        problem: [session.stop?.message ?? 'the guest waits for input', reader.unfinished]
          .join('; ')
          .replace(/; $/, ''),
      });
    // No more than twice as long as the last one: a guest's next part may be slower.
    slice = Math.max(SMALLEST_SLICE, Math.round(slice * Math.min(2, SLICE_MILLISECONDS / Math.max(took, 0.01))));
    before = performance.now();
  }
};

/** What is used of the package `v86`; its types need a browser's. */
interface V86Module {
  readonly V86: new (options: Readonly<Record<string, unknown>>) => {
    add_listener(event: string, listener: (argument: number) => void): void;
  };
}

/** v86 starts a Multiboot kernel itself; a bzImage goes through the firmware. */
const runV86 = async (job: InnerJob & { inner: 'v86' }): Promise<void> => {
  const folder = job.v86;
  const { V86 } = (await import(pathToFileURL(join(folder, 'build', 'libv86.mjs')).href)) as V86Module;
  const image = (path: string): { buffer: ArrayBuffer } => ({ buffer: bytesOf(path).buffer });
  const kernel = job.linux
    ? {
        bios: image(join(job.seabios, 'bios.bin')),
        vga_bios: image(join(job.seabios, 'vgabios-stdvga.bin')),
        bzimage: image(job.image),
        ...(job.initrd === undefined ? {} : { initrd: image(job.initrd) }),
      }
    : { multiboot: image(job.image) };
  const until = new RegExp(job.until);
  const reader = new LineReader();
  const bytesBefore = resident();
  const start = performance.now();
  const machine = new V86({
    wasm_path: join(folder, 'build', 'v86.wasm'),
    memory_size: job.memoryBytes,
    cmdline: job.cmdline,
    disable_speaker: true,
    autostart: true,
    ...kernel,
  });
  machine.add_listener('emulator-ready', () =>
    say({ kind: 'built', milliseconds: performance.now() - start, bytesBefore }),
  );
  const byte = new Uint8Array(1);
  machine.add_listener('serial0-output-byte', (value) => {
    byte[0] = value;
    const lines = reader.add(byte);
    if (lines.length === 0) return;
    const at = performance.now();
    for (const text of lines) {
      say({ kind: 'line', line: { at, text } });
      if (!until.test(text)) continue;
      say({ kind: 'end', bytes: resident() });
      // Here and now: its timers would keep the process, and it takes the guest's end as an error.
      process.exit(0);
    }
  });
};

/** The process's whole work. */
export const runJob = async (text: string): Promise<number> => {
  const job = JSON.parse(text) as InnerJob;
  if (job.inner === 'v86') await runV86(job);
  else runSession(job);
  return 0;
};
