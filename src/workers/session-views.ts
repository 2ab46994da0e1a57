// What is asked of a machine while it stands between two slices: its domains and registers, the VMCS, counters, the trace, the hash of its state, names of
// addresses. Nothing here changes the guest. Not how it runs (engine-session.ts).

import { CYCLES_PER_SECOND } from '../machine/clock.ts';
import { StateLayout } from '../machine/cpu/state.ts';
import type { Domain } from '../hypervisor/domain.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import { RunState } from '../hypervisor/observer.ts';
import { StateHash } from '../machine/state-hash.ts';
import type { Recorder } from '../monitor/recorder.ts';
import { encodeTrace } from '../monitor/trace-file.ts';

import type { Guest } from './guest.ts';
import { hashGuest, hashOfHashes } from './guest-hash.ts';
import { describeMode, vmcsView } from './guest-view.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import type { Counters, DomainView, SessionConfig, VcpuView, VmcsFieldView } from './session.ts';
import type { VmcsHistory } from './vmcs-history.ts';

/** The machine, and what was observed of it. */
export interface ViewedParts {
  readonly config: SessionConfig;
  readonly machine: PhysicalMachine;
  /** Undefined: the bare machine. */
  readonly hypervisor: Hypervisor | undefined;
  /** The first is the session's own. */
  readonly guests: readonly Guest[];
  readonly recorder: Recorder;
  readonly vmcsHistory: VmcsHistory;
  readonly instructions: () => number;
}

export class SessionViews {
  private readonly hash: StateHash;
  private readonly main: Guest;

  constructor(private readonly parts: ViewedParts) {
    this.hash = new StateHash(parts.machine.memory.memory);
    this.main = parts.guests[0]!;
  }

  domains(): readonly DomainView[] {
    return this.parts.guests.map((guest) => {
      const { domain, stop, view } = guest;
      return {
        id: domain?.id ?? 0,
        name: guest.name,
        memoryBytes: guest.config.memoryBytes,
        ...(stop === undefined ? {} : { stop }),
        ...(domain === undefined ? {} : { weight: this.parts.hypervisor!.dispatcher.weightOf(domain) }),
        vcpus: [
          {
            id: 0,
            mode: describeMode(view),
            runState: this.runState(guest),
            registers: view,
            ...(domain === undefined ? {} : { spent: this.spent(domain) }),
          },
        ],
      };
    });
  }
  private runState({ domain, stop }: Guest): VcpuView['runState'] {
    if (stop !== undefined) return 'shutdown';
    const blocked =
      domain === undefined ? this.parts.machine.state.get(StateLayout.activity) === 1 : domain.vcpu.blocked;
    if (blocked) return 'blocked';
    return domain === undefined || domain.vcpu.states.state === RunState.RUNNING ? 'running' : 'runnable';
  }
  private spent({ vcpu: { states } }: Domain): NonNullable<VcpuView['spent']> {
    const { now } = this.parts.machine.clock;
    const cycles = (state: number): number => states.cycles(state, now);
    return {
      running: cycles(RunState.RUNNING),
      runnable: cycles(RunState.RUNNABLE),
      blocked: cycles(RunState.BLOCKED),
    };
  }

  vmcs(guest: Guest): readonly VmcsFieldView[] {
    const { vmcsHistory } = this.parts;
    const { vmxUnit } = this.parts.machine;
    if (vmxUnit.currentPointer < 0) return [];
    vmcsHistory.look();
    return guest.examine(() => vmcsView(vmxUnit, (encoding, wide) => vmcsHistory.changed(encoding, wide)));
  }

  counters(): Counters {
    const { recorder, machine, hypervisor, instructions } = this.parts;
    const { domain } = this.main;
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

  lookup(symbol: string): number | undefined {
    return this.main.names.lookup(symbol);
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
    const { guests, machine, instructions } = this.parts;
    const digests = guests.map((guest) => guest.examine(() => this.hashOf(guest, [instructions(), machine.clock.now])));
    return digests.length === 1 ? digests[0]! : hashOfHashes(this.hash, digests);
  }
  private hashOf({ domain, platform, video, view }: Guest, time: readonly [number, number]): string {
    const { machine } = this.parts;
    return hashGuest(this.hash, {
      machine,
      mfnOf: domain?.p2m.mfnOf,
      registers: view,
      msrs: domain?.vcpu.msrs.words ?? [],
      pdptes: domain?.vcpu.shadow.mode.pdptes ?? machine.cpu.mmu.saveState(),
      devices: [platform.saveState(), video.saveState()],
      time,
    });
  }
}
