// What benchmark guests print, read back: lines with the host's time to measurements. Pure; who runs the guest and takes the time is
// engine-process.ts. The protocol is that of test/benchmarks/guests/main.c.

/** Numbers of the machine when a line came, where the engine can tell. */
export interface MachineCounters {
  readonly instructions: number;
  readonly exits: number;
  readonly recorded: number;
  /** Of all threads of the process. */
  readonly processorMilliseconds: number;
}

/** A line of the guest's serial output. */
export interface StampedLine {
  /** Milliseconds on the engine's clock; only differences mean something. */
  readonly at: number;
  readonly text: string;
  readonly counters?: MachineCounters;
}

/** One guest, run once. */
export interface Measurement {
  readonly name: string;
  /** Repetitions, as the guest says. */
  readonly count: number;
  readonly milliseconds: number;
  /** The checksum in hexadecimal, as the guest printed it. */
  readonly sum: string;
  /** Difference of the guest's time-stamp counter: in Kansoku, its instructions. */
  readonly cycles: number;
  /** What the machine counted meanwhile. */
  readonly spent?: MachineCounters;
}

const BEGIN = /^@B (\S+) (\d+)$/;
const END = /^@E (\S+) (\d+) sum=([0-9a-fA-F]{8})(?: tsc=([0-9a-fA-F]{16}))?(?: |$)/;
/** The guests are through. */
export const DONE = '^@DONE';

const difference = (after: MachineCounters, before: MachineCounters): MachineCounters => ({
  instructions: after.instructions - before.instructions,
  exits: after.exits - before.exits,
  recorded: after.recorded - before.recorded,
  processorMilliseconds: after.processorMilliseconds - before.processorMilliseconds,
});

/** Measurements in the order they ended. A guest that began and did not end gives none. */
export const readMeasurements = (lines: readonly StampedLine[]): Measurement[] => {
  const measurements: Measurement[] = [];
  let begun: (StampedLine & { name: string }) | undefined;
  for (const line of lines) {
    const begin = BEGIN.exec(line.text);
    if (begin !== null) {
      begun = { ...line, name: begin[1]! };
      continue;
    }
    const end = END.exec(line.text);
    if (end === null || begun?.name !== end[1]) continue;
    measurements.push({
      name: end[1]!,
      count: Number(end[2]),
      milliseconds: line.at - begun.at,
      sum: end[3]!.toLowerCase(),
      cycles: parseInt(end[4] ?? '0', 16),
      ...(line.counters === undefined || begun.counters === undefined
        ? {}
        : { spent: difference(line.counters, begun.counters) }),
    });
    begun = undefined;
  }
  return measurements;
};

/** Names of all guests that began, in that order, each once. */
export const namesBegun = (lines: readonly StampedLine[]): string[] => [
  ...new Set(lines.map((line) => BEGIN.exec(line.text)?.[1]).filter((name) => name !== undefined)),
];

/** Splits bytes into lines; carriage returns are dropped. `add` returns the lines that became complete. */
export class LineReader {
  private rest = '';

  add(bytes: Uint8Array): string[] {
    let text = '';
    for (const byte of bytes) if (byte !== 13) text += String.fromCharCode(byte);
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    return lines;
  }
  /** What came behind the last end of line. */
  get unfinished(): string {
    return this.rest;
  }
}
