// Snapshots of a session: what the layers save of themselves (machine/snapshot.ts), joined and put back in the right order. Not when they are
// taken, and not the way from one to a moment behind it (debugger/history.ts).

import type { Hypervisor, HypervisorSaved } from '../hypervisor/hypervisor.ts';
import { PageVersions } from '../machine/page-versions.ts';
import type { Persistent } from '../machine/snapshot.ts';
import type { Recorder, RecorderSaved } from '../monitor/recorder.ts';
import { heldBytes } from './held-bytes.ts';
import type { Guest } from './guest.ts';
import type { PhysicalMachine, PhysicalMachineSaved } from './physical-machine.ts';

export interface SnapshotParts {
  readonly machine: PhysicalMachine;
  readonly guests: readonly Pick<Guest, 'platform' | 'video'>[];
  readonly hypervisor: Hypervisor | undefined;
  readonly recorder: Recorder;
  /** What the session itself keeps; in the order in which it is put back. */
  readonly others: readonly Persistent<unknown>[];
}

/** All that is not in pages. */
export interface SessionSaved {
  readonly machine: PhysicalMachineSaved;
  /** Of each guest's PC. */
  readonly platforms: readonly { readonly clock: readonly number[]; readonly devices: readonly number[] }[];
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
    const { machine, guests, hypervisor, recorder } = parts;
    const ram = machine.ram((visit) => hypervisor?.takeWritten(visit));
    this.ramPages = Math.ceil(ram.bytes.length / 4096);
    // Without a hypervisor the video memory is part of RAM.
    const virtual =
      hypervisor === undefined ? [] : [...guests.map(({ video }) => video.array), ...hypervisor.stateArrays];
    this.pages = new PageVersions([ram, ...virtual, ...recorder.stateArrays]);
  }

  /** Bytes of host memory that all snapshots take: their pages, and what each has besides. */
  get bytes(): number {
    return this.pages.bytes + this.small;
  }

  /** The present state as a snapshot. `order`: its place among the others, ascending with time. */
  take(order: number): SessionSaved {
    const { machine, guests, hypervisor, recorder, others } = this.parts;
    this.pages.capture(order);
    const saved: SessionSaved = {
      machine: machine.saveState(),
      platforms: guests.map(({ platform }) => ({ clock: platform.clock.saveState(), devices: platform.saveState() })),
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
    const { machine, guests, hypervisor, recorder, others } = this.parts;
    this.pages.restore(order, (page, bytes) => {
      if (page < this.ramPages) machine.replacing(page, bytes);
    });
    // Devices arm their timers as they load, at the present time; then the deadlines are put back exactly.
    for (const [i, { clock, devices }] of saved.platforms.entries()) {
      const { platform } = guests[i]!;
      platform.clock.loadState(clock);
      platform.loadState(devices);
      platform.clock.loadState(clock);
    }
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
