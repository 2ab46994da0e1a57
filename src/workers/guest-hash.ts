// The digest of everything the guest can see: RAM, registers, FPU and MSRs, devices, time. Nothing of the monitor and nothing of the
// hypervisor's costs. Not the mixing (machine/state-hash.ts).

import { StateLayout } from '../machine/cpu/state.ts';
import type { StateHash } from '../machine/state-hash.ts';
import { cplOf } from './guest-view.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import type { RegistersView } from './session.ts';

/** Runs of consecutive machine frames, in the order of the guest's frames. */
const ramRuns = (mfnOf: Int32Array): [number, number][] => {
  const runs: [number, number][] = [];
  for (const mfn of mfnOf) {
    if (mfn < 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && last[1] === mfn) last[1]++;
    else runs.push([mfn, mfn + 1]);
  }
  return runs;
};

export interface HashedGuest {
  readonly machine: PhysicalMachine;
  /** The domain's frames; undefined: the bare machine's whole RAM. */
  readonly mfnOf: Int32Array | undefined;
  readonly registers: RegistersView;
  /** MSRs that the hypervisor keeps for the domain; the processor's own are part of its state. */
  readonly msrs: ArrayLike<number>;
  /** PDPTE registers, meaningful under PAE. */
  readonly pdptes: ArrayLike<number>;
  /** Saved states of all devices in a fixed order. */
  readonly devices: readonly (readonly number[])[];
  /** Retired instructions and the guest's clock in cycles. */
  readonly time: readonly [instructions: number, cycles: number];
}

/** One digest of several, in their order. */
export const hashOfHashes = (hash: StateHash, digests: readonly string[]): string => {
  hash.begin();
  for (const digest of digests) hash.add(digest.match(/.{8}/g)!.map((word) => parseInt(word, 16)));
  return hash.digest();
};

export const hashGuest = (hash: StateHash, guest: HashedGuest): string => {
  const { memory, state: s } = guest.machine;
  const r = guest.registers;
  hash.begin();
  if (guest.mfnOf === undefined) hash.memoryRange(memory.ramBase, memory.ramBase + memory.bytes);
  else
    for (const [first, end] of ramRuns(guest.mfnOf))
      hash.memoryRange(memory.ramBase + first * 4096, memory.ramBase + end * 4096);
  hash.add(Object.values(r.general));
  hash.add([r.eip, r.eflags, r.cr0, r.cr2, r.cr3, r.cr4, cplOf(r)]);
  hash.add([r.gdtr.base, r.gdtr.limit, r.idtr.base, r.idtr.limit]);
  for (const segment of r.segments) hash.add([segment.selector, segment.base, segment.limit, segment.access]);
  hash.add(guest.pdptes);
  hash.add(guest.msrs);
  hash.add(s.u32.subarray(StateLayout.fpuRegisters >> 2, StateLayout.end >> 2));
  for (let i = 0; i < 8; i++) hash.add([s.dr(i)]);
  for (const device of guest.devices) hash.add(device);
  hash.add(guest.time);
  return hash.digest();
};
