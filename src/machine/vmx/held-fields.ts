// What the guest-state fields were when a VM entry's checks on them held: an entry that finds them so again need not check them. Not the
// checks (checks/guest.ts), and not those on segments and PDPTEs, which are known otherwise or depend on memory. SDM vol. 3, 26.3.1.

import { Flag } from '../cpu/state.ts';
import type { EntryContext } from './checks/check.ts';
import { Field } from './fields.ts';
import { wordInRegion } from './vmcs.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** Bits of RFLAGS that a check reads: the reserved ones, IF and TF. */
const CHECKED_RFLAGS = 0xffc0_802a | Flag.IF | Flag.TF;

/** The fields that GUEST_REGISTERS and GUEST_REST read, but for RFLAGS, by their words in the region. */
const READ = Uint16Array.from(
  [
    Field.PIN_BASED_VM_EXEC_CONTROL,
    Field.VM_ENTRY_CONTROLS,
    Field.GUEST_CR0,
    Field.GUEST_CR4,
    Field.GUEST_IA32_DEBUGCTL,
    Field.GUEST_IA32_DEBUGCTL + 1,
    Field.GUEST_IA32_PAT,
    Field.GUEST_IA32_PAT + 1,
    Field.GUEST_GDTR_LIMIT,
    Field.GUEST_IDTR_LIMIT,
    Field.GUEST_ACTIVITY_STATE,
    Field.GUEST_SS_AR_BYTES,
    Field.GUEST_INTERRUPTIBILITY_INFO,
    Field.GUEST_PENDING_DBG_EXCEPTIONS,
    Field.VMCS_LINK_POINTER,
    Field.VMCS_LINK_POINTER + 1,
  ],
  wordInRegion,
);

export class HeldFields {
  private known = false;
  private injected = WIDE_ZERO;
  private rflags = 0;
  private readonly values = new Uint32Array(READ.length);

  /** The checks hold, as they did with the same values. */
  unchanged(c: EntryContext): boolean {
    const { vmcs } = c;
    if (!this.known || ((vmcs.read(Field.GUEST_RFLAGS) ^ this.rflags) & CHECKED_RFLAGS) !== 0) return false;
    if (vmcs.read(Field.VM_ENTRY_INTR_INFO) !== this.injected) return false;
    const { u32, base } = vmcs;
    const { values } = this;
    for (let i = 0; i < READ.length; i++) if (u32[base + READ[i]!] !== values[i]) return false;
    return true;
  }

  /** They have just been made, and hold. A VMCS that the link pointer names is in memory: it is looked at each time. */
  note(c: EntryContext): void {
    const { vmcs } = c;
    this.known =
      vmcs.read(Field.VMCS_LINK_POINTER) === 0xffff_ffff && vmcs.read(Field.VMCS_LINK_POINTER + 1) === 0xffff_ffff;
    this.injected = vmcs.read(Field.VM_ENTRY_INTR_INFO);
    this.rflags = vmcs.read(Field.GUEST_RFLAGS);
    for (let i = 0; i < READ.length; i++) this.values[i] = vmcs.u32[vmcs.base + READ[i]!]!;
  }
}
