// Exit reason 0: exceptions and NMIs. Page faults go to shadow paging; where the shadow cannot be repaired the faulting instruction
// is emulated (page-table writes, CR0.WP=0 writes, devices in memory). Xen: sh_page_fault's emulate path in mm/shadow/multi.c.

import type { Persistent } from '../../machine/snapshot.ts';
import { Field } from '../../machine/vmx/fields.ts';
import { EventType, IntrInfo } from '../../machine/vmx/qualification.ts';
import { DemoteTrigger, HandlerOutcome, ShadowFlag, ShadowOutcome } from '../observer.ts';
import { FaultAction } from '../shadow/paging.ts';
import { NO_ERROR, Vector, type Vcpu } from '../vcpu.ts';

const USER = 4;
/** A fault that comes back this often without an instruction retiring will come back for ever. */
const LIVELOCK = 64;
/** So many at different addresses too: no instruction, nor the events that may share a cycle with it, touches that many pages. */
const LIVELOCK_ANYWHERE = 4096;
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Watches for faults that repairing does not cure: our own bug, or a guest that cannot run on shadow tables. */
export class LivelockWatch implements Persistent<readonly number[]> {
  // No fault yet. No integers, so that V8 keeps these fields for any number from the start (machine/wide-number.ts).
  private linear = -Infinity;
  private cycle = -Infinity;
  private count = 0;
  private anywhere = 0;

  /** True if this fault has come too often. */
  again(linear: number, cycle: number): boolean {
    if (cycle !== this.cycle) this.anywhere = 0;
    if (linear !== this.linear || cycle !== this.cycle) this.count = 0;
    this.linear = linear;
    this.cycle = cycle;
    return ++this.count > LIVELOCK || ++this.anywhere > LIVELOCK_ANYWHERE;
  }

  private unshadowCycle = -Infinity;
  /**
   * True once a cycle: a page table that is written to may be given up and the instruction tried again. One that is needed for this very
   * instruction (its code, its stack, the next table it writes to) is a table again before the write gets through.
   */
  mayUnshadow(cycle: number): boolean {
    const first = cycle !== this.unshadowCycle;
    this.unshadowCycle = cycle;
    return first;
  }

  saveState(): readonly number[] {
    return [this.linear, this.cycle, this.count, this.anywhere, this.unshadowCycle];
  }
  loadState(state: readonly number[]): void {
    [this.linear, this.cycle, this.count, this.anywhere, this.unshadowCycle] = state as [
      number,
      number,
      number,
      number,
      number,
    ];
  }
}

/** Exit reason 0. */
export const exitException = (vcpu: Vcpu): number => {
  const { vmx, domain } = vcpu;
  const info = vmx.vmread(Field.VM_EXIT_INTR_INFO);
  const vector = IntrInfo.vector(info);
  // An NMI was the hypervisor's: nothing here sends one.
  if (IntrInfo.type(info) === EventType.NMI) return HandlerOutcome.IGNORED;
  if (vector === Vector.PF) return pageFault(vcpu);
  // Not in the exception bitmap: whoever set the bit handles it; the guest gets what it would have got.
  const error = IntrInfo.hasErrorCode(info) ? vmx.vmread(Field.VM_EXIT_INTR_ERROR_CODE) : NO_ERROR;
  // The DR6 bits of a #DB; else 0.
  const qualification = vmx.vmread(Field.EXIT_QUALIFICATION);
  domain.noteException(vector, error, vcpu.rip, qualification);
  vcpu.injectException(vector, error, qualification);
  return HandlerOutcome.PASSED;
};

const pageFault = (vcpu: Vcpu): number => {
  const { vmx, domain, shadow } = vcpu;
  const linear = vmx.vmread(Field.EXIT_QUALIFICATION);
  const error = vmx.vmread(Field.VM_EXIT_INTR_ERROR_CODE);
  const action = shadow.fault(linear, error);
  // A fault that the guest itself is given may come back as long as the guest likes.
  if (action !== FaultAction.INJECT && domain.livelock.again(linear, vcpu.machine.clock.now)) {
    const message = `the page fault at ${hex(linear)} (error code ${hex(error)}) keeps coming back at ${hex(vcpu.rip)}`;
    domain.stop({
      kind: 'unsupported',
      message,
      details: ['shadow paging repaired it and the processor still refused the access'],
    });
    return HandlerOutcome.CRASHED;
  }
  switch (action) {
    case FaultAction.RESUME:
      return HandlerOutcome.PASSED;
    case FaultAction.INJECT:
      domain.noteException(Vector.PF, shadow.walker.error, vcpu.rip, linear);
      vcpu.injectException(Vector.PF, shadow.walker.error, linear);
      return domain.stopped === undefined ? HandlerOutcome.INJECTED : HandlerOutcome.CRASHED;
    case FaultAction.EMULATE_TABLE_WRITE:
      return tableWrite(vcpu, linear, error);
    case FaultAction.EMULATE_WP:
    case FaultAction.EMULATE_MMIO:
      return emulate(vcpu, linear);
    case FaultAction.NO_MEMORY:
      domain.stop({ kind: 'unsupported', message: 'the shadow pool is too small for one translation', details: [] });
      return HandlerOutcome.CRASHED;
  }
};

/** A write to a page that is a page table. */
const tableWrite = (vcpu: Vcpu, linear: number, error: number): number => {
  const { vmx, shadow, domain } = vcpu;
  const gfn = shadow.walker.gfn;
  const entry = shadow.walker.l1Low;
  const { counters, tables } = shadow;
  const now = vcpu.machine.clock.now;
  // No kernel lets user mode write to its page tables: the page is something else by now. If it is not, the write is emulated below.
  if ((error & USER) !== 0 && domain.livelock.mayUnshadow(now) && shadow.unshadow(gfn, DemoteTrigger.USER_WRITE)) {
    counters.unshadowUser++;
    domain.observer?.shadowFault(linear, error, ShadowOutcome.UNSHADOW_USER, entry, tables.flags);
    return HandlerOutcome.PASSED;
  }
  // An event was being delivered and pushed its frame here: an ordinary page by now, or else a table in use, which it is again at once.
  if (IntrInfo.valid(vmx.vmread(Field.IDT_VECTORING_INFO))) {
    if (!domain.livelock.mayUnshadow(now) || !shadow.unshadow(gfn, DemoteTrigger.EMULATION_FAILED)) {
      return deliverOutside(vcpu);
    }
    counters.unshadowEvtinj++;
    domain.observer?.shadowFault(linear, error, ShadowOutcome.UNSHADOW_EVTINJ, entry, tables.flags);
    return HandlerOutcome.PASSED;
  }
  const access = vcpu.access;
  access.begin();
  const result = vcpu.machine.emulateInstruction(access);
  switch (result) {
    case 'done':
      vcpu.finishEmulated();
      counters.emulate++;
      if (access.tableWrites > 1) tables.flags |= ShadowFlag.EMULATION_2ND_PT_WRITTEN;
      domain.observer?.shadowFault(linear, error, ShadowOutcome.EMULATE, entry, tables.flags);
      return HandlerOutcome.EMULATED;
    case 'fault':
      domain.noteException(access.faultVector, access.faultError, vcpu.rip, access.faultAddress);
      vcpu.injectAccessFault();
      return domain.stopped === undefined ? HandlerOutcome.INJECTED : HandlerOutcome.CRASHED;
    case 'unhandled':
      if (domain.livelock.mayUnshadow(now) && shadow.unshadow(gfn, DemoteTrigger.EMULATION_FAILED)) {
        counters.unshadowUnhandled++;
        domain.observer?.shadowFault(linear, error, ShadowOutcome.UNSHADOW_UNHANDLED, entry, tables.flags);
        return HandlerOutcome.PASSED;
      }
      return cannotEmulate(vcpu, linear);
  }
};

/** The hypervisor itself delivers the event whose delivery faulted here, before the guest is entered again (real-mode.ts). */
const deliverOutside = (vcpu: Vcpu): number => {
  vcpu.deliversOutside = true;
  vcpu.outsideVmx = true;
  return HandlerOutcome.EMULATED;
};

/** A device in memory, or a supervisor write that only CR0.WP=0 allows. */
const emulate = (vcpu: Vcpu, linear: number): number => {
  const { domain, vmx } = vcpu;
  if (IntrInfo.valid(vmx.vmread(Field.IDT_VECTORING_INFO))) return deliverOutside(vcpu);
  const access = vcpu.access;
  access.begin();
  switch (vcpu.machine.emulateInstruction(access)) {
    case 'done':
      vcpu.finishEmulated();
      return HandlerOutcome.EMULATED;
    case 'fault':
      domain.noteException(access.faultVector, access.faultError, vcpu.rip, access.faultAddress);
      vcpu.injectAccessFault();
      return domain.stopped === undefined ? HandlerOutcome.INJECTED : HandlerOutcome.CRASHED;
    case 'unhandled':
      return cannotEmulate(vcpu, linear);
  }
};

const cannotEmulate = (vcpu: Vcpu, linear: number): number => {
  const bytes: string[] = [];
  const access = vcpu.access;
  const start = vcpu.codeAddress;
  access.begin();
  for (let i = 0; i < 8; i++) {
    const byte = access.fetch((start + i) >>> 0, vcpu.cpl === 3);
    if (byte < 0) break;
    bytes.push(byte.toString(16).padStart(2, '0'));
  }
  const message = `the instruction at ${hex(vcpu.rip)} accesses ${hex(linear)} in a way that cannot be emulated`;
  vcpu.domain.stop({ kind: 'unsupported', message, details: [`its bytes: ${bytes.join(' ')}`] });
  return HandlerOutcome.CRASHED;
};
