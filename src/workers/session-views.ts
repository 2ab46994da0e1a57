// What is asked of a machine while it stands between two slices: its domains and registers, the VMCS, counters, the trace, the hash of its state, names of
// addresses. Nothing here changes the guest. Not how it runs (engine-session.ts).

import { CYCLES_PER_SECOND } from '../machine/clock.ts';
import { StateLayout } from '../machine/cpu/state.ts';
import type { GuestRegisters } from '../debugger/guest-registers.ts';
import type { GuestSymbols } from '../debugger/guest-symbols.ts';
import type { Domain } from '../hypervisor/domain.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { PcPlatform } from '../machine/devices/platform.ts';
import type { VideoMemory } from '../machine/devices/video-memory.ts';
import { StateHash } from '../machine/state-hash.ts';
import type { Recorder } from '../monitor/recorder.ts';
import { encodeTrace } from '../monitor/trace-file.ts';
import type { SourceLocation } from '../symbols/location.ts';
import type { CodeMap } from '../symbols/program.ts';
import { baseName } from './boot-config.ts';
import { hashGuest } from './guest-hash.ts';
import { describeMode, registersView, vmcsView } from './guest-view.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import type { Counters, DomainView, RegistersView, SessionConfig, Stop, VmcsFieldView } from './session.ts';
import type { VmcsHistory } from './vmcs-history.ts';

/** The machine, and what was observed of it. */
export interface ViewedParts {
  readonly config: SessionConfig;
  readonly machine: PhysicalMachine;
  readonly platform: PcPlatform;
  readonly video: VideoMemory;
  /** Undefined: the bare machine. */
  readonly hypervisor: Hypervisor | undefined;
  readonly domain: Domain | undefined;
  readonly recorder: Recorder;
  readonly vmcsHistory: VmcsHistory;
  readonly registers: GuestRegisters;
  readonly symbols: GuestSymbols;
  readonly instructions: () => number;
  readonly stop: () => Stop | undefined;
}

export class SessionViews {
  private readonly hash: StateHash;

  constructor(private readonly parts: ViewedParts) {
    this.hash = new StateHash(parts.machine.memory.memory);
  }

  get registers(): RegistersView {
    return registersView(this.parts.registers);
  }

  domains(): readonly DomainView[] {
    const { config, domain, machine, stop } = this.parts;
    const { registers } = this;
    const blocked = domain === undefined ? machine.state.get(StateLayout.activity) === 1 : domain.vcpu.blocked;
    return [
      {
        id: domain?.id ?? 0,
        name: domain?.name ?? baseName(config.image.name),
        memoryBytes: config.memoryBytes,
        vcpus: [
          {
            id: 0,
            mode: describeMode(registers),
            runState: stop() !== undefined ? 'shutdown' : blocked ? 'blocked' : 'running',
            registers,
          },
        ],
      },
    ];
  }

  vmcs(): readonly VmcsFieldView[] {
    const { vmcsHistory } = this.parts;
    const { vmxUnit } = this.parts.machine;
    if (vmxUnit.currentPointer < 0) return [];
    vmcsHistory.look();
    return vmcsView(vmxUnit, (encoding, wide) => vmcsHistory.changed(encoding, wide));
  }

  counters(): Counters {
    const { recorder, machine, hypervisor, domain, instructions } = this.parts;
    const { metrics } = recorder;
    const counts = recorder.counts();
    return {
      instructions: instructions(),
      virtualSeconds: machine.clock.now / CYCLES_PER_SECOND,
      exits: hypervisor?.account.byReason() ?? [],
      events: { recorded: counts.recorded, lost: counts.lost, bytes: counts.bytes },
      shadow: domain === undefined ? {} : { ...(domain.vcpu.shadow.counters as unknown as Record<string, number>) },
      interrupts: Object.fromEntries(
        metrics.interruptsByVector().map((v) => [`0x${v.code.toString(16).padStart(2, '0')}`, v.count]),
      ),
    };
  }

  locate(address: number): SourceLocation {
    return this.names.locate(address);
  }
  lookup(symbol: string): number | undefined {
    return this.names.lookup(symbol);
  }
  /** A kernel that names itself is found when there is something to name. */
  get names(): CodeMap {
    const { symbols } = this.parts;
    symbols.look();
    return symbols.map;
  }
  vgaText(): string {
    return this.parts.platform.vgaText();
  }

  trace(): Uint8Array {
    const { config, recorder } = this.parts;
    recorder.flush();
    return encodeTrace(
      {
        cyclesPerSecond: CYCLES_PER_SECOND,
        mask: recorder.mask,
        image: { name: config.image.name },
        ...(config.symbols === undefined ? {} : { symbols: { name: config.symbols.name } }),
        cpu: config.cpu,
        paging: config.bare ? 'bare' : 'shadow',
        memoryBytes: config.memoryBytes,
        cmdline: config.cmdline,
        domains: this.domains().map(({ id, name }) => ({ id, name })),
      },
      recorder.store,
    );
  }

  stateHash(): string {
    const { machine, domain, platform, video, instructions } = this.parts;
    return hashGuest(this.hash, {
      machine,
      mfnOf: domain?.p2m.mfnOf,
      registers: this.registers,
      msrs: domain?.vcpu.msrs.words ?? [],
      pdptes: domain?.vcpu.shadow.mode.pdptes ?? machine.cpu.mmu.saveState(),
      devices: [platform.saveState(), video.saveState()],
      time: [instructions(), machine.clock.now],
    });
  }
}
