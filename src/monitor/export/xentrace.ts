// A trace in Xen's format, such that xenalyze accepts it and counts what we count. Not the bytes (xen-writer.ts).
// Its rules (found by experiment): records are credited to a vCPU only after it was seen going runnable to running; exit reasons are
// bare and at most 55; of the handler records between exit and entry at most one may claim the exit; a halted vCPU is blocked
// while the idle domain runs. Interrupt-controller records are left out: xenalyze does not know them.

import {
  AssistDecision,
  CrLoad,
  ExceptionDelivery,
  PageFaultDelivery,
  RunState,
  ShadowOutcome,
} from '../../hypervisor/observer.ts';
import { ExitReason } from '../../machine/vmx/exit-reasons.ts';
import { CrAccess, CrAccessType, DrAccess } from '../../machine/vmx/qualification.ts';
import { Kind } from '../events.ts';
import { cyclesAt, domainAt, kindAt, operandAt, RECORD_WORDS, vcpuAt } from '../record.ts';
import type { Trace } from '../trace-file.ts';
import { ExportError, type Exported } from './exported.ts';
import { Xen, XenWriter } from './xen-writer.ts';

const LAST_REASON = 55;
const IDLE_DOMAIN = 32767;
const NOBODY = -1;
const NO_FAULT = -1;

/** @throws ExportError if there are no VM exits in the trace. */
export const exportXentrace = (trace: Trace): Exported => {
  const { header, store } = trace;
  if (store.countOf(Kind['vmx.exit']) === 0 || store.countOf(Kind['vmx.entry']) === 0) {
    throw new ExportError(
      'the trace has no VM exits and entries, which Xen traces are made of. Record it with `--observe all` or `--observe mode`',
    );
  }
  const exporter = new XentraceExporter(trace);
  store.forEachRun(store.first, store.next, (words, at, count, sequence) => {
    for (let i = 0; i < count; i++) exporter.record(words, at + i * RECORD_WORDS, sequence + i);
  });
  const notes = [
    `Open it with: xenalyze --cpu-hz ${header.cyclesPerSecond} -s FILE`,
    'Records of the interrupt controllers, devices and page-table details are left out: xenalyze does not read them.',
  ];
  if (exporter.skippedExits > 0)
    notes.push(`${exporter.skippedExits} VM exits with reasons above ${LAST_REASON} are left out.`);
  if (header.lostRecords > 0) notes.push(`${header.lostRecords} records were lost while recording.`);
  return { files: new Map([['', exporter.finish()]]), notes };
};

/** dom « 16 | vCPU, as Xen's runstate word has it. */
const keyAt = (words: Uint32Array, at: number): number => (domainAt(words, at) << 16) | vcpuAt(words, at);

class XentraceExporter {
  private readonly out = new XenWriter();
  private readonly states = new Map<number, number>();
  /** The vCPU that runs on the one processor: a key, the idle vCPU, or NOBODY before the first record. */
  private current = NOBODY;
  private readonly idle = IDLE_DOMAIN * 0x1_0000;
  /** Basic reason of the exit that is being handled, or NOBODY. */
  private reason = NOBODY;
  private qualification = 0;
  /** An exit takes one claim; a #PF exit is claimed at the latest by the VM entry. */
  private claimed = false;
  private pendingPageFault = NO_FAULT;
  private lastTableWrite = 0;
  /** Whether the trace itself says when vCPUs block. */
  private readonly scheduled: boolean;
  skippedExits = 0;

  constructor(private readonly trace: Trace) {
    this.scheduled = trace.store.countOf(Kind['sched.runstate']) > 0;
  }

  finish(): Uint8Array {
    return this.out.finish();
  }

  record(words: Uint32Array, at: number, sequence: number): void {
    const operand = (index: number): number => operandAt(words, at, index);
    const key = keyAt(words, at);
    const now = cyclesAt(words, at);
    switch (kindAt(words, at)) {
      case Kind['vmx.exit']:
        return this.exit(key, now, words, at, sequence);
      case Kind['vmx.entry']:
        return this.entry(key, now);
      case Kind['sched.runstate']:
        return this.setState(key, operand(1), now);
      case Kind['mon.lost']:
        return this.lost(operand(0), now, sequence);
      case Kind['shadow.pt_write']:
        this.lastTableWrite = operand(3);
        return;
    }
    // A halted vCPU that nobody scheduled wakes, for Xen, with the interrupt that it is given.
    if (kindAt(words, at) === Kind['irq.inject'] && !this.scheduled && this.states.has(key)) {
      this.setState(key, RunState.RUNNING, now);
    }
    if (key !== this.current) return;
    this.handlerRecord(kindAt(words, at), operand);
  }

  /** Records between exit and entry that say what the exit was about, and injections. */
  private handlerRecord(kind: number, operand: (index: number) => number): void {
    switch (kind) {
      case Kind['vmx.handler']:
        return this.handled(operand(0) & 0xffff, operand(2), operand(3), operand(4));
      case Kind['shadow.fault']:
        return this.shadowFault(operand(0), operand(2), operand(3), operand(4));
      case Kind['mem.guest_pf']:
        if (operand(2) === PageFaultDelivery.INJECTED) this.out.plain(Xen.PF_INJECT, operand(1), operand(0));
        return;
      case Kind['mem.cr3']:
        return this.claim(ExitReason.CR_ACCESS, Xen.CR_WRITE, 3, operand(1));
      case Kind['mem.cr']:
        if (operand(3) === CrLoad.CLTS) return this.claim(ExitReason.CR_ACCESS, Xen.CLTS);
        if (operand(3) === CrLoad.LMSW) return this.claim(ExitReason.CR_ACCESS, Xen.LMSW, operand(2));
        return this.claim(ExitReason.CR_ACCESS, Xen.CR_WRITE, operand(0), operand(2));
      case Kind['io.pio']: {
        const event = operand(1) & 0x100 ? Xen.IOPORT_WRITE : Xen.IOPORT_READ;
        return this.claim(ExitReason.IO_INSTRUCTION, event, operand(0), operand(2));
      }
      case Kind['mem.mmio']: {
        const event = operand(2) & 0x100 ? Xen.IOMEM_WRITE : Xen.IOMEM_READ;
        this.pendingPageFault = NO_FAULT;
        return this.claim(ExitReason.EXCEPTION_OR_NMI, event, operand(0), operand(3));
      }
      case Kind.hcall:
        return this.claim(ExitReason.VMCALL, Xen.VMMCALL, operand(0));
      case Kind['irq.inject']: {
        const type = (operand(0) >>> 8) & 7;
        if (type === 0) this.out.plain(Xen.INJ_VIRQ, operand(0) & 0xff, 0);
        else if ((operand(0) & 0xff) !== 14) this.out.plain(Xen.INJ_EXC, operand(0) & 0xff, operand(1));
        return;
      }
      case Kind['irq.reinject']:
        return this.out.plain(Xen.REINJ_VIRQ, operand(0) & 0xff);
      case Kind['irq.assist']:
        if (operand(2) === AssistDecision.WINDOW) this.out.plain(Xen.INTR_WINDOW, operand(1), operand(0), -1);
        return;
      case Kind['exc.guest']:
        if (operand(3) === ExceptionDelivery.DOUBLE_FAULT) this.out.plain(Xen.INJ_EXC, operand(0), operand(1));
        return;
    }
  }

  private exit(key: number, now: number, words: Uint32Array, at: number, sequence: number): void {
    const reason = operandAt(words, at, 0) & 0xffff;
    if (reason > LAST_REASON) {
      this.skippedExits++;
      this.reason = NOBODY;
      return;
    }
    this.setState(key, RunState.RUNNING, now);
    this.out.timed(Xen.VMEXIT, now, reason, words[at + 4]!);
    this.reason = reason;
    this.qualification = operandAt(words, at, 1);
    this.claimed = false;
    this.pendingPageFault = NO_FAULT;
    const intrInfo = operandAt(words, at, 2);
    const vector = intrInfo & 0xff;
    const from = (this.qualification & 0x10) !== 0;
    switch (reason) {
      case ExitReason.EXCEPTION_OR_NMI:
        if (((intrInfo >>> 8) & 7) === 2) this.claim(reason, Xen.NMI);
        else if (vector === 1) this.claim(reason, Xen.TRAP_DEBUG, this.qualification);
        else if (vector === 14) this.pendingPageFault = operandAt(words, at, 3);
        else this.claim(reason, Xen.TRAP, vector);
        return;
      case ExitReason.EXTERNAL_INTERRUPT:
        if (intrInfo >= 0x8000_0000) this.claim(reason, Xen.INTR, vector);
        return;
      case ExitReason.INVLPG:
        return this.claim(reason, Xen.INVLPG, 0, this.qualification);
      case ExitReason.MOV_DR:
        return this.claim(reason, DrAccess.from(this.qualification) ? Xen.DR_READ : Xen.DR_WRITE);
      case ExitReason.CR_ACCESS:
        if (from && CrAccess.type(this.qualification) === CrAccessType.CLTS) this.claim(reason, Xen.CLTS);
        return;
      case ExitReason.HLT: {
        const blocks = !this.scheduled && this.waits(key, now, sequence);
        this.claim(reason, Xen.HLT, blocks || this.scheduled ? 0 : 1);
        if (blocks) this.setState(key, RunState.BLOCKED, now);
        return;
      }
    }
  }

  private entry(key: number, now: number): void {
    if (this.pendingPageFault !== NO_FAULT && key === this.current) {
      this.claim(ExitReason.EXCEPTION_OR_NMI, Xen.PF_XEN, this.pendingPageFault, this.qualification);
    }
    this.setState(key, RunState.RUNNING, now);
    this.out.timed(Xen.VMENTRY, now);
    this.reason = NOBODY;
    this.pendingPageFault = NO_FAULT;
  }

  private handled(reason: number, detail0: number, detail1: number, detail2: number): void {
    switch (reason) {
      case ExitReason.CPUID:
        return this.claim(reason, Xen.CPUID, detail0, detail1);
      case ExitReason.RDMSR:
        return this.claim(reason, Xen.MSR_READ, detail0, detail1, detail2);
      case ExitReason.WRMSR:
        return this.claim(reason, Xen.MSR_WRITE, detail0, detail1, detail2);
      case ExitReason.RDTSC:
        return this.claim(reason, Xen.RDTSC, detail0, detail1);
      case ExitReason.CR_ACCESS:
        // A write that changed nothing has no record of its own.
        switch (CrAccess.type(this.qualification)) {
          case CrAccessType.FROM:
            return this.claim(reason, Xen.CR_READ, detail0, detail1);
          case CrAccessType.TO:
            return this.claim(reason, Xen.CR_WRITE, detail0, detail1);
          case CrAccessType.CLTS:
            return this.claim(reason, Xen.CLTS);
          default:
            return this.claim(reason, Xen.LMSW, detail1);
        }
    }
  }

  private shadowFault(linear: number, outcome: number, guestEntry: number, flags: number): void {
    const event = Xen.SHADOW + outcome;
    this.pendingPageFault = NO_FAULT;
    switch (outcome) {
      case ShadowOutcome.PROPAGATE:
      case ShadowOutcome.FIXUP:
        return this.claim(ExitReason.EXCEPTION_OR_NMI, event, guestEntry, linear, flags);
      case ShadowOutcome.EMULATE:
        return this.claim(ExitReason.EXCEPTION_OR_NMI, event, guestEntry, this.lastTableWrite, linear, flags);
      case ShadowOutcome.UNSHADOW_USER:
      case ShadowOutcome.UNSHADOW_EVTINJ:
      case ShadowOutcome.UNSHADOW_UNHANDLED:
        return this.claim(ExitReason.EXCEPTION_OR_NMI, event, guestEntry >>> 12, linear);
      default:
        return this.claim(ExitReason.EXCEPTION_OR_NMI, event, linear);
    }
  }

  /** The handler record of the exit being handled, if it is of this reason and has none yet. */
  private claim(reason: number, event: number, ...words: number[]): void {
    if (this.reason !== reason || this.claimed) return;
    this.claimed = true;
    this.out.plain(event, ...words);
  }

  /** Whether time passes beyond the hypervisor's own work before this vCPU is entered again. */
  private waits(key: number, now: number, sequence: number): boolean {
    const { store } = this.trace;
    const mask = { low: 1 << Kind['vmx.entry'], high: 0 };
    for (let next = store.findNext(mask, sequence + 1); next >= 0; next = store.findNext(mask, next + 1)) {
      const { records } = store.slice(next, 1);
      if (keyAt(records, 0) === key) return cyclesAt(records, 0) - now > operandAt(records, 0, 4);
    }
    return true;
  }

  /** Brings a vCPU into a run state by legal steps (blocked, runnable, running); the idle vCPU runs when nobody else does. */
  private setState(key: number, state: number, now: number): void {
    const old = this.states.get(key) ?? RunState.BLOCKED;
    if (state === old) return;
    if (state === RunState.RUNNING) {
      if (old !== RunState.RUNNABLE) this.change(key, old, RunState.RUNNABLE, now);
      if (this.current !== NOBODY) this.change(this.current, RunState.RUNNING, RunState.RUNNABLE, now);
      this.change(key, RunState.RUNNABLE, RunState.RUNNING, now);
      this.current = key;
      return;
    }
    if (key !== this.current) {
      if (state === RunState.RUNNABLE) this.change(key, old, state, now);
      return;
    }
    this.change(key, RunState.RUNNING, state, now);
    this.change(this.idle, RunState.RUNNABLE, RunState.RUNNING, now);
    this.current = this.idle;
  }
  private change(key: number, from: number, to: number, now: number): void {
    this.states.set(key, to);
    this.out.timed(Xen.RUNSTATE_CHANGE | (from << 8) | (to << 4), now, key);
  }
  /** A gap. The record names who runs after it (xenalyze believes it); here, and only here, the domain is in the LOW half. */
  private lost(count: number, now: number, sequence: number): void {
    if (this.current === NOBODY) return; // xenalyze stops at a file that begins with a gap
    const since = this.trace.header.lost.find((gap) => gap.sequence === sequence)?.firstCycles ?? now;
    const who = (this.current >>> 16) | ((this.current & 0xffff) << 16);
    this.out.timed(Xen.LOST_RECORDS, now, count, who, since, Math.floor(since / 0x1_0000_0000));
    this.reason = NOBODY;
  }
}
