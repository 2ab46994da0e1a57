// What location expressions may look at, taken from a stopped frame: registers, memory, the function's frame base, and values that only the
// caller knows (DW_OP_entry_value, through DW_TAG_call_site: DWARF 5, 3.4).
import { fromBytes, type Location } from '../location-value.ts';
import type { Frame } from '../unwind/unwinder.ts';
import { DW_AT, DW_TAG } from './constants.ts';
import type { Die } from './die.ts';
import { evaluateLocation, evaluateNumber, type Machine } from './expression.ts';
import { expressionAt } from './location-lists.ts';
import { DW_OP } from './operations.ts';
import { Reader } from './reader.ts';
import type { Scope } from './scopes.ts';

export interface FrameWorld {
  readonly slide: number;
  /** The function that holds an address, where the program runs. */
  readonly functionAt: (address: number) => Scope | undefined;
  /** Bytes of a variable in the frame. */
  readonly variableBytes: (variable: Die, frame: Frame) => Uint8Array | undefined;
}

/** Callers through which one value may be sought. */
const MAX_CALLERS = 64;

/** @param chain callers asked so far, for the end of it */
export function machineOf(frame: Frame, world: FrameWorld, chain = 0): Machine {
  return {
    memory: frame.memory,
    register: (number) => frame.registers[number],
    ...(frame.registerBytes !== undefined && { registerBytes: frame.registerBytes }),
    cfa: () => frame.cfa,
    frameBase: () => frameBaseOf(frame, world, chain),
    entryValue: (expression) => (chain >= MAX_CALLERS ? undefined : entryValue(expression, frame, world, chain)),
    parameterValue: (parameter) => (chain >= MAX_CALLERS ? undefined : parameterValue(parameter, frame, world, chain)),
    variableValue: (variable) => {
      const bytes = chain >= MAX_CALLERS ? undefined : world.variableBytes(variable, frame);
      return bytes === undefined ? undefined : fromBytes(bytes);
    },
  };
}

function frameBaseOf(frame: Frame, world: FrameWorld, chain: number): number | undefined {
  const die = world.functionAt(frame.lookupPc)?.die;
  if (die === undefined) return undefined;
  const expression = expressionAt(die, DW_AT.frame_base, (frame.lookupPc - world.slide) >>> 0);
  if (expression === undefined || expression.length === 0) return undefined;
  // The expression must not ask for the frame base itself.
  const { frameBase: _, ...machine } = machineOf(frame, world, chain + 1);
  const location = evaluateLocation({ expression, unit: die.unit, machine, slide: world.slide });
  if (location.kind === 'register') return frame.registers[location.register];
  return location.kind === 'memory' ? location.address : undefined;
}

/** The call in the caller that led to the frame's function, with the caller. */
function callOf(frame: Frame, world: FrameWorld): { readonly site: Die; readonly caller: Frame } | undefined {
  const callee = world.functionAt(frame.lookupPc)?.die;
  const caller = frame.caller();
  if (callee === undefined || 'end' in caller) return undefined;
  const calling = world.functionAt(caller.lookupPc);
  const site = calling === undefined ? undefined : findSite(calling, (caller.pc - world.slide) >>> 0);
  if (site === undefined) return undefined;
  // A tail call in between would have left other values.
  const origin = site.reference(DW_AT.call_origin) ?? site.reference(DW_AT.abstract_origin);
  if (origin !== undefined) return origin.name === callee.name ? { site, caller } : undefined;
  const target = site.block(DW_AT.call_target);
  if (target === undefined) return undefined;
  const machine = machineOf(caller, world, MAX_CALLERS);
  const where = evaluateLocation({ expression: target, unit: site.unit, machine, slide: world.slide });
  const address = where.kind === 'register' ? caller.registers[where.register] : numberOf(where);
  const entry = callee.unit.entryOf(callee);
  return address !== undefined && entry !== undefined && (address - world.slide) >>> 0 === entry
    ? { site, caller }
    : undefined;
}

const numberOf = (location: Location): number | undefined => {
  if (location.kind === 'memory') return location.address;
  return location.kind === 'value' ? Number(BigInt.asUintN(32, fromBytes(location.bytes))) : undefined;
};

function findSite(scope: Scope, returnAddress: number): Die | undefined {
  for (const site of scope.callSites) {
    const address = site.address(DW_AT.call_return_pc) ?? site.address(DW_AT.low_pc);
    if (address === returnAddress) return site;
  }
  for (const child of scope.children) {
    const found = findSite(child, returnAddress);
    if (found !== undefined) return found;
  }
  return undefined;
}

const isArgument = ({ tag }: Die): boolean =>
  tag === DW_TAG.call_site_parameter || tag === DW_TAG.GNU_call_site_parameter;

function entryValue(expression: Uint8Array, frame: Frame, world: FrameWorld, chain: number): bigint | undefined {
  const wanted = registerIn(expression);
  const call = wanted === undefined ? undefined : callOf(frame, world);
  const argument = call?.site
    .children()
    .filter(isArgument)
    .find((child) => {
      const where = child.block(DW_AT.location);
      return where !== undefined && registerIn(where) === wanted;
    });
  return argument === undefined ? undefined : valueOf(argument, call!.caller, world, chain);
}

function parameterValue(parameter: Die, frame: Frame, world: FrameWorld, chain: number): bigint | undefined {
  const call = callOf(frame, world);
  const argument = call?.site
    .children()
    .filter(isArgument)
    .find((child) => child.reference(DW_AT.abstract_origin)?.offset === parameter.offset);
  return argument === undefined ? undefined : valueOf(argument, call!.caller, world, chain);
}

function valueOf(argument: Die, caller: Frame, world: FrameWorld, chain: number): bigint | undefined {
  const expression = argument.block(DW_AT.call_value) ?? argument.block(DW_AT.GNU_call_site_value);
  if (expression === undefined) return undefined;
  const machine = machineOf(caller, world, chain + 1);
  const value = evaluateNumber({ expression, unit: argument.unit, machine, slide: world.slide });
  return 'value' in value ? value.value : undefined;
}

/** The register that an expression of one operation names; undefined for all others. */
function registerIn(expression: Uint8Array): number | undefined {
  const reader = new Reader(expression);
  const op = reader.u8();
  if (op >= DW_OP.reg0 && op <= DW_OP.reg31 && !reader.more) return op - DW_OP.reg0;
  if (op === DW_OP.regx) return reader.uleb();
  // What was on the stack at the entry: DW_OP_breg0, 0.
  if (op >= DW_OP.breg0 && op <= DW_OP.breg31 && reader.sleb() === 0 && !reader.more) return op - DW_OP.breg0;
  return undefined;
}
