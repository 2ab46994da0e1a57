// The event kinds: ONE table of names, numbers, groups, operands and counterparts in Xen and KVM. Recorder, panels, exports and
// docs read it. Not how a record is packed (record.ts) and not when an event happens (hypervisor/observer.ts).
// Ids and fields: docs of the three monitoring functions; Xen's public/trace.h; Linux's arch/x86/kvm/trace.h.

import type { OperandFormat } from './codes.ts';

export type EventGroup = 'mode' | 'memory' | 'interrupt' | 'sched' | 'device' | 'control';

export interface OperandInfo {
  readonly name: string;
  readonly format: OperandFormat;
}

export interface EventInfo {
  /** Stable name: masks, queries, files. */
  readonly id: string;
  /** Stable number, 0-63: bit in the mask, low half of a record's first word. */
  readonly number: number;
  readonly group: EventGroup;
  /** At most five, in the order of the record's operand words. */
  readonly operands: readonly OperandInfo[];
  /** Event number in Xen's trace format, for paging levels 2 where that matters; undefined: ours only, or several by operand. */
  readonly xen: number | undefined;
  /** Tracepoint of Linux's KVM; undefined: ours only. */
  readonly kvm: string | undefined;
  readonly text: string;
}

type Row = readonly [
  number: number,
  group: EventGroup,
  operands: string,
  xen: number | undefined,
  kvm: string | undefined,
  text: string,
];

// Operands are written `name:format`.
// prettier-ignore
const TABLE = {
  'vmx.exit': [0, 'mode', 'reason:reason qualification:hex intrInfo:event intrError:hex instructionLength:dec', 0x81002, 'kvm_exit',
    'The guest left VMX non-root operation'],
  'vmx.exit.info': [1, 'mode', 'linear:address physical:physical idtVectoringInfo:event idtVectoringError:hex instructionInfo:hex', undefined, undefined,
    'The rest of the exit before it; only if there is any'],
  'vmx.entry': [2, 'mode', 'launch:bool intrInfo:event intrError:hex instructionLength:dec hypervisorCycles:cycles', 0x81001, 'kvm_entry',
    'The guest goes on, perhaps with an event injected'],
  'vmx.entry_fail': [3, 'mode', 'reason:reason qualification:hex error:dec field:field-encoding', undefined, undefined,
    'A check refused the VM entry'],
  'vmx.insn': [4, 'mode', 'instruction:reason result:signed field:field-encoding old:hex new:hex', undefined, undefined,
    'A VMX instruction and its result'],
  'vmx.ctl_change': [5, 'mode', 'field:field-encoding old:hex new:hex cause:cause', undefined, undefined,
    'A control field of the VMCS changed'],
  'vmx.handler': [6, 'mode', 'lead:lead cycles:cycles detail0:hex detail1:hex detail2:hex', undefined, undefined,
    'An exit handler finished: what it handled, how it went, what it cost'],

  'mem.guest_pf': [8, 'memory', 'linear:address error:pf-error how:delivery', 0x82002, 'kvm_inj_exception',
    'A page fault of the guest\'s own'],
  'shadow.fault': [9, 'memory', 'linear:address error:pf-error outcome:shadow guestEntry:hex flags:shadow-flags', undefined, 'kvm_page_fault',
    'A fault on the shadow tables and what became of it'],
  'shadow.entry_set': [10, 'memory', 'frame:frame slot:slot old:hex new:hex', undefined, 'kvm_mmu_set_spte',
    'An entry of a shadow table was written'],
  'shadow.pt_write': [11, 'memory', 'gfn:frame offset:hex old:hex new:hex bytes:dec', undefined, 'kvm_emulate_insn',
    'The guest wrote to one of its page tables'],
  'shadow.page': [12, 'memory', 'action:shadow-action type:shadow-type gfn:frame frame:frame', undefined, 'kvm_mmu_get_page',
    'A shadow page came or went'],
  'shadow.promote': [13, 'memory', 'gfn:frame type:shadow-type removed:dec', undefined, undefined,
    'A guest page became a page table'],
  'shadow.demote': [14, 'memory', 'gfn:frame type:shadow-type trigger:demote', undefined, undefined,
    'A guest page stopped being a page table'],
  'shadow.wrmap': [15, 'memory', 'gfn:frame how:wrmap removed:dec flushed:bool', undefined, undefined,
    'Writable mappings of a guest page were removed'],
  'mem.cr3': [17, 'memory', 'old:physical new:physical flags:cr3-flags', 0x82009, 'kvm_cr',
    'CR3 was loaded'],
  'mem.cr': [18, 'memory', 'cr:dec old:hex new:hex how:cr-load', 0x82009, 'kvm_cr',
    'CR0 or CR4 was loaded'],
  'mem.tlb': [19, 'memory', 'scope:tlb-scope linear:address dropped:dec', 0x82014, undefined,
    'Translations were dropped'],
  'mem.mmio': [20, 'memory', 'physical:physical linear:address access:access value:hex', 0x82017, 'kvm_mmio',
    'Memory-mapped I/O by the guest'],

  'irq.line': [24, 'interrupt', 'line:line level:dec coalesced:bool masked:bool', 0x8400e, 'kvm_pic_set_irq',
    'A device raised or lowered an interrupt line'],
  'pic.cmd': [25, 'interrupt', 'chip:chip command:pic-command value:hex8', undefined, undefined,
    'The guest programmed an 8259A'],
  'pic.intack': [26, 'interrupt', 'irq:line vector:vector spurious:bool', 0x8400d, 'kvm_ack_irq',
    'The interrupt-acknowledge cycle'],
  'pic.eoi': [27, 'interrupt', 'chip:chip irq:line how:eoi', undefined, 'kvm_ack_irq',
    'End of interrupt'],
  'pit.program': [28, 'interrupt', 'channel:dec mode:dec reload:dec period:cycles', 0x84002, undefined,
    'An 8254 counter was programmed'],
  'pit.tick': [29, 'interrupt', 'channel:dec missed:dec', 0x84009, undefined,
    'The 8254 counter\'s output rose'],
  'irq.assist': [30, 'interrupt', 'source:assist-source vector:vector decision:assist-decision blocker:assist-blocker', 0x82020, undefined,
    'The decision about a pending interrupt before a VM entry, and what blocks it'],
  'irq.window_req': [31, 'interrupt', 'source:assist-source blocker:assist-blocker', 0x82020, undefined,
    'Window exiting was switched on'],
  'irq.window_exit': [32, 'interrupt', 'source:assist-source waited:cycles', undefined, undefined,
    'The window opened'],
  'irq.inject': [33, 'interrupt', 'info:event error:hex line:line queued:cycles merged:dec', 0x82004, 'kvm_inj_virq',
    'An event goes into the VM-entry interruption field'],
  'irq.reinject': [34, 'interrupt', 'info:event error:hex reason:reason', 0x82005, undefined,
    'An event whose delivery an exit interrupted is injected again'],
  'exc.guest': [35, 'interrupt', 'vector:trap error:hex address:address how:exception', 0x82003, 'kvm_inj_exception',
    'The guest got an exception'],

  'sched.runstate': [40, 'sched', 'old:run-state new:run-state', 0x21001, undefined,
    'A vCPU changed its run state'],
  'dom.create': [41, 'sched', 'domain:dec memoryKib:dec', 0x28001, undefined, 'A domain was made'],
  'dom.shutdown': [43, 'sched', 'domain:dec reason:shutdown', 0x28007, undefined, 'A domain shut down'],
  'hcall': [44, 'sched', 'number:dec ebx:hex ecx:hex result:signed cycles:cycles', 0x82012, 'kvm_hypercall',
    'A hypercall returned'],

  'io.pio': [48, 'device', 'port:port access:access value:hex count:dec', 0x82016, 'kvm_pio',
    'Port I/O by the guest'],

  'mon.hypercall': [52, 'control', 'subop:dec result:signed address:address', undefined, undefined,
    'observe_op was called'],
  'mon.highwater': [53, 'control', 'held:dec capacity:dec', undefined, undefined,
    'The store is half full'],
  'mon.lost': [54, 'control', 'count:dec firstLow:hex firstHigh:hex lastLow:hex lastHigh:hex', 0x1f001, undefined,
    'Records were lost between two instruction counts'],
  'mon.config': [55, 'control', 'oldLow:hex oldHigh:hex newLow:hex newHigh:hex', undefined, undefined,
    'The mask of recorded kinds changed'],
  'guest.marker': [56, 'control', 'id:hex word0:hex word1:hex word2:hex word3:hex', undefined, undefined,
    'Words of the guest\'s own choosing'],
  'run.start': [57, 'control', '', undefined, undefined, 'The engine runs'],
  'run.stop': [58, 'control', 'reason:run-stop', undefined, undefined, 'The engine stops'],
  'run.input': [59, 'control', 'kind:run-input bytes:dec first:hex8', undefined, undefined, 'Input from outside'],
  'run.hash': [60, 'control', 'word0:hex word1:hex word2:hex word3:hex', undefined, undefined, 'A state hash was taken'],
} as const satisfies Readonly<Record<string, Row>>;

export type EventId = keyof typeof TABLE;

/** Kind numbers by id: `Kind['vmx.exit']` is 0. */
export const Kind = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([id, row]) => [id, row[0]])),
) as unknown as { readonly [K in EventId]: (typeof TABLE)[K][0] };

/** Kinds fit a 64-bit mask. */
export const KINDS = 64;

const parse = (operands: string): OperandInfo[] =>
  operands
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [name = '', format = 'hex'] = word.split(':');
      return { name, format: format as OperandFormat };
    });

/** In order of numbers. */
export const EVENTS: readonly EventInfo[] = (Object.entries(TABLE) as [string, Row][]).map(
  ([id, [number, group, operands, xen, kvm, text]]) => ({
    id,
    number,
    group,
    operands: parse(operands),
    xen,
    kvm,
    text,
  }),
);

/** By number; numbers nobody uses are undefined. */
export const EVENT_BY_NUMBER: readonly (EventInfo | undefined)[] = Array.from({ length: KINDS }, (_, number) =>
  EVENTS.find((event) => event.number === number),
);

/** A set of kinds: bit n of the 64 is kind n. Both halves unsigned. */
export interface EventMask {
  readonly low: number;
  readonly high: number;
}

export const MASK_NONE: EventMask = { low: 0, high: 0 };
export const MASK_ALL: EventMask = maskOfNumbers(EVENTS.map((event) => event.number));

function maskOfNumbers(numbers: readonly number[]): EventMask {
  let low = 0;
  let high = 0;
  for (const n of numbers) {
    if (n < 32) low |= 1 << n;
    else high |= 1 << (n - 32);
  }
  return { low: low >>> 0, high: high >>> 0 };
}

/**
 * The mask of a user's list: ids ("vmx.exit"), groups ("memory"), first parts ("shadow"), "all" and "none" are accepted.
 * A name that is none of these is returned in `unknown`, so that the caller can say which file or option has it.
 */
export const maskOf = (list: readonly string[]): { readonly mask: EventMask; readonly unknown: readonly string[] } => {
  const numbers: number[] = [];
  const unknown: string[] = [];
  for (const word of list) {
    const hits = EVENTS.filter(
      (e) => word === 'all' || e.id === word || e.group === word || e.id.startsWith(`${word}.`),
    ).map((e) => e.number);
    if (hits.length === 0 && word !== 'none') unknown.push(word);
    numbers.push(...hits);
  }
  return { mask: maskOfNumbers(numbers), unknown };
};

/** Ids in a mask, in order of numbers. */
export const idsOf = (mask: EventMask): EventId[] =>
  EVENTS.filter((e) => (((e.number < 32 ? mask.low : mask.high) >>> (e.number & 31)) & 1) === 1).map(
    (e) => e.id as EventId,
  );
