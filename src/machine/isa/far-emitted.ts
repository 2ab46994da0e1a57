// Far JMP, CALL and RET as descriptions: CS and the stack change in a function (far-functions.ts), then control goes on at the EIP that it has left. Cases
// that the function refuses are the helpers' (cpu/far-transfer.ts), and so are pointers in memory. Not the rows (system-rows.ts). SDM vol. 2.

import { ESP, StateLayout } from '../cpu/state.ts';
import type { Emitter, Val } from './emitter.ts';
import { only32 } from './gate-emitted.ts';
import type { Semantics } from './row.ts';

const goOn = (e: Emitter, passed: Val): void => {
  e.orHelper(passed);
  e.setReg(ESP, 32, e.let(e.state(StateLayout.gpr + ESP * 8)));
};

export const jmpFar: Semantics = only32((e) => e.orHelper(e.call('farJump', e.secondImmediate(), e.read(0))));
export const callFar: Semantics = only32((e) =>
  goOn(e, e.call('farCall', e.secondImmediate(), e.read(0), e.nextEip(), e.reg(ESP, 32))),
);
export const retFar: Semantics = only32((e) => goOn(e, e.call('farReturn', e.reg(ESP, 32), e.const(0))));
export const retFarPop: Semantics = only32((e) => {
  goOn(e, e.call('farReturn', e.reg(ESP, 32), e.and(e.read(0), e.const(0xffff))));
});
