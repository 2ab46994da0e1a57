// Delivering events: what becomes of an exception, an interrupt or an NMI, and of the faults its delivery raises in turn (double
// fault, shutdown, VM exit). Not the passage through the IDT (interrupts.ts). SDM vol. 3, ch. 6 (6.15, interrupt 8), 25.2, 27.2.4.

import { EventType } from '../vmx/qualification.ts';
import type { ChainedException, Cpu } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Dr6, dr6WithDebug, dr7WithDebug } from './debug-registers.ts';
import { deliverThroughTable } from './interrupts.ts';
import { disarm } from './monitor-wait.ts';
import { Blocking, ESP, Flag, StateLayout } from './state.ts';

/** What became of an event. `ESCALATED`: another exception than the one asked for was delivered. */
export const Outcome = { DELIVERED: 0, ESCALATED: 1, LEFT: 2 } as const;

const bits = (...vectors: readonly number[]): number => vectors.reduce((set, vector) => set | (1 << vector), 0);
const has = (set: number, vector: number): boolean => vector < 32 && ((set >>> vector) & 1) === 1;

/** Classes of exceptions (SDM vol. 3, table 6-4); all others are benign. */
const CONTRIBUTORY = bits(Vector.DE, Vector.TS, Vector.NP, Vector.SS, Vector.GP);
/** Exceptions whose error code names a selector and so has the EXT bit (SDM vol. 3, 6.13). */
const SELECTOR_ERROR = bits(Vector.TS, Vector.NP, Vector.SS, Vector.GP);
/**
 * Fault-class exceptions, whose EFLAGS image has RF set; #DB, an instruction breakpoint or a trap, has not. Whatever comes between the
 * iterations of a string instruction sets it too (SDM vol. 3, 17.3.1.1).
 */
const FAULTS = CONTRIBUTORY | bits(Vector.BR, Vector.UD, Vector.NM, 9, Vector.PF, Vector.MF, Vector.AC, Vector.XM);

/** Those that do nothing besides entering their handlers; #PF sets CR2. */
export const PLAIN_FAULTS = FAULTS & ~bits(Vector.MF);

/**
 * Deliveries that may follow each other without an instruction between them. More means that benign exceptions feed each other for
 * ever (an #AC handler whose stack is misaligned): real processors hang there, this one shuts down.
 */
const MAX_CHAIN = 16;
const chain = {
  length: 0,
  vector: new Uint8Array(MAX_CHAIN + 2),
  hasError: new Uint8Array(MAX_CHAIN + 2),
  error: new Uint32Array(MAX_CHAIN + 2),
  eip: new Uint32Array(MAX_CHAIN + 2),
};

const record = (vector: number, errorCode: number | undefined, eip: number): void => {
  const at = chain.length++;
  chain.vector[at] = vector;
  chain.hasError[at] = errorCode === undefined ? 0 : 1;
  chain.error[at] = errorCode ?? 0;
  chain.eip[at] = eip;
};

const shutDown = (cpu: Cpu): typeof Outcome.LEFT => {
  const events: ChainedException[] = [];
  for (let i = 0; i < chain.length; i++) {
    const errorCode = chain.hasError[i] ? chain.error[i]! : undefined;
    events.push({ vector: chain.vector[i]!, errorCode, eip: chain.eip[i]! });
  }
  cpu.tripleFault = { chain: events };
  cpu.vmx.endDelivery();
  if (!cpu.vmx.exitOnTripleFault()) cpu.s.set(StateLayout.activity, 2);
  return Outcome.LEFT;
};

const isPageFaultOrContributory = (vector: number): boolean => vector === Vector.PF || has(CONTRIBUTORY, vector);

/** SDM vol. 3, table 6-5: the first exception's delivery raised the second. */
const makesDoubleFault = (first: number, second: number): boolean =>
  has(CONTRIBUTORY, first) ? has(CONTRIBUTORY, second) : first === Vector.PF && isPageFaultOrContributory(second);

/** Exit qualification of an exception: the linear address of a #PF, the new DR6 bits of a #DB. */
const addressOf = (cpu: Cpu, vector: number): number => {
  if (vector === Vector.PF) return cpu.faultAddress;
  return vector === Vector.DB ? cpu.faultAddress & Dr6.WRITABLE : 0;
};

/** What an exception does to the processor besides entering its handler. A VM exit, and an event injected by VM entry, do without. */
const applyEffects = (cpu: Cpu, vector: number, type: number): void => {
  const s = cpu.s;
  if (type !== EventType.HARDWARE_EXCEPTION && type !== EventType.PRIVILEGED_SOFTWARE_EXCEPTION) return;
  if (vector === Vector.PF) s.cr2 = cpu.faultAddress;
  else if (vector === Vector.DB) {
    s.setDr(6, dr6WithDebug(s.dr(6), cpu.faultAddress));
    s.setDr(7, dr7WithDebug(s.dr(7)));
  }
};

/** Tries one event; its faults stay in the mailbox. */
const attempt = (cpu: Cpu, vector: number, type: number, errorCode: number | undefined, length: number): boolean => {
  const s = cpu.s;
  const interrupting = type === EventType.SOFTWARE_INTERRUPT || type === EventType.SOFTWARE_EXCEPTION;
  const software = interrupting || type === EventType.PRIVILEGED_SOFTWARE_EXCEPTION;
  let flags = s.eflags;
  if (software) flags &= ~Flag.RF;
  else if (cpu.unfinished || (type === EventType.HARDWARE_EXCEPTION && has(FAULTS, vector))) flags |= Flag.RF;
  const returnEip = software ? (s.eip + length) >>> 0 : s.eip;
  const asked = interrupting ? 1 : 0;
  const hasError = errorCode === undefined ? 0 : 1;
  const ordinary =
    !cpu.modeDirty && cpu.enterGate(vector, asked, hasError, errorCode ?? 0, returnEip, flags, s.gpr(ESP)) !== 0;
  if (ordinary) {
    cpu.nextEip = s.eip;
    return true;
  }
  return deliverThroughTable(cpu, vector, interrupting, errorCode, returnEip, flags, software ? length : 0);
};

/** Delivers the event, and what its delivery raises, until a handler is entered, the guest is left or the processor shuts down. */
const deliver = (
  cpu: Cpu,
  vector: number,
  type: number,
  errorCode: number | undefined,
  instructionLength: number,
): number => {
  const s = cpu.s;
  chain.length = 0;
  let length = instructionLength;
  for (;;) {
    record(vector, errorCode, s.eip);
    cpu.vmx.beginDelivery(vector, type, errorCode, length);
    if (type === EventType.NMI) s.set(StateLayout.interruptibility, s.get(StateLayout.interruptibility) | Blocking.NMI);
    // Events outside the program, and exceptions met while delivering exceptions, set EXT; INT n, INT3 and INTO do not.
    const external = type === EventType.SOFTWARE_INTERRUPT || type === EventType.SOFTWARE_EXCEPTION ? 0 : 1;
    if (attempt(cpu, vector, type, errorCode, length)) {
      cpu.vmx.endDelivery();
      cpu.points.delivered(vector, type, errorCode, chain.eip[chain.length - 1]!, s.cr2);
      cpu.enteredHandler = true;
      // Data breakpoints met by the frame and the tables are an instruction's (INT n), or nobody's.
      if (type < EventType.SOFTWARE_INTERRUPT) cpu.breakpoints.met = 0;
      s.set(StateLayout.interruptibility, s.get(StateLayout.interruptibility) & ~Blocking.STI_OR_MOV_SS);
      s.set(StateLayout.activity, 0);
      disarm(cpu);
      return chain.length === 1 ? Outcome.DELIVERED : Outcome.ESCALATED;
    }
    if (!cpu.faulted) return Outcome.LEFT;

    const next = s.get(StateLayout.faultVector) - 1;
    let nextError = takeErrorCode(cpu);
    if (nextError !== undefined && has(SELECTOR_ERROR, next)) nextError |= external;
    // The exception itself may leave the guest, before it combines with the one that was being delivered.
    if (cpu.vmx.exitOnException(next, nextError, addressOf(cpu, next))) return Outcome.LEFT;
    applyEffects(cpu, next, EventType.HARDWARE_EXCEPTION);
    const first = type === EventType.HARDWARE_EXCEPTION ? vector : -1;
    if (chain.length >= MAX_CHAIN || (first === Vector.DF && isPageFaultOrContributory(next))) {
      record(next, nextError, s.eip);
      return shutDown(cpu);
    }
    cpu.vmx.endDelivery();
    type = EventType.HARDWARE_EXCEPTION;
    length = 0;
    if (first >= 0 && makesDoubleFault(first, next)) {
      record(next, nextError, s.eip);
      const code = cpu.protectedMode ? 0 : undefined;
      if (cpu.vmx.exitOnException(Vector.DF, code, 0)) return Outcome.LEFT;
      vector = Vector.DF;
      errorCode = code;
    } else {
      vector = next;
      errorCode = nextError;
    }
  }
};

/** Empties the mailbox. Its error code, which real mode does not have. */
const takeErrorCode = (cpu: Cpu): number | undefined => {
  const s = cpu.s;
  cpu.clearFault();
  return s.get(StateLayout.faultHasError) !== 0 && cpu.protectedMode ? s.get(StateLayout.faultError) : undefined;
};

const MAY_EXIT = bits(
  EventType.HARDWARE_EXCEPTION,
  EventType.PRIVILEGED_SOFTWARE_EXCEPTION,
  EventType.SOFTWARE_EXCEPTION,
);

/**
 * Delivers an event that the processor itself has met and says what became of it (`Outcome`). Exceptions ask the exception bitmap
 * first; a #PF then sets CR2 and a #DB DR6 from `cpu.faultAddress`.
 */
export const raiseEvent = (
  cpu: Cpu,
  vector: number,
  type: number,
  errorCode: number | undefined,
  instructionLength: number,
): number => {
  if (cpu.mmu.access?.refusesHandlers === true) {
    cpu.vmExitPending = true;
    return Outcome.LEFT;
  }
  if (has(MAY_EXIT, type)) {
    const left = cpu.vmx.exitOnException(vector, errorCode, addressOf(cpu, vector), type, instructionLength);
    cpu.nmiUnblockedByIret = false;
    if (left) return Outcome.LEFT;
    applyEffects(cpu, vector, type);
  }
  return deliver(cpu, vector, type, errorCode, instructionLength);
};

/**
 * Delivers an event. `type` is a VMX interruption type (`EventType`); `instructionLength` counts for the software types 4 to 6,
 * whose handlers return behind the instruction at `s.eip`; the others return to `s.eip` itself.
 * True: a handler was entered (perhaps that of an exception which the delivery raised) and `s.eip` is its first instruction.
 * False: a VM exit took place, or the processor is in shutdown and `cpu.tripleFault` says why. The mailbox is empty either way.
 */
export const deliverEvent = (
  cpu: Cpu,
  vector: number,
  type: number,
  errorCode: number | undefined,
  instructionLength: number,
): boolean => raiseEvent(cpu, vector, type, errorCode, instructionLength) !== Outcome.LEFT;

/** Event injection by VM entry (SDM vol. 3, 26.6.1): as `deliverEvent`, but the event itself neither exits nor touches CR2, DR6, DR7. */
export const injectEvent = (
  cpu: Cpu,
  vector: number,
  type: number,
  errorCode: number | undefined,
  instructionLength: number,
): boolean => {
  const entered = deliver(cpu, vector, type, errorCode, instructionLength) !== Outcome.LEFT;
  // No instruction has met the breakpoints that the frame and the tables may have met.
  cpu.breakpoints.met = 0;
  return entered;
};

/** Delivers the fault in the mailbox, raised by the instruction at `s.eip`. Result as of `deliverEvent`. */
export const deliverPendingFault = (cpu: Cpu): boolean => {
  const vector = cpu.s.get(StateLayout.faultVector) - 1;
  const errorCode = takeErrorCode(cpu);
  return deliverEvent(cpu, vector, EventType.HARDWARE_EXCEPTION, errorCode, 0);
};
