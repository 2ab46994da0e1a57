// I/O breakpoints of a guest whose ports are virtual: the instruction that exited never reached the processor's own comparison.
// Not the breakpoints on instructions and data, which the processor meets itself. SDM vol. 3, 17.2.4 and 24.4.2 (pending debug exceptions).

import { Cr4 } from '../../machine/cpu/state.ts';
import { Field } from '../../machine/vmx/fields.ts';
import type { Vcpu } from '../vcpu.ts';

/** R/W = 10b of DR7; LEN to bytes. */
const IO = 2;
const LENGTHS = [1, 2, 8, 4] as const;
/** Bit 12 of the pending debug exceptions: at least one breakpoint that was met is enabled. */
const ENABLED_BREAKPOINT = 1 << 12;

/** B0 to B3 of the guest's I/O breakpoints that an access to a port touches. */
export const ioBreakpointsMet = (vcpu: Vcpu, port: number, size: number): number => {
  if ((vcpu.cr4 & Cr4.DE) === 0) return 0;
  const dr7 = vcpu.vmx.vmread(Field.GUEST_DR7);
  let met = 0;
  for (let i = 0; i < 4; i++) {
    if ((dr7 & (3 << (i * 2))) === 0 || ((dr7 >>> (16 + i * 4)) & 3) !== IO) continue;
    const length = LENGTHS[(dr7 >>> (18 + i * 4)) & 3]!;
    const first = vcpu.machine.state.dr(i) & -length;
    if (port < first + length && first < port + size) met |= 1 << i;
  }
  return met;
};

/** Has the guest's next entry deliver a #DB for them; after the instruction was completed. */
export const reportBreakpoints = (vcpu: Vcpu, met: number): void => {
  if (met === 0) return;
  const pending = vcpu.vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS);
  vcpu.vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, pending | met | ENABLED_BREAKPOINT);
};
