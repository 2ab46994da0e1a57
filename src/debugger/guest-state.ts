// The few registers that every part of the debugger looks at, of one virtual processor. Names are those of registers.ts.

import type { DebugVcpu } from './target.ts';

/** Linear address of the next instruction. */
export const pcOf = (vcpu: DebugVcpu): number => (vcpu.read('cs_base') + vcpu.read('eip')) >>> 0;
/** CS.D: whether code is decoded as 32-bit code. */
export const code32Of = (vcpu: DebugVcpu): boolean => (vcpu.read('cs_access') & 0x4000) !== 0;
