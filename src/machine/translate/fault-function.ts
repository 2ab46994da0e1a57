// Faults of regions' instructions, delivered without leaving WebAssembly where that is all there is to do: the gate is an ordinary one
// (isa/gate-functions.ts), and no debugger, hypervisor or run loop wants to know (StateLayout.plainFaults). It does what HelperCalls.atSite does
// (cpu/helper-calls.ts), to which all else is left before anything has changed. SDM vol. 3, 6.12.

import { Vector } from '../cpu/cpu.ts';
import { PLAIN_FAULTS } from '../cpu/exceptions.ts';
import { ESP, Flag, Resumed, StateLayout } from '../cpu/state.ts';
import { flagsImage } from '../isa/flags-image.ts';
import { FunctionBody } from '../isa/function-body.ts';
import { MomentCountWord } from '../moment-count.ts';
import { MOST_TIMELESS } from '../timeless-events.ts';
import { Code, I32, I64, type Local } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { CANONICAL, DYNAMIC } from './region/flag-kinds.ts';
import { KIND_SHIFT, SITE_RECORD, SiteRecord } from './region/site-records.ts';

/** Functions that it calls, by index. */
interface Callees {
  /** (kind, result, a, b, cf) -> auxiliary flag word. */
  readonly auxiliary: number;
  readonly enterGate: number;
  /** TypeScript's, for all that is not covered. */
  readonly atSite: number;
}

/** The event falls on a moment (MomentCount.add). */
const count = (e: FunctionBody, at: number, moment: Local, zero: Local): void => {
  const same = e.let(e.eq64(e.peek64(zero, at + MomentCountWord.moment), e.get(moment)));
  const before = e.let(e.select(e.peek32(zero, at + MomentCountWord.count), e.const(0), e.get(same)));
  e.store64(at + MomentCountWord.moment, moment);
  e.store32(at + MomentCountWord.count, e.let(e.add(e.get(before), e.const(1))));
};

const deliver = ({ auxiliary, enterGate }: Callees): Code => {
  const e = new FunctionBody([]);
  const { code } = e;
  const zero = e.let(e.const(0));
  e.refuseUnless(e.state(StateLayout.plainFaults));
  const vector = e.let(e.sub(e.state(StateLayout.faultVector), e.const(1)));
  e.refuseIf(e.gtU(e.get(vector), e.const(31)));
  e.refuseUnless(e.and(e.shrU(e.const(PLAIN_FAULTS), e.get(vector)), e.const(1)));

  const record = e.let(
    e.add(e.state(StateLayout.exitSites), e.mul(e.state(StateLayout.exitSite), e.const(SITE_RECORD))),
  );
  const done = e.let(e.peek32(record, SiteRecord.done));
  const budget = e.let(e.sub(e.state(StateLayout.exitBudget), e.and(e.get(done), e.const((1 << KIND_SHIFT) - 1))));
  const moment = (base: number): Local => e.let(e.sub64(e.peek64(zero, base), e.extendS64(e.get(budget))), I64);
  const now = moment(StateLayout.timeBase);
  const crowded = e.geU(e.state(StateLayout.timeless + MomentCountWord.count), e.const(MOST_TIMELESS));
  e.refuseIf(e.and(crowded, e.eq64(e.peek64(zero, StateLayout.timeless + MomentCountWord.moment), e.get(now))));

  const kind = e.let(e.shrS(e.get(done), e.const(KIND_SHIFT)));
  e.if(e.eq(e.get(kind), e.const(DYNAMIC)), () => e.set(kind, e.state(StateLayout.exitFlagKind)));
  const result = e.let(e.state(StateLayout.lazyResult));
  const aux = e.let(e.state(StateLayout.lazyAux));
  e.if(e.ne(e.get(kind), e.const(CANONICAL)), () => {
    for (const argument of [kind, result, aux]) e.get(argument);
    e.state(StateLayout.exitFlagOperand);
    e.state(StateLayout.exitFlagCarry);
    code.call(auxiliary);
    code.localSet(aux);
  });
  const flags = e.let(e.or(e.or(e.state(StateLayout.eflagsRest), e.const(Flag.RF)), flagsImage(e, result, aux)));
  // An exception, not an instruction's: no DPL is asked for.
  e.get(vector);
  e.const(0);
  e.state(StateLayout.faultHasError);
  e.state(StateLayout.faultError);
  e.peek32(record, SiteRecord.eip);
  e.get(flags);
  e.state(StateLayout.gpr + ESP * 8);
  code.call(enterGate);
  const entered = e.temporary(I32);
  code.localSet(entered);
  e.refuseUnless(e.get(entered));

  e.if(e.eq(e.get(vector), e.const(Vector.PF)), () =>
    e.store32(StateLayout.cr2, e.let(e.state(StateLayout.faultAddress))),
  );
  e.store32(StateLayout.lazyAux, aux);
  e.store32(StateLayout.faultVector, zero);
  e.store32(StateLayout.exitBudget, budget);
  e.store32(StateLayout.resumed, e.let(e.const(Resumed.byNothing)));
  count(e, StateLayout.timeless, now, zero);
  count(e, StateLayout.delivered, moment(StateLayout.retiredBase), zero);
  e.accept();
  code.op(0x00);
  return code;
};

/** () -> 1 if control goes on at EIP, with the budget and the TLB context that are in the state. */
export const atSiteFunction = (builder: ModuleBuilder, callees: Callees): number => {
  const type = builder.type([], [I32]);
  const delivers = builder.function(type, deliver(callees));
  const c = new Code(0);
  c.call(delivers);
  c.if();
  c.i32(1);
  c.return();
  c.end();
  c.returnCall(callees.atSite);
  return builder.function(type, c);
};
