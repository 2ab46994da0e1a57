// The string instructions as descriptions, for 32-bit addresses in flat segments. A repeated one takes as many iterations as a function of
// string-functions.ts can and the budget lets retire; what is left of it is its helper's (cpu/strings.ts), and so is a single one that does not go
// directly. Not the rows (string-rows.ts). SDM vol. 2, MOVS, CMPS, STOS, LODS, SCAS, REP/REPE/REPNE.

import { EAX, ECX, EDI, ESI, Flag, StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';
import { FIRST, SECOND } from './string-functions.ts';

const DIRECTION = Math.log2(Flag.DF);
const REPNE = 0xf2;
const REPE = 0xf3;

const bytesOf = (e: Emitter): 1 | 2 | 4 => (e.size / 8) as 1 | 2 | 4;
const shiftOf = (e: Emitter): number => e.size >> 4;

const peek = (e: Emitter, host: Local): Local => {
  const bytes = bytesOf(e);
  return e.let(bytes === 1 ? e.peek8(host) : bytes === 2 ? e.peek16(host) : e.peek32(host));
};
const poke = (e: Emitter, host: Local, value: Local): void => {
  const bytes = bytesOf(e);
  if (bytes === 1) e.poke8(host, value);
  else if (bytes === 2) e.poke16(host, value);
  else e.poke32(host, value);
};
/** What one iteration adds to ESI and EDI. */
const stepOf = (e: Emitter): Local => {
  const down = e.let(e.and(e.shrU(e.state(StateLayout.eflagsRest), e.const(DIRECTION)), e.const(1)));
  return e.let(e.sub(e.const(bytesOf(e)), e.shl(e.get(down), e.const(shiftOf(e) + 1))));
};
const advance = (e: Emitter, register: number, by: Local): void =>
  e.setReg(register, 32, e.let(e.add(e.reg(register, 32), e.get(by))));
const compareFlags = (e: Emitter, a: Local, b: Local): void =>
  e.flagsSub(a, b, e.let(e.truncate(e.sub(e.get(a), e.get(b)), e.size)));

// ---- single -------------------------------------------------------------------------------------------------------------

/** Linear-memory addresses of the elements at ESI and EDI; the guard is checked. */
const elements = (e: Emitter, ...places: readonly (readonly [register: number, write: boolean])[]): Local[] => {
  const hosts = places.map(([register, write]) => e.let(e.cachedHost(e.let(e.reg(register, 32)), bytesOf(e), write)));
  e.orHelper(hosts.map((host) => e.ne(e.get(host), e.const(0))).reduce((a, b) => e.and(a, b)));
  return hosts;
};

const moveOne: Semantics = (e) => {
  const [from, to] = elements(e, [ESI, false], [EDI, true]);
  poke(e, to!, peek(e, from!));
  const by = stepOf(e);
  advance(e, ESI, by);
  advance(e, EDI, by);
};
const storeOne: Semantics = (e) => {
  const [to] = elements(e, [EDI, true]);
  poke(e, to!, e.let(e.reg(EAX, 32)));
  advance(e, EDI, stepOf(e));
};
const loadOne: Semantics = (e) => {
  const [from] = elements(e, [ESI, false]);
  e.setReg(EAX, e.size, peek(e, from!));
  advance(e, ESI, stepOf(e));
};
const compareOne: Semantics = (e) => {
  const [b, a] = elements(e, [EDI, false], [ESI, false]);
  compareFlags(e, peek(e, a!), peek(e, b!));
  const by = stepOf(e);
  advance(e, ESI, by);
  advance(e, EDI, by);
};
const scanOne: Semantics = (e) => {
  const [b] = elements(e, [EDI, false]);
  compareFlags(e, e.let(e.reg(EAX, e.size)), peek(e, b!));
  advance(e, EDI, stepOf(e));
};

// ---- repeated -----------------------------------------------------------------------------------------------------------

/**
 * Iterations that the budget lets be done here; the last one is the instruction itself. None where single instructions are asked for, and where RF is
 * set for the instruction: the flag stays until all are done.
 */
const allowedOf = (e: Emitter): Local => {
  const resumed = e.let(e.eq(e.state(StateLayout.resumed), e.budget()));
  const spare = e.let(e.select(e.const(-1), e.spare(), e.get(resumed)));
  return e.let(e.select(e.const(0), e.add(e.get(spare), e.const(1)), e.ltS(e.get(spare), e.const(0))));
};

/**
 * `iterate`: the call of the function for so many iterations. `moves`: the registers that go on. `settle`: for what has been done; it leaves whether
 * the condition ends the instruction.
 */
const repeated =
  (
    iterate: (e: Emitter, most: Local) => Val,
    moves: readonly number[],
    settle?: (e: Emitter, done: Local) => Local,
  ): Semantics =>
  (e) => {
    const count = e.let(e.reg(ECX, 32));
    const allowed = allowedOf(e);
    const most = e.let(e.select(e.get(count), e.get(allowed), e.ltU(e.get(count), e.get(allowed))));
    const done = e.let(iterate(e, most));
    const step = stepOf(e);
    const by = e.let(e.mul(e.get(done), e.get(step)));
    for (const register of moves) advance(e, register, by);
    const left = e.let(e.sub(e.get(count), e.get(done)));
    e.setReg(ECX, 32, left);
    const ended = settle?.(e, done);
    const complete = e.let(e.and(e.eqz(e.get(left)), e.ne(e.get(allowed), e.const(0))));
    if (ended !== undefined) e.set(complete, e.or(e.get(complete), e.get(ended)));
    // Where it is complete the last iteration retires with the instruction.
    const last = e.let(e.and(e.get(complete), e.ne(e.get(done), e.const(0))));
    e.spend(e.sub(e.get(done), e.get(last)));
    e.orHelper(e.get(complete));
  };

const shift = (e: Emitter): Val => e.const(shiftOf(e));
const moveAll = repeated(
  (e, most) => e.call('stringMove', e.reg(ESI, 32), e.reg(EDI, 32), e.get(most), shift(e)),
  [ESI, EDI],
);
const storeAll = repeated(
  (e, most) => e.call('stringStore', e.reg(EDI, 32), e.get(most), shift(e), e.reg(EAX, 32)),
  [EDI],
);
const loadAll = repeated(
  (e, most) => e.call('stringLoad', e.reg(ESI, 32), e.get(most), shift(e)),
  [ESI],
  (e, done) => {
    e.if(e.get(done), () => e.setReg(EAX, e.size, e.let(e.state(FIRST))));
    return e.let(e.const(0));
  },
);

/** The flags are those of the last iteration. */
const compared = (e: Emitter, done: Local): Local => {
  const ended = e.let(e.const(0));
  e.if(e.get(done), () => {
    const a = e.let(e.state(FIRST));
    const b = e.let(e.state(SECOND));
    compareFlags(e, a, b);
    const equal = e.eq(e.get(a), e.get(b));
    e.set(ended, e.repeat === REPNE ? equal : e.eqz(equal));
  });
  return ended;
};
const untilEqual = (e: Emitter): Val => e.const(e.repeat === REPE ? 0 : 1);
const compareAll = repeated(
  (e, most) => e.call('stringCompare', e.reg(ESI, 32), e.reg(EDI, 32), e.get(most), shift(e), untilEqual(e)),
  [ESI, EDI],
  compared,
);
const scanAll = repeated(
  (e, most) => e.call('stringScan', e.reg(EDI, 32), e.get(most), shift(e), untilEqual(e), e.reg(EAX, 32)),
  [EDI],
  compared,
);

const byPrefix =
  (one: Semantics, all: Semantics): Semantics =>
  (e) => {
    if (e.repeat === 0) one(e);
    else all(e);
  };
export const movs = byPrefix(moveOne, moveAll);
export const stos = byPrefix(storeOne, storeAll);
export const lods = byPrefix(loadOne, loadAll);
export const cmps = byPrefix(compareOne, compareAll);
export const scas = byPrefix(scanOne, scanAll);
