// IN and OUT as descriptions, for the ordinary case: allowed by CPL and IOPL or in real mode, outside VMX non-root operation, and with no breakpoint or
// stop point at a port. The access is a call of the bus; behind it the run loop may be wanted. All other cases are the helpers' (cpu/io.ts). Not the rows
// (system-rows.ts). SDM vol. 1, 18.5; vol. 2, IN, OUT.

import { Cr0, Flag, StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter } from './emitter.ts';
import type { Semantics } from './row.ts';

/** The port that operand k names, if it may be used without more ado. */
const portOf = (e: Emitter, k: number): Local => {
  const rest = e.let(e.state(StateLayout.eflagsRest));
  const privileged = e.geU(e.and(e.shrU(e.get(rest), e.const(12)), e.const(3)), e.state(StateLayout.cpl));
  const allowed = e.and(privileged, e.eqz(e.and(e.get(rest), e.const(Flag.VM))));
  const real = e.eqz(e.and(e.state(StateLayout.cr0), e.const(Cr0.PE)));
  e.orHelper(e.and(e.or(allowed, real), e.state(StateLayout.ports)));
  return e.let(e.and(e.read(k), e.const(e.operandSize(k) === 8 ? 0xff : 0xffff)));
};
const bytesOf = (e: Emitter, k: number): 1 | 2 | 4 => (e.operandSize(k) / 8) as 1 | 2 | 4;

export const inPort: Semantics = (e) => {
  const port = portOf(e, 1);
  e.write(0, e.let(e.portIn(port, bytesOf(e, 0))));
  e.lookUp();
};
export const outPort: Semantics = (e) => {
  const port = portOf(e, 0);
  e.portOut(port, bytesOf(e, 1), e.let(e.read(1)));
  e.lookUp();
};
