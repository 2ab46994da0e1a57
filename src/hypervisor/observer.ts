// What the hypervisor tells whoever watches: one method per instrumentation point of the three monitoring functions
// (execution mode, virtualized memory, interrupt controllers) and of what surrounds them, and the codes their arguments use.
// Not a recorder (monitor/recorder.ts): the hypervisor calls `observer?.method(…)` and knows nothing of masks, rings or files.
// Vocabulary: SDM vol. 3 ch. 24-27; Xen's public/trace.h and mm/shadow.

import type { ExitInformation as VmcsExitInformation } from '../machine/vmx/exit-information.ts';

/** The VM-exit information fields; 0 for those that the SDM leaves undefined for this reason. */
export type ExitInformation = Pick<VmcsExitInformation, keyof VmcsExitInformation>;

/**
 * All arguments are numbers; 32-bit ones may be signed or unsigned (only their low 32 bits count), cycles are whole numbers
 * below 2^53 and are cut to 32 bits when recorded. Frames are page-frame numbers. Time, domain, vCPU, EIP, CR3 and CPL are not
 * passed: the recorder reads them from the engine at the moment of the call, so call at the point in time that is meant.
 * An observer changes nothing: the guest and the hypervisor behave the same with none, with any, and under every mask.
 */
export interface HypervisorObserver {
  // Monitoring function 1: execution mode.

  /**
   * After a VM exit, before anything is handled. `reason` is the whole word (bit 31: the VM entry failed). `information` is to be read during
   * the call only.
   */
  vmExit(reason: number, information: ExitInformation): void;
  /**
   * Just before VM entry. `launch`: 1 VMLAUNCH, 0 VMRESUME. `intrInfo`, `intrError`, `instructionLength`: the event to inject
   * (0: none). `hypervisorCycles`: cycles charged to the hypervisor since the exit; they are credited to that exit's reason.
   */
  vmEntry(
    launch: number,
    intrInfo: number,
    intrError: number,
    instructionLength: number,
    hypervisorCycles: number,
  ): void;
  /** VM entry failed. Either `error` (VM-instruction error, VMfailValid) or `reason` (33, 34, 41) and `qualification`. `field`: encoding of the offending VMCS field, 0 unknown. */
  vmEntryFailure(reason: number, qualification: number, error: number, field: number): void;
  /** A VMX instruction, named by its exit reason (18-27, 50, 53). `result`: 0 VMsucceed, -1 VMfailInvalid, n VMfailValid(n). VMREAD and VMWRITE: `field` is the encoding. */
  vmxInstruction(reason: number, result: number, field: number, oldValue: number, newValue: number): void;
  /** A control field of the VMCS changed. `field`: its encoding. `cause`: basic exit reason that led to it, or ControlCause.SETUP. */
  controlChange(field: number, oldValue: number, newValue: number, cause: number): void;
  /**
   * An exit handler finished. `outcome`: HandlerOutcome. `cycles`: what the handler cost. The details say what was handled, by reason:
   * CPUID leaf, subleaf, 0 · RDMSR and WRMSR index, low, high · RDTSC EAX, EDX, 0 · CR access register, value, 0 · others 0, 0, 0.
   */
  handler(reason: number, outcome: number, cycles: number, detail0: number, detail1: number, detail2: number): void;

  // Monitoring function 2: virtualized memory.

  /** The guest's own page fault. `error`: error code. `how`: PageFaultDelivery. */
  guestPageFault(linear: number, error: number, how: number): void;
  /** A fault on the shadow tables and what became of it. `outcome`: ShadowOutcome. `guestEntry`: guest L1 entry (0: none). `flags`: ShadowFlag bits. */
  shadowFault(linear: number, error: number, outcome: number, guestEntry: number, flags: number): void;
  /** An entry of a shadow table was written. `frame`: machine frame of the table; `level` 1, 2 or 3; `cause`: ShadowSetCause. */
  shadowEntrySet(frame: number, level: number, index: number, oldEntry: number, newEntry: number, cause: number): void;
  /** The guest wrote to a page that is one of its page tables. `gfn`: the table; `offset` in bytes; `bytes`: width of the write. */
  guestTableWrite(gfn: number, offset: number, oldEntry: number, newEntry: number, bytes: number): void;
  /** A shadow page came or went. `action`: ShadowPageAction. `type`: ShadowPageType. `frame`: its machine frame. */
  shadowPage(action: number, type: number, gfn: number, frame: number): void;
  /** A guest page became a page table (and was write-protected). `removed`: writable mappings taken away. */
  shadowPromote(gfn: number, type: number, removed: number): void;
  /** A guest page stopped being a page table. `trigger`: DemoteTrigger. */
  shadowDemote(gfn: number, type: number, trigger: number): void;
  /** Writable mappings of a guest page were removed. `how`: WrmapMethod. `removed`: number of mappings. `flushed`: 1 if the TLB had to be flushed. */
  shadowWrmap(gfn: number, how: number, removed: number, flushed: number): void;
  /** CR3 was loaded. `flags`: Cr3Flag bits. */
  cr3Load(oldValue: number, newValue: number, flags: number): void;
  /** CR0 or CR4 was loaded (`cr`). `how`: CrLoad. */
  crLoad(cr: number, oldValue: number, newValue: number, how: number): void;
  /** Translations were dropped. `scope`: TlbScope. `dropped`: shadow entries or TLB entries dropped. */
  tlbFlush(scope: number, linear: number, dropped: number): void;
  /** Memory-mapped I/O by the guest. `size` 1, 2 or 4; `write` 0 or 1. */
  mmio(physical: number, linear: number, size: number, write: number, value: number): void;

  // Monitoring function 3: the virtual interrupt controllers.

  /** A device moved an interrupt line (ISA number 0-15). `level` 0 or 1. `coalesced`: 1 if the edge merged into a pending request. `masked`: 1 if the controller masks it. */
  irqLine(line: number, level: number, coalesced: number, masked: number): void;
  /** The guest programmed an 8259A. `chip` 0 master, 1 slave. `command`: PicCommand. */
  picCommand(chip: number, command: number, value: number): void;
  /** The interrupt-acknowledge cycle. `irq` 0-15, as the PC numbers them. `spurious`: 1 for a vector without a request. */
  picIntack(irq: number, vector: number, spurious: number): void;
  /** End of interrupt. `irq` 0-15, or NO_LINE if nothing was in service. `how`: EoiKind. */
  picEoi(chip: number, irq: number, how: number): void;
  /** An 8254 counter was programmed. `mode` 0-5; `reload` 1-65536; `periodCycles`: clock cycles between two outputs. */
  pitProgram(channel: number, mode: number, reload: number, periodCycles: number): void;
  /** The 8254 counter's output rose. `missed`: periods that passed without an edge since the last one. */
  pitTick(channel: number, missed: number): void;
  /** The interrupt assist decided before a VM entry. `source`: AssistSource. `vector`: NO_VECTOR if not known yet. `decision`: AssistDecision. `blocker`: AssistBlocker. */
  assist(source: number, vector: number, decision: number, blocker: number): void;
  /** Window exiting was switched on. `source`: AssistSource. */
  windowRequest(source: number, blocker: number): void;
  /** The window opened. `waitedCycles`: since the request. */
  windowExit(source: number, waitedCycles: number): void;
  /** An event goes into the VM-entry interruption field. `line`: interrupt line it came from, or NO_LINE. `queuedCycles`: since its edge. `merged`: edges that this one stands for beyond the first. */
  inject(info: number, error: number, line: number, queuedCycles: number, merged: number): void;
  /** An event whose delivery an exit interrupted is injected again. `reason`: that exit's. */
  reinject(idtVectoringInfo: number, idtVectoringError: number, reason: number): void;
  /** The guest got an exception. `how`: ExceptionDelivery. `address`: CR2 of a #PF, DR6 bits of a #DB, else 0. */
  guestException(vector: number, error: number, address: number, how: number): void;

  // Devices, hypercalls, scheduling, domains, the run itself.

  /** IN, OUT, INS, OUTS by the guest. `size` 1, 2 or 4; `write`: 1 for OUT; `string` 0 or 1; `count`: repetitions done at once, 1 if none. */
  portIo(port: number, size: number, write: number, value: number, string: number, count: number): void;
  /** A hypercall returned. `argument0`, `argument1`: EBX and ECX as called; `result`: EAX (negative: -errno). */
  hypercall(number: number, argument0: number, argument1: number, result: number, cycles: number): void;
  /** The current vCPU changed its state. Codes: RunState. */
  runState(oldState: number, newState: number): void;
  /** `memoryKib`: RAM in KiB. */
  domainCreate(domain: number, memoryKib: number): void;
  /** `reason`: ShutdownReason. */
  domainShutdown(domain: number, reason: number): void;
  /** Words of the guest's own choosing. */
  marker(id: number, word0: number, word1: number, word2: number, word3: number): void;
  /** The engine starts or goes on running. */
  runStart(): void;
  /** The engine stops. `reason`: RunStopReason. */
  runStop(reason: number): void;
  /** Input from outside enters the run, the only nondeterminism. `kind`: RunInputKind. `bytes`: how many; `first`: the first byte. */
  runInput(kind: number, bytes: number, first: number): void;
  /** A state hash was taken: its first 16 bytes, as four words in order. */
  runHash(word0: number, word1: number, word2: number, word3: number): void;
}

/** "No such thing" as a line, an IRQ or a vector. */
export const NO_LINE = 0xffff_ffff;
export const NO_VECTOR = 0xffff_ffff;

/** Causes of a control change that are not an exit reason. */
export const ControlCause = { SETUP: 0xffff } as const;

export const HandlerOutcome = { EMULATED: 0, INJECTED: 1, PASSED: 2, IGNORED: 3, BLOCKED: 4, CRASHED: 5 } as const;

/** How the guest got its page fault: straight from the processor, or injected by the hypervisor. */
export const PageFaultDelivery = { DIRECT: 0, INJECTED: 1 } as const;

/** Xen's vocabulary, in the order of TRC_SHADOW's minor numbers 1-11. PROPAGATE is Xen's NOT_SHADOW: the guest's own fault. */
export const ShadowOutcome = {
  PROPAGATE: 1,
  FAST_PROPAGATE: 2,
  FAST_MMIO: 3,
  FALSE_FAST_PATH: 4,
  MMIO: 5,
  FIXUP: 6,
  DOMF_DYING: 7,
  EMULATE: 8,
  UNSHADOW_USER: 9,
  UNSHADOW_EVTINJ: 10,
  UNSHADOW_UNHANDLED: 11,
} as const;

/** Bits of the flags word, as Xen's TRC_SHADOW records have them. */
export const ShadowFlag = {
  SET_AD: 1 << 0,
  SET_A: 1 << 1,
  L1_GET_REF: 1 << 2,
  L1_PUT_REF: 1 << 3,
  L2_PROPAGATE: 1 << 4,
  SET_CHANGED: 1 << 5,
  SET_FLUSH: 1 << 6,
  SET_ERROR: 1 << 7,
  DEMOTE: 1 << 8,
  PROMOTE: 1 << 9,
  WRMAP: 1 << 10,
  WRMAP_GUESS_FOUND: 1 << 11,
  WRMAP_BRUTE_FORCE: 1 << 12,
  EARLY_UNSHADOW: 1 << 13,
  EMULATION_2ND_PT_WRITTEN: 1 << 14,
  EMULATION_LAST_FAILED: 1 << 15,
  EMULATE_FULL_PT: 1 << 16,
  PREALLOC_UNHOOK: 1 << 17,
  UNSYNC: 1 << 18,
  OOS_FIXUP_ADD: 1 << 19,
  OOS_FIXUP_EVICT: 1 << 20,
} as const;

export const ShadowSetCause = { DEMAND: 0, PREFETCH: 1, RESYNC: 2, ACCESSED_DIRTY: 3, GUEST_WRITE: 4, ZAP: 5 } as const;
export const ShadowPageAction = { CREATE: 0, DESTROY: 1, PIN: 2, UNPIN: 3 } as const;
/** Xen's names: l1 and l2 shadow a guest table, fl1 shadows a superpage, mon is the monitor table, blank is unpaged mode's. */
export const ShadowPageType = {
  L1_32: 0,
  FL1_32: 1,
  L2_32: 2,
  L1_PAE: 3,
  FL1_PAE: 4,
  L2_PAE: 5,
  L3_PAE: 6,
  MONITOR: 7,
  BLANK: 8,
} as const;
export const DemoteTrigger = {
  UNHOOKED: 0,
  EARLY_UNSHADOW: 1,
  EMULATION_FAILED: 2,
  USER_WRITE: 3,
  POOL: 4,
  DOMAIN: 5,
} as const;
export const WrmapMethod = { GUESS: 0, BRUTE_FORCE: 1 } as const;
/** FLUSH_ONLY: the value did not change. FIRST_SEEN: this address space was never loaded before. */
export const Cr3Flag = { FLUSH_ONLY: 1, FIRST_SEEN: 2 } as const;
export const CrLoad = { MOV: 0, CLTS: 1, LMSW: 2, TASK_SWITCH: 3 } as const;
export const TlbScope = { PAGE: 0, NON_GLOBAL: 1, ALL: 2 } as const;

export const PicCommand = { ICW1: 0, ICW2: 1, ICW3: 2, ICW4: 3, OCW1: 4, OCW2: 5, OCW3: 6 } as const;
export const EoiKind = { NON_SPECIFIC: 0, SPECIFIC: 1, AUTOMATIC: 2 } as const;
/** Xen's enum hvm_intsrc. */
export const AssistSource = { NONE: 0, PIC: 1, LAPIC: 2, NMI: 3, MCE: 4, VECTOR: 5 } as const;
export const AssistDecision = { NOTHING: 0, INJECT: 1, WINDOW: 2, TPR_THRESHOLD: 3 } as const;
export const AssistBlocker = {
  NONE: 0,
  IF_CLEAR: 1,
  STI_SHADOW: 2,
  MOV_SS_SHADOW: 3,
  NMI_BLOCKED: 4,
  TPR: 5,
  INJECTION_PENDING: 6,
  SINGLE_STEP: 7,
} as const;
export const ExceptionDelivery = { DIRECT: 0, INJECTED: 1, DOUBLE_FAULT: 2, TRIPLE_FAULT: 3 } as const;

/** Xen's RUNSTATE_ values. */
export const RunState = { RUNNING: 0, RUNNABLE: 1, BLOCKED: 2, OFFLINE: 3 } as const;
/** Xen's SHUTDOWN_ values. */
export const ShutdownReason = { POWEROFF: 0, REBOOT: 1, SUSPEND: 2, CRASH: 3, WATCHDOG: 4 } as const;
export const RunStopReason = { SLICE: 0, PAUSED: 1, BREAKPOINT: 2, GUEST_STOPPED: 3, LIMIT: 4 } as const;
export const RunInputKind = { SERIAL: 0, KEYBOARD: 1, MOUSE: 2, NETWORK: 3 } as const;
