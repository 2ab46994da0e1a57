// Snapshots of a session: what the layers save of themselves (machine/snapshot.ts), joined and put back in the right order. Not when they are
// taken, and not the way from one to a moment behind it (debugger/history.ts).

import type { Hypervisor, HypervisorSaved } from '../hypervisor/hypervisor.ts';
import type { PcPlatform } from '../machine/devices/platform.ts';
import type { VideoMemory } from '../machine/devices/video-memory.ts';
import { PageVersions } from '../machine/page-versions.ts';
import type { Persistent } from '../machine/snapshot.ts';
import type { Recorder, RecorderSaved } from '../monitor/recorder.ts';
import { heldBytes } from './held-bytes.ts';
import type { PhysicalMachine, PhysicalMachineSaved } from './physical-machine.ts';

export interface SnapshotParts {
  readonly machine: PhysicalMachine;
  readonly platform: PcPlatform;
  readonly video: VideoMemory;
  readonly hypervisor: Hypervisor | undefined;
  readonly recorder: Recorder;
  /** What the session itself keeps; in the order in which it is put back. */
  readonly others: readonly Persistent<unknown>[];
}

/** All that is not in pages. */
export interface SessionSaved {
  readonly machine: PhysicalMachineSaved;
  readonly platformClock: readonly number[];
  readonly platform: readonly number[];
  readonly hypervisor: HypervisorSaved | undefined;
  readonly recorder: RecorderSaved;
  readonly others: readonly unknown[];
}

export class Snapshots {
  private readonly pages: PageVersions;
  private readonly ramPages: number;
  /** Bytes of what is not in pages, by the snapshot's order. */
  private readonly sizes = new Map<number, number>();
  private small = 0;

  constructor(private readonly parts: SnapshotParts) {
    const { machine, video, hypervisor, recorder } = parts;
    const ram = machine.ram((visit) => hypervisor?.takeWritten(visit));
    this.ramPages = Math.ceil(ram.bytes.length / 4096);
    // Without a hypervisor the video memory is part of RAM.
    const virtual = hypervisor === undefined ? [] : [video.array, ...hypervisor.stateArrays];
    this.pages = new PageVersions([ram, ...virtual, ...recorder.stateArrays]);
  }

  /** Bytes of host memory that all snapshots take: their pages, and what each has besides. */
  get bytes(): number {
    return this.pages.bytes + this.small;
  }

  /** The present state as a snapshot. `order`: its place among the others, ascending with time. */
  take(order: number): SessionSaved {
    const { machine, platform, hypervisor, recorder, others } = this.parts;
    this.pages.capture(order);
    const saved: SessionSaved = {
      machine: machine.saveState(),
      platformClock: platform.clock.saveState(),
      platform: platform.saveState(),
      hypervisor: hypervisor?.saveState(),
      recorder: recorder.saveState(),
      others: others.map((part) => part.saveState()),
    };
    const bytes = heldBytes(saved);
    this.sizes.set(order, bytes);
    this.small += bytes;
    return saved;
  }

  goTo(order: number, saved: SessionSaved): void {
    const { machine, platform, hypervisor, recorder, others } = this.parts;
    this.pages.restore(order, (page, bytes) => {
      if (page < this.ramPages) machine.replacing(page, bytes);
    });
    // Devices arm their timers as they load, at the present time; then the deadlines are put back exactly.
    platform.clock.loadState(saved.platformClock);
    platform.loadState(saved.platform);
    platform.clock.loadState(saved.platformClock);
    if (saved.hypervisor !== undefined) hypervisor?.loadState(saved.hypervisor);
    machine.loadState(saved.machine);
    recorder.loadState(saved.recorder);
    for (const [i, part] of others.entries()) part.loadState(saved.others[i]);
  }

  /** Not the one that the machine was last put to or that was last taken. */
  forget(order: number): void {
    this.pages.forget(order);
    this.small -= this.sizes.get(order) ?? 0;
    this.sizes.delete(order);
  }
}
