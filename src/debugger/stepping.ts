// Steps by line and by instruction, over, into and out of calls. A step plants landings where control can leave the line and runs
// there at full speed: interrupts on the way are served unseen, loops and calls cost what they cost the guest, and a landing
// in another frame of the same function (recursion) or on another stack (another task) is passed, because its CFA differs.
// Not steps back in time (reverse.ts).

import type { Scope } from '../symbols/dwarf/scopes.ts';
import type { Code, Instruction } from './code.ts';
import { at, type Execution, type Landing, type Outcome } from './execution.ts';
import type { Work } from './target.ts';
import type { Trail } from './trail.ts';

/** What stepping asks about the place where the guest stands and about places in the program. */
export interface StepContext {
  readonly execution: Execution;
  readonly code: Code;
  readonly trail: Trail;
  /** Linear address of the next instruction. */
  readonly pc: number;
  readonly esp: number;
  /** CFA of the physical frame at the pc: the value of ESP in the caller before the call. */
  readonly cfa: number | undefined;
  /** The same as the CFA, where it is certain: tells frames of one function apart. Undefined in assembly, which keeps ESP as it likes. */
  readonly frame: number | undefined;
  /** Linear address that the frame returns to. */
  readonly returnAddress: number | undefined;
  instruction(address: number): Instruction;
  /**
   * The line at `address`; undefined without line information. @param into calls inlined on the line are not part of it
   * @param within the function that is stepped in: what is inlined into it is nobody's line, unless `into`
   */
  line(address: number, into: boolean, within?: Scope): StepLine | undefined;
  /** Goes into the inlined call that begins at the pc: nothing is executed. */
  enterInlined(): void;
  /** Start of the function at an address. */
  entryOf(address: number): number;
  /** Start of the code proper of the function that begins here, if it has source lines. */
  bodyOf(address: number): number | undefined;
}

export interface StepLine {
  readonly key: string;
  /** The function, or inlined call, that the line is of. */
  readonly owner: Scope | undefined;
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** The address is where a statement of the line begins. */
  readonly begins: boolean;
  /** No line is responsible, or one of an inlined call: code to pass over. */
  readonly nobody: boolean;
  /** An inlined call of the line begins at the address. */
  readonly entersInlined: boolean;
}

export type StepEnd = Exclude<Outcome, { readonly kind: 'landed' }> | { readonly kind: 'done' };
const DONE: StepEnd = { kind: 'done' };

/** An instruction that is interrupted again each time it is tried. */
const MOST_TRIES = 4096;

/** To the next line. @param into stops in functions that it calls, if they have lines. @param only into the call at that address alone */
export function* stepLine(context: StepContext, into: boolean, only?: number): Work<StepEnd> {
  const first = context.line(context.pc, into);
  if (first === undefined) return yield* stepInstruction(context, !into);
  if (into && first.entersInlined) {
    context.enterInlined();
    return DONE;
  }
  const note = noting(context, first);
  for (let line: StepLine = first; ;) {
    const left = yield* leave(context, line, into, only, line === first ? note : undefined);
    if (left !== 'left') return left;
    const now = context.line(context.pc, into, first.owner);
    if (now === undefined) return DONE;
    if (now.begins && !now.nobody) {
      if (now.key !== first.key) {
        if (line === first) note(now);
        return DONE;
      }
      if (into && now.entersInlined) {
        context.enterInlined();
        return DONE;
      }
    }
    line = now;
  }
}

/** Remembers that a line begins here; to be called where the next one begins, if nothing lies between, and in the line itself. */
const noting = (context: StepContext, first: StepLine): ((now: StepLine | undefined) => void) => {
  const { execution, frame, pc, trail } = context;
  const { history, position } = execution.target;
  const entry = context.entryOf(pc);
  const isPlain = (line: StepLine): boolean => line.begins && !line.nobody && !line.entersInlined;
  const isAtEntry = first.ranges.some(({ start, end }) => entry >= start && entry < end);
  if (frame === undefined || isAtEntry || !isPlain(first)) return () => undefined;
  return (now) => {
    if (context.pc === pc || context.entryOf(context.pc) !== entry || context.frame !== frame) return;
    if (now !== undefined && (now.owner !== first.owner || !isPlain(now))) return;
    trail.note(history, { position, line: first.key }, execution.target.position, now !== undefined);
  };
};

/** Runs until control is outside the line. `left`: in the same frame, elsewhere; else the step is over. */
function* leave(
  context: StepContext,
  line: StepLine,
  into: boolean,
  only: number | undefined,
  beforeCall: (now: undefined) => void = () => undefined,
): Work<StepEnd | 'left'> {
  const { execution } = context;
  const { frame } = context;
  const inside = (address: number): boolean => line.ranges.some(({ start, end }) => address >= start && address < end);
  const sameFrame = (): boolean => isFrame(context, frame);
  const { exits, specials } = exitsOf(context, line, into, only);
  for (;;) {
    let here: Instruction | undefined = specials.get(context.pc);
    if (here === undefined) {
      const landings = [...exits, ...specials.keys()].map((address): Landing => ({
        spot: at(address),
        accept: sameFrame,
      }));
      const outcome = yield* execution.run(landings);
      if (outcome.kind !== 'landed') return outcome;
      here = specials.get(context.pc);
      if (here === undefined) return 'left';
    }
    if (here.flow === 'call') {
      beforeCall(undefined);
      const entered = yield* enter(context, here, only);
      if (entered !== undefined) return entered;
      if (!inside(context.pc)) return 'left';
      continue;
    }
    const wasReturn = here.flow === 'return';
    const outcome = yield* executeOne(context, here);
    if (outcome !== undefined) return outcome;
    if (wasReturn && !inside(context.pc)) return DONE;
    if (!inside(context.pc)) return 'left';
  }
}

/** Whether the guest stands in a frame; where that is not certain, it does. */
const isFrame = (context: StepContext, frame: number | undefined): boolean => isSameFrame(context.frame, frame);
export const isSameFrame = (now: number | undefined, frame: number | undefined): boolean =>
  frame === undefined || now === undefined || now === frame;

interface Exits {
  /** Outside the line, where its jumps and its end lead. */
  readonly exits: ReadonlySet<number>;
  /** Inside the line: instructions that are executed alone. */
  readonly specials: ReadonlyMap<number, Instruction>;
}

const exitsOf = (context: StepContext, line: StepLine, into: boolean, only: number | undefined): Exits => {
  const exits = new Set<number>();
  const specials = new Map<number, Instruction>();
  const inside = (address: number): boolean => line.ranges.some(({ start, end }) => address >= start && address < end);
  for (const { start, end } of line.ranges) {
    let address = start;
    while (address < end) {
      const instruction = context.instruction(address);
      const { flow, target } = instruction;
      if (flow === 'return' || flow === 'elsewhere') specials.set(address, instruction);
      if (flow === 'call' && into && (only === undefined || only === address)) specials.set(address, instruction);
      if ((flow === 'jump' || flow === 'branch') && target !== undefined && !inside(target)) exits.add(target);
      address += instruction.length;
      if (address >= end && flow !== 'jump' && flow !== 'return' && flow !== 'elsewhere' && !inside(address))
        exits.add(address);
    }
  }
  return { exits, specials };
};

/** Executes a CALL that is to be stepped into. Undefined: came back, because the function has no lines. */
function* enter(context: StepContext, call: Instruction, only: number | undefined): Work<StepEnd | undefined> {
  const { execution, frame } = context;
  const behind = (call.address + call.length) >>> 0;
  const outcome = yield* executeOne(context, call);
  if (outcome !== undefined) return outcome;
  if (context.pc === behind) return undefined;
  const body = context.bodyOf(context.pc);
  if (body !== undefined) {
    if (body === context.pc) return DONE;
    const entry = context.frame;
    const run = yield* execution.run([{ spot: at(body), accept: () => isFrame(context, entry) }]);
    return run.kind === 'landed' ? DONE : run;
  }
  if (only !== undefined && context.line(context.pc, true) === undefined) return DONE;
  const back = yield* execution.run([{ spot: at(behind), accept: () => isFrame(context, frame) }]);
  return back.kind === 'landed' ? undefined : back;
}

/**
 * Executes one instruction. What is delivered before it or raised by it is served to its end, which comes back to the instruction with
 * the same stack; INT n has done its work when its handler is reached. Undefined: executed.
 */
function* executeOne(context: StepContext, instruction: Instruction): Work<StepEnd | undefined> {
  const { execution } = context;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { esp } = context;
    const outcome = yield* execution.step();
    if (outcome.kind === 'retired') {
      // A guest that waits in HLT for input retires nothing.
      if (!execution.waiting) return undefined;
      yield {};
      continue;
    }
    if (outcome.kind === 'ended' || outcome.kind === 'met') return outcome;
    if (instruction.text.startsWith('int ')) return undefined;
    const back = yield* execution.run([{ spot: at(instruction.address), accept: () => context.esp === esp }]);
    if (back.kind !== 'landed') return back;
  }
  return DONE;
}

/** One instruction. @param over runs through a call, and through the handler of what the instruction raises */
export function* stepInstruction(context: StepContext, over: boolean): Work<StepEnd> {
  const instruction = context.instruction(context.pc);
  const { cfa, execution, esp } = context;
  if (!over) {
    const outcome = yield* execution.step();
    return outcome.kind === 'ended' || outcome.kind === 'met' ? outcome : DONE;
  }
  if (instruction.flow !== 'call') return (yield* executeOne(context, instruction)) ?? DONE;
  const behind = (instruction.address + instruction.length) >>> 0;
  const back = yield* execution.run([
    { spot: at(behind), accept: () => (cfa !== undefined && context.cfa === cfa) || context.esp >= esp },
  ]);
  return back.kind === 'landed' ? DONE : back;
}

/** Until the frame with that CFA has returned. */
export function* stepOut(
  context: StepContext,
  frame: { readonly cfa: number; readonly returnAddress: number },
): Work<StepEnd> {
  const outcome = yield* context.execution.run([
    // RET n leaves ESP above the CFA; an IRET to an outer ring has another stack.
    { spot: at(frame.returnAddress), accept: () => context.esp >= frame.cfa || context.esp < frame.cfa - 0x10_0000 },
  ]);
  return outcome.kind === 'landed' ? DONE : outcome;
}

/** Until control is outside the code of an inlined call. */
export function* stepOutOfInlined(context: StepContext, ranges: StepLine['ranges']): Work<StepEnd> {
  const line = { key: '', owner: undefined, ranges, begins: false, nobody: true, entersInlined: false };
  const left = yield* leave(context, line, false, undefined);
  return left === 'left' ? DONE : left;
}
