// Words that are the same in the processor's state and in a VMCS region: an entry copies them one way, an exit the other, and neither changes them.
// Not which words these are (exit.ts, guest-segments.ts). SDM vol. 3, 26.3.2 and 27.3.

import { wordInRegion, type Vmcs } from './vmcs.ts';

export class SharedWords {
  private readonly state: Uint16Array;
  private readonly field: Uint16Array;

  /** Pairs of an address in the state (StateLayout) and a 32-bit field's encoding. */
  constructor(pairs: readonly (readonly [address: number, field: number])[]) {
    this.state = Uint16Array.from(pairs, ([address]) => address >> 2);
    this.field = Uint16Array.from(pairs, ([, field]) => wordInRegion(field));
  }
  /** Processor to VMCS. */
  save({ u32, base }: Vmcs): void {
    const { state, field } = this;
    for (let i = 0; i < field.length; i++) u32[base + field[i]!] = u32[state[i]!]!;
  }
  /** VMCS to processor. */
  load({ u32, base }: Vmcs): void {
    const { state, field } = this;
    for (let i = 0; i < field.length; i++) u32[state[i]!] = u32[base + field[i]!]!;
  }
}
