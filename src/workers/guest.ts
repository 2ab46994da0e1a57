// One guest of a session: its PC with what comes out of it, its domain, its memory and registers as the outside sees them, what its addresses are
// called, and why it ended. Not the machine that all share, and not how they run (engine-session.ts).

import { GuestRegisters } from '../debugger/guest-registers.ts';
import { GuestSymbols } from '../debugger/guest-symbols.ts';
import { type FileAccess, ModuleFiles } from '../debugger/os/module-files.ts';
import type { DebugGuest } from '../debugger/target.ts';
import type { BootImage } from '../hypervisor/boot/image.ts';
import type { Domain } from '../hypervisor/domain.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import { Bus } from '../machine/bus.ts';
import { Clock } from '../machine/clock.ts';
import { PcPlatform } from '../machine/devices/platform.ts';
import { VIDEO_BASE, VIDEO_BYTES, VideoMemory } from '../machine/devices/video-memory.ts';
import type { Persistent } from '../machine/snapshot.ts';
import type { CodeMap } from '../symbols/program.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { baseName, withoutFiles } from './boot-config.ts';
import { GuestMemory } from './guest-memory.ts';
import { stopOfReset } from './guest-stops.ts';
import { registersView } from './guest-view.ts';
import { OutputLine } from './output-line.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import type { GuestConfig, RegistersView, Stop, WithoutFiles } from './session.ts';

export interface GuestParts {
  readonly config: GuestConfig;
  /** Number of the guest's domain. */
  readonly id: number;
  readonly machine: PhysicalMachine;
  /** It owns the machine: its PC is the machine's own. */
  readonly bare: boolean;
  readonly symbolFile: SymbolFile;
  /** Undefined: firmware in the place of a kernel. */
  readonly kernel: BootImage | undefined;
  readonly files: FileAccess | undefined;
  /** The guest has ended itself. */
  readonly ended: (guest: Guest, stop: Stop) => void;
}

interface GuestSaved {
  readonly stop: Stop | undefined;
  readonly serial: number;
  readonly debugConsole: number;
}

export class Guest implements Persistent<GuestSaved> {
  readonly platform: PcPlatform;
  readonly video: VideoMemory;
  readonly serial = new OutputLine();
  readonly debugConsole = new OutputLine();
  /** Undefined while it can go on. */
  stop: Stop | undefined;
  /** Undefined: the bare machine. */
  domain: Domain | undefined;
  hypervisor: Hypervisor | undefined;
  memory!: GuestMemory;
  registers!: GuestRegisters;
  symbols!: GuestSymbols;
  readonly config: WithoutFiles<GuestConfig>;
  readonly id: number;
  private readonly parts: Pick<GuestParts, 'machine' | 'symbolFile' | 'files'>;
  /** Where Linux's boot parameters lie. */
  private readonly zeroPage: number | undefined;

  constructor({ config, id, machine, bare, symbolFile, files, kernel, ended }: GuestParts) {
    this.config = withoutFiles(config);
    this.id = id;
    this.parts = { machine, symbolFile, files };
    this.zeroPage = kernel?.protocol === 'linux' ? kernel.state.esi : undefined;
    const bus = bare ? machine.bus : new Bus();
    const clock = bare ? machine.clock : new Clock();
    if (bare) this.video = new VideoMemory(machine.memory.ram.subarray(VIDEO_BASE, VIDEO_BASE + VIDEO_BYTES));
    else {
      this.video = new VideoMemory();
      bus.claimMemory(VIDEO_BASE, VIDEO_BYTES, this.video);
    }
    this.platform = new PcPlatform({
      bus,
      clock,
      memoryBytes: config.memoryBytes,
      read8: (physical) => this.video.read(physical - VIDEO_BASE, 1),
      onSerialByte: this.serial.push,
      onDebugByte: this.debugConsole.push,
      onReset: () =>
        ended(
          this,
          stopOfReset(this.view.eip, () => this.names),
        ),
      onDebugExit: (value) =>
        ended(this, {
          kind: 'debug-exit',
          exitStatus: ((value << 1) | 1) & 0xff,
          address: this.view.eip,
          message: `the guest wrote 0x${value.toString(16)} to port 0xf4`,
          details: [],
        }),
    });
  }

  /** Its domain was made; left out: it is on the machine itself. `target`: the guest as a debugger has it. */
  begin(target: () => DebugGuest, hypervisor?: Hypervisor, domain?: Domain): void {
    const { config } = this;
    const { machine, symbolFile, files } = this.parts;
    this.domain = domain;
    this.hypervisor = hypervisor;
    this.memory = new GuestMemory(machine, domain, this.video);
    const guest =
      domain === undefined || hypervisor === undefined
        ? undefined
        : { vmx: machine.vmxUnit, vcpu: domain.vcpu, live: () => hypervisor.dispatcher.isInGuest(domain.vcpu) };
    this.registers = new GuestRegisters(machine.cpu, guest, (linear, into) => this.memory.readLinear(linear, into));
    const { moduleSymbols = [] } = config;
    const moduleFiles =
      moduleSymbols.length === 0 || files === undefined ? undefined : new ModuleFiles(moduleSymbols, files);
    this.symbols = new GuestSymbols(symbolFile, baseName(config.image.name), this.zeroPage, target, moduleFiles);
  }

  get name(): string {
    return this.domain?.name ?? baseName(this.config.image.name);
  }
  /** Names of its code. A kernel that names itself is found when there is something to name. */
  get names(): CodeMap {
    this.symbols.look();
    return this.symbols.map;
  }
  get view(): RegistersView {
    return this.examine(() => registersView(this.registers));
  }
  /** Calls `act` with its registers in the processor. */
  examine<T>(act: () => T): T {
    return this.domain === undefined ? act() : this.hypervisor!.dispatcher.examine(this.domain.vcpu, act);
  }
  /** Bytes come in on its serial line. */
  typeSerial(bytes: Uint8Array): void {
    if (this.domain === undefined) this.platform.typeSerial(bytes);
    else this.hypervisor!.dispatcher.attribute(this.domain.vcpu, () => this.platform.typeSerial(bytes));
  }
  /** Takes back what it sent behind the present moment. */
  beginFuture(): void {
    this.serial.beginFuture();
    this.debugConsole.beginFuture();
  }

  saveState(): GuestSaved {
    return { stop: this.stop, serial: this.serial.saveState(), debugConsole: this.debugConsole.saveState() };
  }
  loadState({ stop, serial, debugConsole }: GuestSaved): void {
    this.stop = stop;
    this.serial.loadState(serial);
    this.debugConsole.loadState(debugConsole);
  }
}
