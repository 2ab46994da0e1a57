// What the processor's own modules ask VMX: "does this leave the guest?" Not VMX's implementation (vmx.ts); a CPU without
// VMX operation uses NO_VMX. SDM vol. 3, ch. 25 (VMX non-root operation).

import type { Cpu, Operands } from '../cpu/cpu.ts';

/**
 * Each exitOn… hook returns true if a VM exit took place; the caller then returns false at once and changes nothing more.
 * The guest's RIP is saved from `cpu.s.eip` (hooks that are given `op` set it to `op.eip` first).
 */
export interface VmxHooks {
  readonly nonRoot: boolean;
  readonly inVmx: boolean;
  /** In non-root operation: do PAUSE and RDTSC leave the guest? */
  readonly pauseExits: boolean;
  readonly rdtscExits: boolean;
  /**
   * True while the run loop must ask `exitAtBoundary` whenever it is between two translations: window exiting, an expired preemption
   * timer, and what `boundaryStep` stands for. Everything that can open a window (STI, POPF, IRET, the shadow's end) ends a translation.
   */
  readonly boundaryWatch: boolean;
  /** True while it must ask before every instruction: monitor trap flag, pending debug exceptions. */
  readonly boundaryStep: boolean;
  /**
   * An exception is about to be delivered (25.2: exception bitmap, page-fault mask and match). `address`: CR2 of a #PF, DR6 bits of a #DB.
   * Call before CR2 or DR6 change and before `beginDelivery`; not for INT n. `type` (EventType; default: 6 for vectors 3 and 4, else 3)
   * and `instructionLength` (default 1) matter to software exceptions only.
   */
  exitOnException(
    vector: number,
    errorCode: number | undefined,
    address: number,
    type?: number,
    instructionLength?: number,
  ): boolean;
  /** The INTR pin is high and interruptible or not: true if external-interrupt exiting took it. */
  exitOnExternalInterrupt(): boolean;
  /** An NMI arrived, not behind MOV SS: true if NMI exiting took it. */
  exitOnNmi(): boolean;
  /** RFLAGS.IF just became usable and interrupt-window exiting is on. */
  exitOnInterruptWindow(): boolean;
  /**
   * Before an instruction, when `boundaryWatch`: monitor trap flag, pending debug exceptions, preemption timer, NMI window, interrupt
   * window, in order of priority. If it returns false, EIP may still have moved: to the handler of a pending #DB. Asked twice at one
   * boundary, where a run ends and the next begins, it answers the same.
   */
  exitAtBoundary(): boolean;
  /** When `boundaryStep`: an instruction is about to be executed. The monitor trap flag exits behind it. */
  beginStep(): void;
  exitOnTripleFault(): boolean;
  /** qualification: SDM vol. 3, table 27-2 (task switch). `flags`: what the old TSS would get, whose RF the exit saves (27.3.3). */
  exitOnTaskSwitch(selector: number, source: 0 | 1 | 2 | 3, instructionLength: number, flags: number): boolean;
  /** An event being delivered when a further fault or exit happens becomes the IDT-vectoring information. */
  beginDelivery(vector: number, type: number, errorCode: number | undefined, instructionLength: number): void;
  endDelivery(): void;
  /** True under NMI exiting without virtual NMIs: IRET then does not end blocking by NMI (25.3). Absent: false. */
  readonly iretKeepsNmiBlocking?: boolean;

  /** CPUID, HLT, INVD, INVLPG, RDPMC, RDTSC, MWAIT, MONITOR, PAUSE, WBINVD by exit reason: exits if that is so configured. */
  exitOnInstruction(reason: number, qualification: number, op: Operands): boolean;
  /** MOV to CR0, CR3, CR4 (guest/host masks and shadows, CR3-target values). */
  exitOnMovToCr(cr: number, value: number, op: Operands): boolean;
  exitOnMovFromCr(cr: number, op: Operands): boolean;
  exitOnClts(op: Operands): boolean;
  /** `linear`: linear address of a memory operand. */
  exitOnLmsw(source: number, linear: number, op: Operands): boolean;
  /** What software sees in CR0 or CR4: in non-root operation masked bits come from the read shadow. */
  readCr(cr: 0 | 4): number;
  /** What MOV to CR0 or CR4 really writes: in non-root operation masked bits keep their value. */
  mergeCr(cr: 0 | 4, value: number): number;
  /** CLTS in non-root operation with TS owned by the host and shadowed as 0 does nothing (25.3). */
  readonly cltsIgnored: boolean;
  /** True if VMX operation forbids this value of CR0 or CR4 (23.8): the caller raises #GP(0). */
  crForbidden(cr: 0 | 4, value: number): boolean;
  /** `from`: the debug register is read. */
  exitOnMovDr(dr: number, from: boolean, op: Operands): boolean;
  /** IN, OUT, INS, OUTS. `linear`: linear address of the string element, 0 for IN and OUT. `segment`: of OUTS; ES for INS. */
  exitOnIo(
    port: number,
    size: 1 | 2 | 4,
    input: boolean,
    string: boolean,
    immediate: boolean,
    linear: number,
    op: Operands,
  ): boolean;
  exitOnMsr(index: number, write: boolean, op: Operands): boolean;
  /** SGDT, SIDT, LGDT, LIDT (46) and SLDT, STR, LLDT, LTR (47) under descriptor-table exiting. `which`: 0 to 3 in this order. */
  exitOnDescriptorTable(reason: 46 | 47, which: number, op: Operands): boolean;
  /** Added to the time-stamp counter as RDTSC and RDMSR see it in non-root operation; two halves, modulo 2^64. */
  readonly tscOffsetLow: number;
  readonly tscOffsetHigh: number;
  /**
   * A VM exit is pending. True: root software has answered it and entered the guest again, which may run on. False: the run loop must return to it,
   * answered or not.
   */
  answerExit(): boolean;
  /** Executes a VMX instruction, named by its exit reason (18 to 27, 50, 53). #UD outside VMX-capable states. */
  instruction(cpu: Cpu, reason: number, op: Operands): boolean;
  /** The VMX capability MSRs (480h to 491h): low and high halves into `out`, or false if there is none of that number. */
  readCapability(index: number, out: { low: number; high: number }): boolean;
}

/** A processor that is not in VMX operation. */
export const NO_VMX: VmxHooks = {
  nonRoot: false,
  inVmx: false,
  pauseExits: false,
  rdtscExits: false,
  boundaryWatch: false,
  boundaryStep: false,
  exitOnException: () => false,
  exitOnExternalInterrupt: () => false,
  exitOnNmi: () => false,
  exitOnInterruptWindow: () => false,
  exitAtBoundary: () => false,
  beginStep: () => undefined,
  exitOnTripleFault: () => false,
  exitOnTaskSwitch: () => false,
  beginDelivery: () => undefined,
  endDelivery: () => undefined,
  exitOnInstruction: () => false,
  exitOnMovToCr: () => false,
  exitOnMovFromCr: () => false,
  exitOnClts: () => false,
  exitOnLmsw: () => false,
  readCr: () => 0,
  mergeCr: (_cr, value) => value,
  cltsIgnored: false,
  crForbidden: () => false,
  exitOnMovDr: () => false,
  exitOnIo: () => false,
  exitOnMsr: () => false,
  exitOnDescriptorTable: () => false,
  tscOffsetLow: 0,
  tscOffsetHigh: 0,
  answerExit: () => false,
  instruction: (cpu) => cpu.raise(6),
  readCapability: () => false,
};
