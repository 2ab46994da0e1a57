// What a VM exit leaves of the guest in the processor, kept while another vCPU has it: general registers, CR2, DR0 to DR3, DR6, x87 and SSE.
// All else is in the VMCS. SDM vol. 3, 24.4 and 27.3; Xen: vmx_ctxt_switch_from and vmx_ctxt_switch_to (without the lazy FPU).

import { type CpuState, StateLayout } from '../machine/cpu/state.ts';
import type { Persistent } from '../machine/snapshot.ts';

/** Bytes from where to where. DR7 is the VMCS's. */
const RANGES: readonly (readonly [from: number, to: number])[] = [
  [StateLayout.gpr, StateLayout.gpr + 8 * 8],
  [StateLayout.cr2, StateLayout.cr2 + 4],
  [StateLayout.dr, StateLayout.dr + 7 * 8],
  [StateLayout.fpuRegisters, StateLayout.mxcsr + 4],
];
const WORDS = RANGES.reduce((sum, [from, to]) => sum + (to - from) / 4, 0);

export class GuestContext implements Persistent<Uint32Array> {
  readonly words = new Uint32Array(WORDS);

  save(state: CpuState): void {
    let at = 0;
    for (const [from, to] of RANGES)
      for (let address = from; address < to; address += 4) this.words[at++] = state.get(address);
  }
  load(state: CpuState): void {
    let at = 0;
    for (const [from, to] of RANGES)
      for (let address = from; address < to; address += 4) state.set(address, this.words[at++]!);
  }

  saveState(): Uint32Array {
    return this.words.slice();
  }
  loadState(words: Uint32Array): void {
    this.words.set(words);
  }
}
