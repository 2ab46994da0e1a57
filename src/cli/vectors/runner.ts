// Runs the cases of one vector file on a processor of its own: state before, one instruction, everything compared. Not a machine: no
// devices, no interrupts. What the processor delivers is recorded here instead of (user32) or besides (real16) entering a handler.

import { Bus } from '../../machine/bus.ts';
import { Clock } from '../../machine/clock.ts';
import { buildProcessor } from '../../machine/cpu/build.ts';
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { deliverEvent, deliverPendingFault } from '../../machine/cpu/exceptions.ts';
import { CORE_DUO } from '../../machine/cpu/model.ts';
import type { Processor } from '../../machine/cpu/run.ts';
import { CS, Flag, StateLayout } from '../../machine/cpu/state.ts';
import { PhysicalMemory } from '../../machine/memory.ts';
import { MAX_BLOCK } from '../../machine/translate/entry.ts';
import { NO_VMX } from '../../machine/vmx/hooks.ts';
import { EventType } from '../../machine/vmx/qualification.ts';
import { AbsentMemory } from './absent.ts';
import { Areas } from './areas.ts';
import { type Context, contextOf } from './contexts.ts';
import { type Case, GENERAL, type Header, SEGMENTS } from './format.ts';
import { FloatRegisters } from './registers.ts';

/** Single stepping is how processors are made to run one instruction, and RF follows from faults: neither is compared. */
const UNCOMPARED_FLAGS = Flag.TF | Flag.RF;
const DEFAULT_FLAGS = 0x202;
/** Steps after which a repeated instruction is given up: more iterations than memory has bytes would be needed. */
const MOST_STEPS = 1 << 20;

/** The first event of a case, before anything its delivery raises. */
interface RecordedEvent {
  readonly vector: number;
  readonly error: number | undefined;
  readonly address: number;
  /** INT n, INT3, INTO, INT1: bytes of the instruction, behind which the event stands; else 0. */
  readonly length: number;
}

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
const STRING_OPCODES = new Set([0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf]);
/** Is this a string instruction with a repeat prefix? It resumes at itself until it is done. */
const repeats = (code: string): boolean => {
  let repeated = false;
  for (let i = 0; i < code.length; i += 2) {
    const byte = parseInt(code.slice(i, i + 2), 16);
    if (!PREFIXES.has(byte)) return repeated && STRING_OPCODES.has(byte);
    if (byte === 0xf2 || byte === 0xf3) repeated = true;
  }
  return false;
};

const hex = (value: number): string => (value >>> 0).toString(16);

export class VectorRunner {
  private readonly processor: Processor;
  private readonly cpu: Cpu;
  private readonly context: Context;
  private readonly areas: Areas;
  private readonly absent: AbsentMemory | undefined;
  private readonly floats: FloatRegisters;
  private event: RecordedEvent | undefined;
  /** Events enter their handlers; else the first one ends the case. */
  private delivering = false;
  private runs = 0;
  /** Physical pages of the code area: each case replaces what was decoded there. */
  private readonly codePages: readonly number[];
  /** EIP and the selectors before the case. */
  private start = 0;
  private readonly selectors = new Uint16Array(SEGMENTS.length);

  /** Throws UserError about the header, continuing "line 1 ...". */
  constructor(
    private readonly header: Header,
    approximate: boolean,
  ) {
    this.context = contextOf(header.context);
    const memory = new PhysicalMemory(this.context.ram);
    const bus = new Bus();
    this.processor = buildProcessor(memory, bus, new Clock(), CORE_DUO, {
      deliverPendingFault: (cpu) => this.pendingFault(cpu),
      deliverEvent,
    });
    this.cpu = this.processor.cpu;
    // Events met inside a helper (INT n, INT3, INTO) do not come by way of the mailbox.
    this.cpu.vmx = {
      ...NO_VMX,
      exitOnException: (vector, error, address, type = EventType.HARDWARE_EXCEPTION, length = 0) =>
        this.exception(vector, error, address, type, length),
      beginDelivery: (vector, type, _error, length) => this.delivery(vector, type, length),
    };
    this.areas = new Areas(memory, [header.code, header.data, header.stack], (page, i) =>
      this.context.frameOf(page, i),
    );
    const [code, codeBytes] = header.code;
    this.codePages = [...this.areas.pages()]
      .filter(({ linear }) => linear + 4096 > code && linear < code + codeBytes)
      .map(({ frame }) => frame >>> 12);
    this.absent = this.claimAbsent(bus);
    this.context.prepareMemory(this.cpu, this.areas);
    this.floats = new FloatRegisters(this.cpu.s, approximate);
  }

  private claimAbsent(bus: Bus): AbsentMemory | undefined {
    const end = this.context.absentEnd;
    if (end === 0) return undefined;
    const absent = new AbsentMemory(end);
    let next = 0;
    for (const { linear } of [...this.areas.pages(), { linear: end }]) {
      if (linear > next) bus.claimMemory(next, linear - next, absent.from(next));
      next = linear + 4096;
    }
    return absent;
  }

  // ---- events -------------------------------------------------------------------------------------------------------

  private pendingFault(cpu: Cpu): boolean {
    if (this.delivering) return deliverPendingFault(cpu);
    const s = cpu.s;
    const error = s.get(StateLayout.faultHasError) && cpu.protectedMode ? s.get(StateLayout.faultError) : undefined;
    this.event ??= { vector: s.get(StateLayout.faultVector) - 1, error, address: cpu.faultAddress, length: 0 };
    cpu.clearFault();
    return true;
  }
  /** As VMX asks its exception bitmap. True: the guest is left, nothing is delivered. */
  private exception(vector: number, error: number | undefined, address: number, type: number, length: number): boolean {
    this.event ??= { vector, error, address, length: type === EventType.HARDWARE_EXCEPTION ? 0 : length };
    if (this.delivering) return false;
    this.cpu.s.eip += this.event.length;
    return true;
  }
  /** INT n does not ask the exception bitmap. In user32 only the gates of INT 3 and INT 4 let it through: the others end in #GP. */
  private delivery(vector: number, type: number, length: number): void {
    if (type !== EventType.SOFTWARE_INTERRUPT) return;
    const through = this.context.delivers || vector === 3 || vector === 4;
    if (through) this.event ??= { vector, error: undefined, address: 0, length };
  }

  // ---- a case -------------------------------------------------------------------------------------------------------

  /** Undefined if the case passed, else what differs. Throws UserError about the case, continuing "line N ...". */
  run(test: Case): string | undefined {
    if (!this.context.delivers) return this.attempt(test, false);
    if (test.fault === undefined) return this.attempt(test, true);
    // With `fault`, `out` may be the state at the fault or the handler's: both are accepted.
    const problem = this.attempt(test, false);
    return problem !== undefined && this.attempt(test, true) === undefined ? undefined : problem;
  }

  private attempt(test: Case, delivering: boolean): string | undefined {
    this.delivering = delivering;
    let passed = false;
    try {
      this.prepare(test);
      this.execute(test);
      const problem = this.compare(test);
      passed = problem === undefined;
      return problem;
    } finally {
      this.areas.clear(passed);
      this.absent?.clear();
    }
  }

  private prepare(test: Case): void {
    const { cpu, header } = this;
    const s = cpu.s;
    const image = test.in;
    // What is longer than the code area stands on memory that isn't there.
    for (const page of this.codePages) this.processor.forgetCode(page);
    this.put(header.code[0], test.bytes.slice(0, 2 * header.code[1]));
    if (image.mem !== undefined) for (const [address, bytes] of image.mem) this.put(address, bytes);
    this.context.prepare(cpu, header, image);
    // No vector is inside the table: the event is recorded and goes no further.
    if (!this.delivering) s.set(StateLayout.idtrLimit, 0);
    for (let i = 0; i < SEGMENTS.length; i++) this.selectors[i] = s.selector(i);
    for (let i = 0; i < GENERAL.length; i++) s.setGpr(i, image[GENERAL[i]!] ?? 0);
    this.start = image.eip ?? (header.code[0] - s.base(CS)) >>> 0;
    s.eip = this.start;
    s.eflags = image.eflags ?? DEFAULT_FLAGS;
    s.set(StateLayout.activity, 0);
    s.set(StateLayout.interruptibility, 0);
    this.floats.prepare(test);
    cpu.clearFault();
    cpu.modeDirty = true;
    this.event = undefined;
  }
  private put(address: number, bytes: string): void {
    if (this.absent !== undefined && !this.areas.has(address)) this.absent.put(address, bytes);
    else this.areas.put(address, bytes);
  }

  private execute(test: Case): void {
    const { start } = this;
    const s = this.cpu.s;
    // Repeated string instructions have a path for single iterations and one for many: the cases take turns.
    const iterations = (this.runs++ & 1) === 0 && repeats(test.bytes) ? MAX_BLOCK - 1 : 1;
    this.processor.step(iterations);
    if (s.eip !== start || this.event !== undefined || !repeats(test.bytes)) return;
    for (let i = 0; i < MOST_STEPS && s.eip === start && this.event === undefined; i++) this.processor.step(iterations);
  }

  // ---- comparison ---------------------------------------------------------------------------------------------------

  private compare(test: Case): string | undefined {
    return (
      this.compareEvent(test) ??
      this.compareGeneral(test) ??
      this.compareSegments(test) ??
      this.compareMemory(test) ??
      this.floats.compare(test)
    );
  }

  private compareEvent({ fault }: Case): string | undefined {
    const { event } = this;
    if (fault === undefined) {
      if (event === undefined || this.delivering) return undefined;
      return `unexpected fault, vector ${event.vector}, error ${event.error}, address ${hex(event.address)}`;
    }
    if (event === undefined) return `no fault, expected vector ${fault.vector}`;
    if (event.vector !== fault.vector) return `vector ${event.vector}, expected ${fault.vector}`;
    // Real mode has no error codes: what a file says about them is not asked.
    if (fault.error !== undefined && !this.context.delivers && (event.error ?? 0) !== fault.error)
      return `error code ${event.error}, expected ${fault.error}`;
    if (fault.address !== undefined && fault.vector === 14 && event.address !== fault.address)
      return `address ${hex(event.address)}, expected ${hex(fault.address)}`;
    return undefined;
  }

  private compareGeneral(test: Case): string | undefined {
    const s = this.cpu.s;
    const { out, in: image } = test;
    for (let i = 0; i < GENERAL.length; i++) {
      const name = GENERAL[i]!;
      const expected = (out[name] ?? image[name] ?? 0) >>> 0;
      if (s.gpr(i) !== expected && !test.ignoreRegisters?.includes(name))
        return `${name} ${hex(s.gpr(i))}, expected ${hex(expected)}`;
    }
    const eip = out.eip ?? this.start;
    if (s.eip !== eip && !this.standsAt(eip)) return `eip ${hex(s.eip)}, expected ${hex(eip)}${this.delivered()}`;
    const mask = (test.mask ?? 0xffffffff) & ~UNCOMPARED_FLAGS;
    const actual = s.eflags & mask;
    const expected = (out.eflags ?? image.eflags ?? DEFAULT_FLAGS) & mask;
    return actual === expected
      ? undefined
      : `eflags ${hex(actual)}, expected ${hex(expected)} (mask ${hex(mask)})${this.delivered()}`;
  }
  /** Real mode with `fault`: a file may have INT n, INT3 and INTO at the instruction, not behind it. */
  private standsAt(eip: number): boolean {
    const behind = this.event?.length ?? 0;
    return this.context.delivers && !this.delivering && behind > 0 && eip === this.start;
  }
  private delivered(): string {
    return this.delivering && this.event !== undefined ? `; vector ${this.event.vector} was delivered` : '';
  }

  private compareSegments({ out }: Case): string | undefined {
    for (let i = 0; i < SEGMENTS.length; i++) {
      const name = SEGMENTS[i]!;
      const actual = this.cpu.s.selector(i);
      const expected = out[name];
      if (expected === undefined) {
        const before = this.selectors[i]!;
        if (!this.context.unlisted(actual, before)) return `${name} ${hex(actual)}, expected ${hex(before)}`;
      } else if (actual !== expected) return `${name} ${hex(actual)}, expected ${hex(expected)}`;
    }
    return undefined;
  }

  private compareMemory({ out, ignore }: Case): string | undefined {
    if (out.mem !== undefined)
      for (const item of out.mem)
        if (this.absent !== undefined && !this.areas.has(item[0])) this.absent.expect(item[0], item[1]);
        else this.areas.expect(item);
    if (ignore !== undefined)
      for (const range of ignore) {
        this.areas.ignore(range);
        this.absent?.ignore(range);
      }
    return this.areas.compare() ?? this.absent?.compare();
  }
}
