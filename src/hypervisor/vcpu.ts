// One virtual processor: what the guest sees of its control registers against what is really loaded, event injection, and
// completing an instruction for it. Not the exit handlers (exits.ts) and not shadow paging (shadow/). SDM vol. 3, 24.6.6 and 26.5.

import { Breakpoints, type BreakpointState } from '../machine/cpu/breakpoints.ts';
import { Dr7, dr6WithDebug, dr7WithDebug } from '../machine/cpu/debug-registers.ts';
import { Blocking, Cr0, Cr4, Flag } from '../machine/cpu/state.ts';
import { type Persistent, saveFields } from '../machine/snapshot.ts';
import { TimelessEvents } from '../machine/timeless-events.ts';
import { Field } from '../machine/vmx/fields.ts';
import { EventType, IntrInfo, PendingDebug, pendingBreakpoints } from '../machine/vmx/qualification.ts';
import type { BootState } from './boot/image.ts';
import type { Domain } from './domain.ts';
import { GuestContext } from './guest-context.ts';
import { GuestMsrs } from './guest-msrs.ts';
import type { Machine, VmxPort } from './machine.ts';
import { CrLoad, ExceptionDelivery, NO_LINE, PageFaultDelivery } from './observer.ts';
import { RunStates } from './run-states.ts';
import { GuestAccess, type GuestAccessSaved } from './shadow/guest-access.ts';
import type { ShadowPaging, ShadowSaved } from './shadow/paging.ts';
import { WIDE_ZERO } from '../machine/wide-number.ts';

export const Vector = { DB: 1, UD: 6, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14 } as const;
/** "This exception has no error code." */
export const NO_ERROR = -1;

/** What a control-register write came to. */
export const CrWrite = { DONE: 0, GENERAL_PROTECTION: 1, STOPPED: 2 } as const;
export type CrWrite = (typeof CrWrite)[keyof typeof CrWrite];

/** Contributory exceptions (SDM vol. 3, table 6-4): #DE #TS #NP #SS #GP. */
const CONTRIBUTORY = (1 << 0) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13);
const isContributory = (vector: number): boolean => ((CONTRIBUTORY >>> vector) & 1) === 1;

/** SDM vol. 3, table 6-5: what follows when `second` comes while `first` is being delivered. */
export const combineExceptions = (first: number, second: number): 'serial' | 'double' | 'triple' => {
  if (first === Vector.DF) return isContributory(second) || second === Vector.PF ? 'triple' : 'serial';
  if (first === Vector.PF) return second === Vector.PF || isContributory(second) ? 'double' : 'serial';
  return isContributory(first) && isContributory(second) ? 'double' : 'serial';
};

const FIELDS = [
  'cr0', 'cr4', 'launched', 'blocked', 'outsideVmx', 'eventDelivered', 'deliversOutside', 'exitWaits', 'sliceEnd', 'detail0', 'detail1', 'detail2',
] as const; // prettier-ignore

export interface VcpuSaved {
  readonly fields: Pick<Vcpu, (typeof FIELDS)[number]>;
  readonly unfinishedIo: { readonly elements: number; readonly data: number };
  readonly timeless: readonly [number, number];
  readonly breakpoints: BreakpointState;
  readonly msrs: Uint32Array;
  readonly context: Uint32Array;
  readonly states: readonly number[];
  readonly access: GuestAccessSaved;
  readonly shadow: ShadowSaved;
}

export class Vcpu implements Persistent<VcpuSaved> {
  readonly vmx: VmxPort;
  readonly access: GuestAccess;
  readonly msrs = new GuestMsrs();
  /** Its registers while another vCPU has the processor. */
  readonly context = new GuestContext();
  readonly states: RunStates;
  private readonly breakpoints = new Breakpoints();
  /** CR0 and CR4 as the guest sees them; CR3 is `shadow.mode.cr3`. */
  cr0 = WIDE_ZERO;
  cr4 = 0;
  /** VMLAUNCH has succeeded once on this VMCS. */
  launched = false;
  /** Exceptions injected without an instruction between them: a guest whose handler faults at once. */
  readonly timeless = new TimelessEvents();
  /** Waiting in HLT for an interrupt. */
  blocked = false;
  /** In a state that VM entry refuses (real-mode.ts). */
  outsideVmx = false;
  /** The handler of this exit has delivered the event whose delivery the exit interrupted (through a task gate). */
  eventDelivered = false;
  /** The event in the entry fields must be delivered by the hypervisor: the processor cannot write its frame (page tables, devices). */
  deliversOutside = false;
  /** A debugger has stopped the machine at this exit: its handler is still to come. */
  exitWaits = false;
  /** Where the slice ends, in cycles: no handler retires instructions beyond it. */
  sliceEnd = Infinity;
  /** Elements of a REP INS or OUTS done in earlier slices at this exit, which is still being handled if there are any; and the last one's data. */
  readonly unfinishedIo = { elements: 0, data: 0 };
  /** What the handler of this exit tells the observer (observer.ts `handler`). */
  detail0 = 0;
  detail1 = 0;
  detail2 = 0;

  constructor(
    readonly domain: Domain,
    readonly id: number,
    readonly machine: Machine,
    readonly shadow: ShadowPaging,
    /** Machine address of the VMCS region. */
    readonly vmcsAddress: number,
  ) {
    this.vmx = machine.vmx;
    this.access = new GuestAccess(shadow, domain.p2m);
    this.states = new RunStates(machine.clock.now);
  }

  /** First state of the control registers and general registers; the VMCS must be current. False: the shadow pool is too small. */
  start(boot: BootState): boolean {
    const state = this.machine.state;
    [boot.eax, boot.ecx, boot.edx, boot.ebx, boot.esp, boot.ebp, boot.esi, boot.edi].forEach((value, n) =>
      state.setGpr(n, value),
    );
    state.cr2 = 0;
    this.cr0 = (boot.cr0 | Cr0.ET) >>> 0;
    this.cr4 = boot.cr4 >>> 0;
    const mode = this.shadow.mode;
    mode.wp = (this.cr0 & Cr0.WP) !== 0;
    mode.pse = (this.cr4 & Cr4.PSE) !== 0;
    mode.pge = (this.cr4 & Cr4.PGE) !== 0;
    mode.pae = (this.cr4 & Cr4.PAE) !== 0;
    return this.loadMode(false);
  }

  get rip(): number {
    return this.vmx.vmread(Field.GUEST_RIP);
  }
  /** Linear address of the instruction at RIP. */
  get codeAddress(): number {
    return (this.vmx.vmread(Field.GUEST_CS_BASE) + this.rip) >>> 0;
  }
  /** CPL is SS.DPL (SDM vol. 3, 24.4.1). */
  get cpl(): number {
    return (this.vmx.vmread(Field.GUEST_SS_AR_BYTES) >>> 5) & 3;
  }

  /** VM entry would accept the mode and the segments. */
  get canEnter(): boolean {
    return !this.deliversOutside && (this.cr0 & Cr0.PE) !== 0 && this.vmx.guestSegmentsValid();
  }

  /** The exiting instruction is done: RIP moves on, blocking by STI and MOV SS ends, a trap flag makes its #DB pending. */
  completeInstruction(): void {
    const vmx = this.vmx;
    // As in the processor, EIP does not wrap at the end of a 16-bit segment: the next fetch is beyond the limit.
    vmx.vmwrite(Field.GUEST_RIP, (vmx.vmread(Field.GUEST_RIP) + vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN)) >>> 0);
    this.finishEmulated();
  }

  /** The machine has executed an instruction (or a repetition of one) for the guest: the same, except for RIP. */
  finishEmulated(): void {
    const vmx = this.vmx;
    const blocking = vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO);
    if ((blocking & Blocking.STI_OR_MOV_SS) !== 0)
      vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, blocking & ~Blocking.STI_OR_MOV_SS);
    if ((vmx.vmread(Field.GUEST_RFLAGS) & Flag.TF) !== 0) this.pendDebug(PendingDebug.SINGLE_STEP);
    this.machine.retire(1);
  }

  pendDebug(bits: number): void {
    const { vmx } = this;
    vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS) | bits);
  }

  /**
   * An instruction of the guest's has used a port, and `bytes` of memory at `linear` if that is not negative: breakpoints there become pending.
   * True if there is one (SDM vol. 3, 17.3.1.2 and 17.3.1.3).
   */
  meetBreakpoints(port: number, bytes: number, linear: number, write: boolean): boolean {
    const { vmx, breakpoints } = this;
    const dr7 = vmx.vmread(Field.GUEST_DR7);
    if ((dr7 & Dr7.ENABLES) === 0) return this.machine.points.halted;
    breakpoints.refresh({ cr4: this.cr4, dr: (n) => (n === 7 ? dr7 : this.machine.state.dr(n)) });
    breakpoints.meetIo(port, bytes);
    const met = breakpoints.met | (linear < 0 ? 0 : breakpoints.atData(linear, bytes, write));
    breakpoints.met = 0;
    if (met !== 0) this.pendDebug(pendingBreakpoints(met));
    return met !== 0 || this.machine.points.halted;
  }

  /**
   * Injects a hardware exception at the next entry. If the exit interrupted the delivery of another exception, the two combine to a double
   * fault, or to a triple fault, which stops the domain. `address`: CR2 of a #PF, DR6 bits of a #DB: what the processor does with them before it
   * enters a handler, an injected exception does not (26.6.1). `exited`: an exit led here, whose fields are current.
   */
  injectException(vector: number, errorCode: number, address = 0, exited = true): void {
    const { vmx, domain, machine } = this;
    if (this.timeless.add(machine.clock.now)) machine.retire(1);
    let how: number = ExceptionDelivery.INJECTED;
    const idtv = exited ? vmx.vmread(Field.IDT_VECTORING_INFO) : 0;
    if (IntrInfo.valid(idtv) && IntrInfo.type(idtv) === EventType.HARDWARE_EXCEPTION) {
      const combined = combineExceptions(IntrInfo.vector(idtv), vector);
      if (combined === 'triple') {
        domain.observer?.guestException(vector, errorCode, address, ExceptionDelivery.TRIPLE_FAULT);
        domain.stopTripleFault(vector, errorCode, address);
        return;
      }
      if (combined === 'double') {
        vector = Vector.DF;
        errorCode = 0;
        how = ExceptionDelivery.DOUBLE_FAULT;
      }
    }
    if (vector === Vector.PF) {
      this.machine.state.cr2 = address;
      domain.observer?.guestPageFault(address, errorCode, PageFaultDelivery.INJECTED);
    } else if (vector === Vector.DB) {
      machine.state.setDr(6, dr6WithDebug(machine.state.dr(6), address));
      vmx.vmwrite(Field.GUEST_DR7, dr7WithDebug(vmx.vmread(Field.GUEST_DR7)));
    }
    const info = IntrInfo.encode(vector, EventType.HARDWARE_EXCEPTION, errorCode !== NO_ERROR);
    vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, info);
    if (errorCode !== NO_ERROR) vmx.vmwrite(Field.VM_ENTRY_EXCEPTION_ERROR_CODE, errorCode);
    const error = errorCode === NO_ERROR ? 0 : errorCode;
    domain.observer?.guestException(vector, error, address, how);
    domain.observer?.inject(info, error, NO_LINE, 0, 0);
  }

  /** The fault that an emulated access left in the access object. */
  injectAccessFault(exited = true): void {
    this.injectException(this.access.faultVector, this.access.faultError, this.access.faultAddress, exited);
  }

  // Control registers.

  writeCr0(value: number, how: number): CrWrite {
    value = (value | Cr0.ET) >>> 0;
    if ((value & Cr0.PG) !== 0 && (value & Cr0.PE) === 0) return CrWrite.GENERAL_PROTECTION;
    if ((value & Cr0.NW) !== 0 && (value & Cr0.CD) === 0) return CrWrite.GENERAL_PROTECTION;
    if ((value & Cr0.PE) === 0) this.outsideVmx = true;
    const old = this.cr0;
    const mode = this.shadow.mode;
    const paging = (value & Cr0.PG) !== 0;
    if (
      paging &&
      mode.pae &&
      ((old ^ value) & (Cr0.PG | Cr0.CD | Cr0.NW)) !== 0 &&
      !this.shadow.walker.loadPdptes(mode.cr3)
    ) {
      return CrWrite.GENERAL_PROTECTION;
    }
    this.cr0 = value;
    mode.wp = (value & Cr0.WP) !== 0;
    const changed = paging !== mode.paging;
    mode.paging = paging;
    this.domain.observer?.crLoad(0, old, value, how);
    if (changed) {
      if (!this.loadMode(false)) return CrWrite.STOPPED;
    } else this.loadCr0();
    return CrWrite.DONE;
  }

  writeCr3(value: number): CrWrite {
    const mode = this.shadow.mode;
    if (mode.paging && mode.pae && !this.shadow.walker.loadPdptes(value)) return CrWrite.GENERAL_PROTECTION;
    const old = mode.cr3;
    mode.cr3 = value >>> 0;
    if (!mode.paging) return CrWrite.DONE;
    if (!this.shadow.loadCr3(old)) return this.outOfPool();
    this.vmx.vmwrite(Field.GUEST_CR3, this.shadow.shadowCr3);
    return CrWrite.DONE;
  }

  writeCr4(value: number): CrWrite {
    const implemented = this.vmx.capabilities.cr4Fixed1 & ~Cr4.VMXE;
    if ((value & ~implemented) !== 0) return CrWrite.GENERAL_PROTECTION;
    const old = this.cr4;
    const mode = this.shadow.mode;
    const flushes = ((old ^ value) & (Cr4.PSE | Cr4.PAE | Cr4.PGE)) !== 0;
    const pae = (value & Cr4.PAE) !== 0;
    if (flushes && mode.paging && pae && !this.shadow.walker.loadPdptes(mode.cr3)) return CrWrite.GENERAL_PROTECTION;
    this.cr4 = value >>> 0;
    mode.pse = (value & Cr4.PSE) !== 0;
    mode.pge = (value & Cr4.PGE) !== 0;
    mode.pae = pae;
    this.domain.observer?.crLoad(4, old, value, CrLoad.MOV);
    if (!flushes) this.loadCr4();
    else if (!this.loadMode(((old ^ value) & Cr4.PSE) !== 0)) return CrWrite.STOPPED;
    return CrWrite.DONE;
  }

  private outOfPool(): CrWrite {
    this.domain.stop({
      kind: 'unsupported',
      message: 'the shadow pool is too small for one address space',
      details: [],
    });
    return CrWrite.STOPPED;
  }

  /** New paging mode: roots, and the real control registers that go with them. `drop`: no shadow survives. */
  private loadMode(drop: boolean): boolean {
    if (!this.shadow.changeMode(drop)) {
      this.outOfPool();
      return false;
    }
    this.loadCr0();
    this.loadCr4();
    this.vmx.vmwrite(Field.GUEST_CR3, this.shadow.shadowCr3);
    return true;
  }

  /** Really loaded: the guest's CR0 with what VMX and shadow paging need (PE, PG, NE; WP, so that page tables stay write-protected). */
  private loadCr0(): void {
    const real = (this.cr0 | this.vmx.capabilities.cr0Fixed0 | Cr0.PE | Cr0.PG | Cr0.WP) >>> 0;
    this.vmx.vmwrite(Field.GUEST_CR0, real);
    this.vmx.vmwrite(Field.CR0_READ_SHADOW, this.cr0);
  }
  private loadCr4(): void {
    const pae = this.shadow.shadowIsPae ? Cr4.PAE : 0;
    const real = ((this.cr4 & ~Cr4.PAE) | pae | this.vmx.capabilities.cr4Fixed0) >>> 0;
    this.vmx.vmwrite(Field.GUEST_CR4, real);
    this.vmx.vmwrite(Field.CR4_READ_SHADOW, this.cr4);
  }

  saveState(): VcpuSaved {
    return {
      fields: saveFields(this, FIELDS),
      unfinishedIo: { ...this.unfinishedIo },
      timeless: this.timeless.saveState(),
      breakpoints: this.breakpoints.saveState(),
      msrs: this.msrs.words.slice(),
      context: this.context.saveState(),
      states: this.states.saveState(),
      access: this.access.saveState(),
      shadow: this.shadow.saveState(),
    };
  }
  loadState(state: VcpuSaved): void {
    Object.assign(this, state.fields);
    Object.assign(this.unfinishedIo, state.unfinishedIo);
    this.timeless.loadState(state.timeless);
    this.breakpoints.loadState(state.breakpoints);
    this.msrs.words.set(state.msrs);
    this.context.loadState(state.context);
    this.states.loadState(state.states);
    this.access.loadState(state.access);
    this.shadow.loadState(state.shadow);
  }
}
