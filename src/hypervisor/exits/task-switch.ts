// Exit reason 9: a hardware task switch. VMX non-root operation has none: the processor checks gate and TSS descriptor and leaves the rest to
// the root, which saves the old task, loads the new one and delivers what it finds wrong. In the order of the processor's own switch
// (machine/cpu/task-switch.ts), which shares the TSS's layout and nothing else. SDM vol. 3, 7.3, 25.4.2; Xen: hvm_task_switch.

import { Dr6, Dr7 } from '../../machine/cpu/debug-registers.ts';
import { Descriptor, rpl, selectorError } from '../../machine/cpu/descriptors.ts';
import { Blocking, Cr0, Cr4, CS, ESP, Flag, LDTR, SS, TR } from '../../machine/cpu/state.ts';
import { TaskSource, TSS16, TSS16_FILLER, TSS32, TSS_EFLAGS } from '../../machine/cpu/task-state.ts';
import { Field } from '../../machine/vmx/fields.ts';
import { EventType, IntrInfo, TaskSwitch } from '../../machine/vmx/qualification.ts';
import { CrLoad, HandlerOutcome } from '../observer.ts';
import { CrWrite, NO_ERROR, Vector, type Vcpu } from '../vcpu.ts';
import { GuestSegments } from './guest-segments.ts';

/** Exceptions whose error code names a selector and so has the EXT bit (6.13). */
const SELECTOR_ERROR = (1 << Vector.TS) | (1 << Vector.NP) | (1 << Vector.SS) | (1 << Vector.GP);

/** What the new TSS holds, registers in the order of their encodings. */
interface Incoming {
  cr3: number;
  eip: number;
  eflags: number;
  ldt: number;
  trap: boolean;
  readonly gpr: Uint32Array;
  readonly sreg: Uint16Array;
}

const isWide = (access: number): boolean => (access & 8) !== 0;

/** Done, refused with the exception in `segments.fault`, or the domain has stopped. */
type Result = 'done' | 'fault' | 'stopped';

/** One switch; a guest that uses tasks makes few. */
class Switch {
  readonly segments: GuestSegments;
  private readonly newTss = new Descriptor();
  private readonly oldTss = new Descriptor();
  private readonly incoming: Incoming = {
    cr3: 0,
    eip: 0,
    eflags: 0,
    ldt: 0,
    trap: false,
    gpr: new Uint32Array(8),
    sreg: new Uint16Array(6),
  };

  constructor(
    private readonly vcpu: Vcpu,
    private readonly selector: number,
    private readonly source: number,
    /** Of an exception that comes through a task gate: goes onto the new task's stack. */
    private readonly errorCode: number,
    /** Where the old task resumes. */
    private readonly returnEip: number,
  ) {
    this.segments = new GuestSegments(vcpu);
  }

  run(): Result {
    if (!this.prepare()) return 'fault';
    const committed = this.commit();
    if (committed !== 'done') return committed;
    return this.enterTask() ? 'done' : 'fault';
  }

  /** Everything before the commit point: a fault here leaves the processor's state and the busy bits alone. */
  private prepare(): boolean {
    const { segments, newTss, oldTss, source } = this;
    // The processor has checked this descriptor before it left the guest.
    if (!segments.readDescriptor(this.selector, newTss, Vector.TS)) return false;
    const oldAccess = segments.access(TR);
    const oldSelector = segments.selector(TR);
    const oldMinimum = isWide(oldAccess) ? TSS32.minimum : TSS16.minimum;
    if (segments.limit(TR) < oldMinimum) return segments.raise(Vector.TS, selectorError(oldSelector));
    const minimum = newTss.isWide ? TSS32.minimum : TSS16.minimum;
    // The new TSS must be readable before the old one is written.
    if (segments.read(newTss.base, 1) < 0 || segments.read(newTss.base + minimum, 1) < 0) return false;
    if (!this.saveTask(isWide(oldAccess))) return false;
    const nests = source === TaskSource.CALL || source === TaskSource.GATE;
    if (nests && !segments.write(newTss.base, 2, oldSelector)) return false;
    if (!this.readTask()) return false;
    if (!nests && (!segments.readDescriptor(oldSelector, oldTss, Vector.TS) || !segments.markBusy(oldTss, false))) {
      return false;
    }
    if (source === TaskSource.IRET || segments.markBusy(newTss, true)) return true;
    if (!nests) {
      const { vector, error, address } = segments.fault;
      // The old task stays: its descriptor was just written, so this cannot fault.
      segments.markBusy(oldTss, true);
      Object.assign(segments.fault, { vector, error, address });
    }
    return false;
  }

  /** Writes the dynamic fields of the old task. */
  private saveTask(wide: boolean): boolean {
    const { segments, vcpu } = this;
    const { vmx } = vcpu;
    const tss = segments.base(TR);
    const t = wide ? TSS32 : TSS16;
    const size = wide ? 4 : 2;
    let eflags = vmx.vmread(Field.GUEST_RFLAGS);
    if (this.source === TaskSource.IRET) eflags &= ~Flag.NT;
    if (!segments.write(tss + t.eip, size, this.returnEip) || !segments.write(tss + t.eflags, size, eflags))
      return false;
    for (let i = 0; i < 8; i++) {
      const value = i === ESP ? vmx.vmread(Field.GUEST_RSP) : vcpu.machine.state.gpr(i);
      if (!segments.write(tss + t.gpr + i * size, size, value)) return false;
    }
    for (let i = 0; i < (wide ? 6 : 4); i++) {
      if (!segments.write(tss + t.sreg + i * size, 2, segments.selector(i))) return false;
    }
    return true;
  }

  private readTask(): boolean {
    const { segments, incoming, newTss } = this;
    const wide = newTss.isWide;
    const t = wide ? TSS32 : TSS16;
    const size = wide ? 4 : 2;
    let refused = false;
    const field = (offset: number, bytes: 1 | 2 | 4): number => {
      if (refused) return 0;
      const value = segments.read(newTss.base + offset, bytes);
      refused = value < 0;
      return value;
    };
    incoming.cr3 = wide ? field(TSS32.cr3, 4) : 0;
    incoming.eip = field(t.eip, size);
    incoming.eflags = field(t.eflags, size) & TSS_EFLAGS;
    const filler = wide ? 0 : TSS16_FILLER;
    for (let i = 0; i < 8; i++) incoming.gpr[i] = filler | field(t.gpr + i * size, size);
    for (let i = 0; i < 6; i++) incoming.sreg[i] = wide || i < 4 ? field(t.sreg + i * size, 2) : 0;
    incoming.ldt = field(t.ldt, 2);
    incoming.trap = wide && (field(TSS32.trap, 1) & 1) !== 0;
    return !refused;
  }

  /** From here on every exception is the new task's. */
  private commit(): Result {
    const { vcpu, segments, incoming, newTss } = this;
    const { vmx } = vcpu;
    const { state } = vcpu.machine;
    segments.putDescriptor(TR, this.selector, newTss);
    if (vcpu.writeCr0(vcpu.cr0 | Cr0.TS, CrLoad.TASK_SWITCH) === CrWrite.STOPPED) return 'stopped';
    vmx.vmwrite(Field.GUEST_DR7, vmx.vmread(Field.GUEST_DR7) & ~Dr7.LOCAL);
    const nests = this.source === TaskSource.CALL || this.source === TaskSource.GATE;
    vmx.vmwrite(Field.GUEST_RIP, incoming.eip);
    vmx.vmwrite(Field.GUEST_RFLAGS, (incoming.eflags | 2 | (nests ? Flag.NT : 0)) >>> 0);
    for (let i = 0; i < 8; i++) if (i !== ESP) state.setGpr(i, incoming.gpr[i]!);
    vmx.vmwrite(Field.GUEST_RSP, incoming.gpr[ESP]!);
    const level = this.level();
    for (let i = 0; i < 6; i++) segments.putEmpty(i, incoming.sreg[i]!, level);
    segments.putEmpty(LDTR, incoming.ldt, 0);
    if (this.virtual8086) for (let i = 0; i < 6; i++) segments.putVirtual8086(i, incoming.sreg[i]!);
    // With paging off, CR3 stays; a 16-bit TSS has none.
    if (!newTss.isWide || (vcpu.cr0 & Cr0.PG) === 0) return 'done';
    const loaded = vcpu.writeCr3(incoming.cr3);
    if (loaded === CrWrite.STOPPED) return 'stopped';
    if (loaded === CrWrite.DONE) return 'done';
    segments.raise(Vector.GP, 0);
    return 'fault';
  }

  private get virtual8086(): boolean {
    return (this.incoming.eflags & Flag.VM) !== 0;
  }
  /** CPL is the RPL of the new CS from the start. */
  private level(): number {
    return this.virtual8086 ? 3 : rpl(this.incoming.sreg[CS]!);
  }

  /** Segment registers, error code, and the checks at the new task's first instruction. */
  private enterTask(): boolean {
    const { segments, incoming, newTss } = this;
    const { sreg } = incoming;
    const level = this.level();
    if (!segments.loadLdt(incoming.ldt)) return false;
    if (!this.virtual8086) {
      if (!segments.loadCode(sreg[CS]!) || !segments.loadStack(sreg[SS]!, level)) return false;
      for (let i = 0; i < 6; i++) {
        if (i !== CS && i !== SS && !segments.loadData(i, sreg[i]!, level)) return false;
      }
    }
    // As wide as the TSS.
    if (this.errorCode !== NO_ERROR && !segments.push(this.errorCode, newTss.isWide ? 4 : 2, level)) return false;
    if (incoming.eip > segments.limit(CS)) return segments.raise(Vector.GP, 0);
    if (incoming.trap) return segments.raise(Vector.DB, NO_ERROR, Dr6.BT);
    return !this.virtualInterruptPending(level) || segments.raise(Vector.GP, 0);
  }

  /** VIF and VIP both set where VIF stands for IF (20.3.2). */
  private virtualInterruptPending(level: number): boolean {
    const { eflags } = this.incoming;
    const both = Flag.VIF | Flag.VIP;
    if ((eflags & both) !== both || (eflags & Flag.IOPL) === Flag.IOPL) return false;
    return this.virtual8086 ? (this.vcpu.cr4 & Cr4.VME) !== 0 : level === 3 && (this.vcpu.cr4 & Cr4.PVI) !== 0;
  }
}

/** Exit reason 9. */
export const exitTaskSwitch = (vcpu: Vcpu): number => {
  const { vmx } = vcpu;
  const qualification = vmx.vmread(Field.EXIT_QUALIFICATION);
  const selector = TaskSwitch.selector(qualification);
  const source = TaskSwitch.source(qualification);
  const event = source === TaskSource.GATE ? vmx.vmread(Field.IDT_VECTORING_INFO) : 0;
  const type = IntrInfo.type(event);
  // CALL, JMP, IRET, INT n, INT3 and INTO resume behind themselves; faults and interrupts where they came.
  const completes = source !== TaskSource.GATE || type >= EventType.SOFTWARE_INTERRUPT;
  const length = completes ? vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN) : 0;
  const errorCode =
    IntrInfo.valid(event) && IntrInfo.hasErrorCode(event) ? vmx.vmread(Field.IDT_VECTORING_ERROR_CODE) : NO_ERROR;
  vcpu.detail0 = selector;
  vcpu.detail1 = source;

  const eip = vcpu.rip;
  const task = new Switch(vcpu, selector, source, errorCode, (vcpu.rip + length) >>> 0);
  const result = task.run();
  if (result === 'stopped') return HandlerOutcome.CRASHED;
  if (result === 'fault') {
    const { vector, error, address } = task.segments.fault;
    const external =
      source === TaskSource.GATE && type !== EventType.SOFTWARE_INTERRUPT && type !== EventType.SOFTWARE_EXCEPTION;
    const named = error !== NO_ERROR && ((SELECTOR_ERROR >>> vector) & 1) === 1;
    vcpu.injectException(vector, named && external ? error | 1 : error, address);
    return vcpu.domain.stopped === undefined ? HandlerOutcome.INJECTED : HandlerOutcome.CRASHED;
  }
  vcpu.eventDelivered = source === TaskSource.GATE;
  if (vcpu.eventDelivered) {
    const error = errorCode === NO_ERROR ? undefined : errorCode;
    vcpu.machine.points.delivered(IntrInfo.vector(event), type, error, eip, vcpu.machine.state.cr2);
  }
  vmx.vmwrite(
    Field.GUEST_INTERRUPTIBILITY_INFO,
    vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO) & ~Blocking.STI_OR_MOV_SS,
  );
  if (completes) vcpu.machine.retire(1);
  return HandlerOutcome.EMULATED;
};
