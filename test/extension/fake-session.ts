// A session without an engine, for tests of the worker, the panels and the terminal: a made-up guest that prints a prompt, echoes
// what is typed, and makes a repeating pattern of events at real source lines of the sample guest. Never part of the product.
// Typed `crash` ends it with a triple fault, `off` with a power-off, `wait` halts it until something is typed.

import { CYCLES_PER_SECOND } from '../../src/machine/clock.ts';
import { exitReasonName } from '../../src/machine/vmx/exit-reasons.ts';
import { FIELDS, Field } from '../../src/machine/vmx/fields.ts';
import { MASK_ALL, MASK_NONE, maskOf } from '../../src/monitor/events.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { AddressMap } from '../../src/symbols/address-map.ts';
import { type BootConfig, type Session, type Stop, UserError } from '../../src/workers/session.ts';

const GROUPS = {
  control: 'Control',
  'exit-info': 'Exit information',
  guest: 'Guest state',
  host: 'Host state',
} as const;
const PLACES = ['page_fault', 'serial_write', 'tty_write', 'schedule', 'vm_activate', 'pic_end_of_interrupt', 'idle'];
const PERIOD = 4000;
const PROMPT = 'tsubame> ';

export const createSession = (config: BootConfig): Session => {
  if (config.image.bytes.length < 64) throw new UserError(`${config.image.name}: the file is too short to be a kernel`);
  return new FakeSession(config);
};

class FakeSession implements Session {
  stop: Stop | undefined;
  waiting = false;
  readonly stateHashes: string[] = [];
  private instructions = 0;
  private cycles = 0;
  private host = 0;
  private eip = 0x0010_0000;
  private serial = '';
  private line = '';
  private seed = 1;
  private readonly counts = new Map<number, { count: number; cycles: number }>();
  private readonly vmcsValues = new Uint32Array(FIELDS.length);
  private vmcsBefore = new Uint32Array(FIELDS.length);
  private readonly map: AddressMap;
  private readonly places: number[];
  private readonly recorder: Recorder;

  get guests(): Session['guests'] {
    const { config, stop } = this;
    return [
      {
        id: 0,
        config,
        stop,
        get symbols(): never {
          throw new Error('a made-up guest has no memory to look for symbols in');
        },
      },
    ];
  }
  get debug(): never {
    throw new Error('there is nothing to debug in a made-up guest');
  }
  get symbols(): never {
    throw new Error('a made-up guest has no memory to look for symbols in');
  }

  constructor(readonly config: BootConfig) {
    const loaded = AddressMap.load(config.image.name, config.image.bytes);
    this.map = loaded.ok ? loaded.map : AddressMap.EMPTY;
    this.places = PLACES.map((name, index) => (this.map.lookup(name) ?? 0x0010_1000 + index * 0x40) + 6);
    const mask =
      config.observe === 'all' ? MASK_ALL : config.observe === 'none' ? MASK_NONE : maskOf(config.observe).mask;
    const session = this;
    this.recorder = new Recorder(
      {
        get icount() {
          return session.instructions;
        },
        get cycles() {
          return session.host;
        },
        domain: 0,
        vcpu: 0,
        get eip() {
          return session.eip;
        },
        cr3: 0x0000_4000,
        cpl: 0,
      },
      { mask },
    );
    this.serial = `Tsubame 1.0, ${config.memoryBytes >> 20} MiB\nkernel at 0x${this.places[0]!.toString(16).padStart(8, '0')}\n${PROMPT}`;
  }

  run(instructions: number, cycles = Infinity): void {
    const end = Math.min(this.cycles + cycles, this.cycles + instructions * 20);
    while (this.cycles < end && this.stop === undefined && !this.waiting) {
      this.period();
      this.instructions += PERIOD / 20;
      this.cycles += PERIOD * 12;
      this.host += PERIOD * 12;
    }
  }

  private random(below: number): number {
    this.seed = (Math.imul(this.seed, 1_103_515_245) + 12_345) >>> 0;
    return (this.seed >>> 8) % below;
  }

  private exit(reason: number, qualification: number, info: number, place: number, body: () => void): void {
    this.eip = this.places[place]! + this.random(4) * 3;
    this.recorder.vmExit(reason, {
      qualification,
      guestLinear: 0,
      guestPhysical: 0,
      intrInfo: info,
      intrError: 0,
      idtVectoringInfo: 0,
      idtVectoringError: 0,
      instructionLength: 2,
      instructionInfo: 0,
    });
    const cost = 900 + this.random(2500);
    this.host += cost / 2;
    body();
    this.host += cost / 2;
    this.recorder.handler(reason, 0, cost, 0, 0, 0);
    this.recorder.vmEntry(0, 0, 0, 0, cost);
    const entry = this.counts.get(reason) ?? { count: 0, cycles: 0 };
    entry.count++;
    entry.cycles += cost;
    this.counts.set(reason, entry);
    this.vmcsBefore = this.vmcsValues.slice();
    const put = (encoding: number, value: number): void => {
      this.vmcsValues[FIELDS.findIndex((field) => field.encoding === encoding)] = value;
    };
    put(Field.VM_EXIT_REASON, reason);
    put(Field.EXIT_QUALIFICATION, qualification);
    put(Field.GUEST_RIP, this.eip);
    put(Field.VM_EXIT_INTR_INFO, info);
    this.host += this.random(PERIOD);
  }

  private period(): void {
    const r = this.recorder;
    for (let i = 0; i < 2 + this.random(6); i++) {
      const address = 0x0804_8000 + this.random(64) * 4096;
      this.exit(0, address, 0x8000_0b0e, 0, () => {
        r.shadowFault(address, 6, 4, 0x1067, 0);
        r.shadowEntrySet(0x300 + this.random(20), 1, this.random(1024), 0, 0x5067, 1);
      });
    }
    if (this.random(3) === 0) this.exit(30, 0x03f8_0000, 0, 1, () => r.portIo(0x3f8, 1, 1, 0x41, 0, 1));
    if (this.random(4) === 0) this.exit(28, 0x3, 0, 4, () => r.cr3Load(0x4000, 0x5000, 0));
    if (this.random(5) === 0) {
      this.exit(1, 0, 0, 6, () => {
        r.pitTick(0, 0);
        r.irqLine(0, 1, 0, 0);
        r.inject(0x8000_0020, 0, 0, 400, 0);
      });
    }
    if (this.random(9) === 0) this.exit(14, 0x0804_9000, 0, 3, () => r.tlbFlush(1, 0x0804_9000, 1));
    if (this.random(12) === 0) this.exit(12, 0, 0, 6, () => {});
  }

  typeSerial(bytes: Uint8Array): void {
    this.waiting = false;
    this.recorder.runInput(0, bytes.length, bytes[0] ?? 0);
    for (const character of new TextDecoder().decode(bytes)) {
      if (character !== '\r') {
        this.serial += character;
        this.line += character;
        continue;
      }
      this.serial += '\n';
      if (this.line === 'crash') this.end('triple-fault', 'triple fault', ['#PF at 0x00000000', '#DF', 'triple fault']);
      else if (this.line === 'off') this.end('power-off', 'the guest powered off', []);
      else if (this.line === 'wait') this.waiting = true;
      else this.serial += `${this.line}: done\n${PROMPT}`;
      this.line = '';
    }
  }

  private end(kind: Stop['kind'], what: string, details: readonly string[]): void {
    // The registers are elsewhere by then, as after a triple fault.
    const address = this.places[0]!;
    this.eip = 0;
    this.stop = { kind, address, message: `${what} in ${this.map.describe(address)}`, details };
  }

  takeSerial(): Uint8Array {
    const bytes = new TextEncoder().encode(this.serial);
    this.serial = '';
    return bytes;
  }
  takeDebugConsole(): Uint8Array {
    return new Uint8Array();
  }
  vgaText(): string {
    return '';
  }

  domains(): ReturnType<Session['domains']> {
    const segment = (name: string, selector: number, access: number) => ({
      name,
      selector,
      base: 0,
      limit: 0xffff_ffff,
      access,
    });
    return [
      {
        id: 1,
        name: 'tsubame.elf',
        memoryBytes: this.config.memoryBytes,
        vcpus: [
          {
            id: 0,
            mode: 'protected, paging, CPL 0',
            runState: this.stop === undefined ? 'running' : 'shutdown',
            registers: {
              general: {
                eax: this.cycles >>> 0,
                ecx: 3,
                edx: this.places[1]!,
                ebx: 0x1_0000,
                esp: 0x0011_8fe0,
                ebp: 0x0011_8ff0,
                esi: 0,
                edi: 0,
              },
              eip: this.eip,
              eflags: 0x202,
              cr0: 0x8001_0011,
              cr2: 0x0804_8000,
              cr3: 0x4000,
              cr4: 0x90,
              segments: [
                segment('cs', 8, 0xc09b),
                segment('ss', 16, 0xc093),
                segment('ds', 16, 0xc093),
                segment('es', 16, 0xc093),
              ],
              gdtr: { base: 0x0011_0000, limit: 0x2f },
              idtr: { base: 0x0011_1000, limit: 0x7ff },
            },
          },
        ],
      },
    ];
  }

  vmcs(): ReturnType<Session['vmcs']> {
    return FIELDS.map((field, index) => ({
      name: field.name,
      encoding: field.encoding,
      group: GROUPS[field.group],
      low: this.vmcsValues[index]!,
      high: 0,
      width: field.width === 'natural' ? 32 : field.width,
      decoded: field.encoding === Field.VM_EXIT_REASON ? exitReasonName(this.vmcsValues[index]!) : '',
      changed: this.vmcsValues[index] !== this.vmcsBefore[index],
    }));
  }

  counters(): ReturnType<Session['counters']> {
    const { recorded, lost, bytes } = this.recorder.counts();
    return {
      instructions: this.instructions,
      virtualSeconds: this.cycles / CYCLES_PER_SECOND,
      exits: [...this.counts].map(([reason, { count, cycles }]) => ({
        reason,
        name: exitReasonName(reason),
        count,
        cycles,
      })),
      events: { recorded, lost, bytes },
      shadow: { faults: this.counts.get(0)?.count ?? 0 },
      interrupts: { '0x20': this.counts.get(1)?.count ?? 0 },
    };
  }
  stateHash(): string {
    return '';
  }
  locate(address: number): ReturnType<Session['locate']> {
    return this.map.locate(address);
  }
  lookup(symbol: string): number | undefined {
    return this.map.lookup(symbol);
  }
  events(from: number, limit: number): ReturnType<Session['events']> {
    return { ...this.recorder.records(from, limit), future: 0 };
  }
  trace(): Uint8Array {
    return new Uint8Array(0);
  }
}
