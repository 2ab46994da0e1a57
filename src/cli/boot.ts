// `kansoku boot`: runs one guest to an end and reports. Not the engine: it drives a Session and does the files, the terminal, the limits.

import { writeFileSync } from 'node:fs';
import { createSession } from '../workers/engine-session.ts';
import { type BootConfig, type Session, type Stop, UserError } from '../workers/session.ts';
import { type FurtherDomain, readDomains } from './domain-file.ts';
import {
  attachTerminal,
  checkOutput,
  guestConfig,
  inputOf,
  reasonOf,
  type SerialSink,
  serialTo,
} from './guest-options.ts';
import {
  BOOT_OPTIONS,
  helpText,
  one,
  parseArguments,
  parseCount,
  type ParsedArguments,
  parsePattern,
} from './options.ts';
import { writeAll } from './write-all.ts';

/** Exit status of `kansoku boot`; a debug-exit guest gives (value << 1) | 1 instead. */
export const Status = { ok: 0, guestDied: 1, usage: 2, limit: 3 } as const;

/** Guest instructions between two looks at the limits, the input and the terminal. */
const SLICE = 20_000_000;
/** Characters of serial output that `--until` can match across slices. */
const MATCH_WINDOW = 65536;

/** The bytes of the files are the machine's. */
type PlannedDomain = Omit<FurtherDomain, 'config'> & { readonly id: number };

interface Plan {
  readonly domains: readonly PlannedDomain[];
  readonly serial: SerialSink;
  /** Where the debug console goes. */
  readonly log: (bytes: Uint8Array) => void;
  readonly input: Uint8Array | undefined;
  readonly until: RegExp | undefined;
  readonly maxInstructions: number;
  readonly timeoutSeconds: number;
  readonly trace: string | undefined;
  readonly report: string | undefined;
}

const plan = (args: ParsedArguments): Plan & { readonly config: BootConfig } => {
  const until = one(args, 'until');
  const pattern = until === undefined ? undefined : parsePattern(until, '--until', 'm');
  const max = one(args, 'max-instructions');
  const timeout = one(args, 'timeout');
  const config = guestConfig(args, 'kansoku boot');
  checkOutput(one(args, 'trace'), 'trace');
  checkOutput(one(args, 'report'), 'report');
  const serial = one(args, 'serial') ?? 'stdio';
  const domains = readDomains(args.options.get('domain') ?? [], config, serial === 'stdio');
  return {
    config: domains.length === 0 ? config : { ...config, domains: domains.map((domain) => domain.config) },
    domains: domains.map(({ config: { id }, serial: sink, input }) => ({ id, serial: sink, input })),
    serial: serialTo(serial),
    // Apart from COM1, which may be piped on; who wants to see nothing of the guest sees nothing of it either.
    log: serial === 'null' ? () => undefined : (bytes) => writeAll(2, bytes),
    input: inputOf(args),
    until: pattern,
    maxInstructions: max === undefined ? Infinity : parseCount(max, '--max-instructions'),
    timeoutSeconds:
      timeout === undefined ? Infinity : Number(timeout) > 0 ? Number(timeout) : parseCount(timeout, '--timeout'),
    trace: one(args, 'trace'),
    report: one(args, 'report'),
  };
};

type StopReason =
  'until' | 'waiting' | 'max-instructions' | 'timeout' | 'interrupted' | NonNullable<Session['stop']>['kind'];

interface Outcome {
  readonly reason: StopReason;
  readonly serial: string;
  readonly debugConsole: string;
  /** Serial output of the further domains, by number. */
  readonly domains: ReadonlyMap<number, string>;
}

/** What came out of one line: all of it, and the last of it for `--until`. */
class Log {
  private readonly chunks: Uint8Array[] = [];
  private window = '';
  private readonly decoder = new TextDecoder('latin1');

  constructor(private readonly write: (bytes: Uint8Array) => void) {}

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.write(bytes);
    this.chunks.push(bytes);
    this.window = (this.window + this.decoder.decode(bytes)).slice(-MATCH_WINDOW);
  }
  matches(pattern: RegExp): boolean {
    return pattern.test(this.window);
  }
  get text(): string {
    return this.decoder.decode(Buffer.concat(this.chunks));
  }
}

/** Runs the guest in slices until something ends it. */
const drive = async (session: Session, p: Plan): Promise<Outcome> => {
  const serial = new Log(p.serial.write);
  const debugConsole = new Log(p.log);
  const others = p.domains.map(({ id, serial: sink }) => ({ id, log: new Log(sink.write) }));
  const ended = (reason: StopReason): Outcome => ({
    reason,
    serial: serial.text,
    debugConsole: debugConsole.text,
    domains: new Map(others.map(({ id, log }) => [id, log.text])),
  });
  let interrupted = false;
  const onSignal = (): void => {
    interrupted = true;
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const release = p.input === undefined ? attachTerminal(() => session) : () => undefined;
  const start = process.hrtime.bigint();
  let slice = Math.min(SLICE, 1_000_000);
  try {
    if (p.input !== undefined) session.typeSerial(p.input);
    for (const { id, input } of p.domains) if (input !== undefined) session.typeSerial(input, id);
    for (;;) {
      const left = p.maxInstructions - session.counters().instructions;
      session.run(Math.max(0, Math.min(slice, left)));
      slice = SLICE;
      serial.add(session.takeSerial());
      debugConsole.add(session.takeDebugConsole());
      for (const { id, log } of others) log.add(session.takeSerial(id));
      const { until } = p;
      if (
        until !== undefined &&
        (serial.matches(until) || debugConsole.matches(until) || until.test(session.vgaText()))
      )
        return ended('until');
      if (session.stop !== undefined) return ended(session.stop.kind);
      // Without a keyboard nothing will ever happen again.
      if (session.waiting && !process.stdin.isTTY) return ended('waiting');
      if (session.counters().instructions >= p.maxInstructions) return ended('max-instructions');
      if (Number(process.hrtime.bigint() - start) / 1e9 >= p.timeoutSeconds) return ended('timeout');
      if (interrupted) return ended('interrupted');
      // Lets signals and typed keys in.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    release();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
};

const reportOf = (session: Session, outcome: Outcome, seconds: number): unknown => {
  const counters = session.counters();
  const hex = (n: number): string => `0x${n.toString(16).padStart(8, '0')}`;
  const vcpu = session.domains()[0]?.vcpus[0];
  return {
    stopReason: outcome.reason,
    instructions: counters.instructions,
    hostSeconds: seconds,
    mips: counters.instructions / seconds / 1e6,
    virtualSeconds: counters.virtualSeconds,
    exits: Object.fromEntries(
      counters.exits.map((e) => [e.reason, { name: e.name, count: e.count, cycles: e.cycles }]),
    ),
    shadow: counters.shadow,
    interrupts: counters.interrupts,
    events: counters.events,
    serial: outcome.serial,
    debugConsole: outcome.debugConsole,
    vgaText: session.vgaText(),
    stateHash: session.stateHash(),
    stateHashes: session.stateHashes,
    cpu:
      vcpu === undefined
        ? null
        : {
            ...Object.fromEntries(Object.entries(vcpu.registers.general).map(([name, value]) => [name, hex(value)])),
            eip: hex(vcpu.registers.eip),
            eflags: hex(vcpu.registers.eflags),
            cr0: hex(vcpu.registers.cr0),
            cr2: hex(vcpu.registers.cr2),
            cr3: hex(vcpu.registers.cr3),
            cr4: hex(vcpu.registers.cr4),
            location: session.locate(vcpu.registers.eip),
          },
    domains: session.domains().map((d) => ({
      id: d.id,
      name: d.name,
      memoryBytes: d.memoryBytes,
      ...(d.weight === undefined ? {} : { weight: d.weight }),
      vcpus: d.vcpus.map((v) => ({ id: v.id, mode: v.mode, runState: v.runState, cycles: v.spent })),
      ...(outcome.domains.has(d.id)
        ? { serial: outcome.domains.get(d.id), vgaText: session.vgaText(d.id), diagnostics: linesOf(d.stop) }
        : {}),
    })),
    diagnostics: linesOf(session.stop),
  };
};

const linesOf = (stop: Stop | undefined): readonly string[] =>
  stop === undefined ? [] : [stop.message, ...stop.details];

const writeOutput = (path: string, what: string, data: string | Uint8Array): void => {
  try {
    writeFileSync(path, data);
  } catch (error) {
    throw new UserError(`${path}: cannot write the ${what}: ${reasonOf(error)}`);
  }
};

const statusOf = (session: Session, reason: StopReason): number => {
  switch (reason) {
    case 'until':
    case 'power-off':
    case 'reset':
    case 'waiting':
      return Status.ok;
    case 'debug-exit':
      return session.stop?.exitStatus ?? Status.ok;
    case 'max-instructions':
    case 'timeout':
    case 'interrupted':
      return Status.limit;
    default:
      return Status.guestDied;
  }
};

/** The files' bytes go when the machine has them. */
const start = (argv: readonly string[]): { readonly p: Plan; readonly session: Session; readonly began: bigint } => {
  const { config, ...p } = plan(parseArguments(argv, BOOT_OPTIONS, 'boot'));
  const began = process.hrtime.bigint();
  return { p, session: createSession(config), began };
};

/** Returns the process's exit status. Throws UserError for the user's mistakes. */
export const boot = async (argv: readonly string[]): Promise<number> => {
  if (argv.includes('--help')) {
    console.log(
      `kansoku boot IMAGE [options]\n\nIMAGE: a Multiboot ELF or a Linux bzImage (gzip is unpacked); - with --bios.\n\n${helpText(BOOT_OPTIONS)}`,
    );
    return Status.ok;
  }
  const { p, session, began } = start(argv);
  const outcome = await drive(session, p);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  p.serial.close();
  for (const { serial } of p.domains) serial.close();
  if (p.trace !== undefined) writeOutput(p.trace, 'trace', session.trace());
  if (p.report !== undefined)
    writeOutput(p.report, 'report', `${JSON.stringify(reportOf(session, outcome, seconds), undefined, 2)}\n`);
  const stop = session.stop;
  if (stop !== undefined && stop.kind !== 'debug-exit' && stop.kind !== 'power-off' && stop.kind !== 'reset') {
    console.error(stop.message);
    for (const line of stop.details) console.error(`  ${line}`);
  }
  return statusOf(session, outcome.reason);
};
