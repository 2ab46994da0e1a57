// One guest as a debugger has it: keeps the contract of a DebugGuest (debugger/target.ts) over memory and registers, and notes what the debugger
// changes, so that it can be done again where the past is run again. Not how guests run (debug-target.ts) and not the registers' table
// (debugger/registers.ts).

import { registerNamed } from '../debugger/registers.ts';
import type { DebugGuest, DebugVcpu, Position } from '../debugger/target.ts';
import { RunState } from '../hypervisor/observer.ts';
import type { Guest } from './guest.ts';

/** What the debugger changes. */
export type Change = { readonly domain?: number } & (
  | { readonly kind: 'linear' | 'physical'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'register'; readonly name: string; readonly value: number | Uint8Array }
);

/** What the guests of a machine have in common. */
export interface DebuggedParts {
  /** There is no other guest: what is told of it needs no number. */
  readonly alone: boolean;
  readonly position: () => Position;
  /** Cycles since the machine's start. */
  readonly now: () => number;
  /** Counts changes, and what else changes a guest without running it. */
  readonly changes: () => number;
  /** The debugger changes a guest: what was recorded behind this moment is not its future any more. */
  readonly changed: (change: Change) => void;
}

class Vcpu implements DebugVcpu {
  constructor(
    private readonly prefix: string,
    private readonly guest: Pick<Guest, 'registers' | 'examine'>,
    private readonly changed: (change: Change) => void,
  ) {}

  get name(): string {
    return `${this.prefix} ring ${(this.read('ss_access') >>> 5) & 3}`;
  }
  read(name: string): number {
    const register = registerNamed(name);
    const { guest } = this;
    return register === undefined ? 0 : guest.examine(() => guest.registers.read(register));
  }
  write(name: string, value: number): boolean {
    const register = registerNamed(name);
    const { guest } = this;
    if (register === undefined || !guest.examine(() => guest.registers.write(register, value))) return false;
    this.changed({ kind: 'register', name, value });
    return true;
  }
  readWide(name: string): Uint8Array {
    const register = registerNamed(name);
    const { guest } = this;
    return (register && guest.examine(() => guest.registers.readWide(register))) ?? new Uint8Array(0);
  }
  writeWide(name: string, value: Uint8Array): boolean {
    const register = registerNamed(name);
    const { guest } = this;
    if (register === undefined || !guest.examine(() => guest.registers.writeWide(register, value))) return false;
    this.changed({ kind: 'register', name, value: value.slice() });
    return true;
  }
}

export class DebuggedGuest implements DebugGuest {
  readonly domain: number | undefined;
  readonly vcpu: DebugVcpu;
  private readonly changed: (change: Change) => void;

  constructor(
    private readonly guest: Guest,
    private readonly parts: DebuggedParts,
  ) {
    const { id, domain } = guest;
    this.domain = parts.alone ? undefined : id;
    const whose = parts.alone ? {} : { domain: id };
    this.changed = (change) => parts.changed({ ...change, ...whose });
    this.vcpu = new Vcpu(domain === undefined ? 'v0' : `d${id}v0`, guest, this.changed);
  }

  get position(): Position {
    return this.parts.position();
  }
  get changes(): number {
    return this.parts.changes();
  }
  get ran(): number {
    const { domain } = this.guest;
    const now = this.parts.now();
    return domain === undefined ? now : domain.vcpu.states.cycles(RunState.RUNNING, now);
  }

  readMemory(linear: number, into: Uint8Array): number {
    return this.guest.memory.readLinear(linear, into);
  }
  writeMemory(linear: number, bytes: Uint8Array): number {
    this.changed({ kind: 'linear', address: linear, bytes: bytes.slice() });
    return this.guest.memory.writeLinear(linear, bytes);
  }
  translate(linear: number): number | undefined {
    return this.guest.memory.translate(linear);
  }
  readPhysical(physical: number, into: Uint8Array): number {
    return this.guest.memory.readPhysical(physical, into);
  }
  writePhysical(physical: number, bytes: Uint8Array): number {
    this.changed({ kind: 'physical', address: physical, bytes: bytes.slice() });
    return this.guest.memory.writePhysical(physical, bytes);
  }

  /** Does again what was done at this moment. */
  repeat(change: Change): void {
    const { memory, registers } = this.guest;
    switch (change.kind) {
      case 'linear':
        memory.writeLinear(change.address, change.bytes);
        return;
      case 'physical':
        memory.writePhysical(change.address, change.bytes);
        return;
      case 'register': {
        const register = registerNamed(change.name)!;
        const { value } = change;
        if (typeof value === 'number') this.guest.examine(() => registers.write(register, value));
        else this.guest.examine(() => registers.writeWide(register, value));
      }
    }
  }
}
