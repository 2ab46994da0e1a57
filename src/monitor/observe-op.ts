// observe_op, hypercall 48 (Xen's arch_0): how domain 0 and the extension fetch what was observed. EBX is the sub-operation, ECX the
// linear address of its structure; the result is 0 or a negative errno. Not the VMCALL handler: the hypervisor calls `observeOp`
// with a caller. Structures, errors and the order of the checks are those of the guest header kansoku.h.

import { ExitReason } from '../machine/vmx/exit-reasons.ts';
import { EVENTS } from './events.ts';
import { DOMAIN_REASONS } from './metrics.ts';
import { CONTEXT_CPL, RECORD_BYTES, RECORD_WORDS, Word } from './record.ts';
import type { Recorder } from './recorder.ts';
import type { RecordSlice } from './store.ts';

export const OBSERVE_OP_HYPERCALL = 48;
export const OBSERVE_OP_VERSION = 1;

/** Sub-operations. */
export const ObserveOp = {
  INFO: 0,
  SET_MASK: 1,
  GET_MASK: 2,
  ENABLE: 3,
  DISABLE: 4,
  READ_RECORDS: 5,
  DOMAIN_COUNTERS: 6,
  /** Not in this release: -ENOSYS; so are UNWATCH_MEMORY, SET_WEIGHT and SET_POLICY. */
  WATCH_MEMORY: 7,
  UNWATCH_MEMORY: 8,
  MARKER: 9,
  SET_WEIGHT: 10,
  SET_POLICY: 11,
} as const;

/** Xen's and Linux's numbers. */
export const Errno = { EPERM: 1, EFAULT: 14, EINVAL: 22, ENOSYS: 38 } as const;

/** Who calls. Addresses are the caller's linear ones; undefined and false: not mapped, or not writable. */
export interface ObserveCaller {
  readonly domain: number;
  readonly cpl: number;
  readGuest(linear: number, bytes: number): Uint8Array | undefined;
  writeGuest(linear: number, bytes: Uint8Array): boolean;
}

/** What only the hypervisor knows of a domain. */
export interface DomainFacts {
  readonly instructions: number;
  readonly guestCycles: number;
  readonly weight: number;
}

export interface Observed {
  readonly recorder: Recorder;
  /** Undefined: no such domain. */
  domain(id: number): DomainFacts | undefined;
}

/** A structure in the caller's memory, word by word. */
class Structure {
  readonly view: DataView;
  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {
    this.view = new DataView(bytes.buffer);
  }
  get(word: number): number {
    return this.view.getUint32(word * 4, true);
  }
  get64(word: number): number {
    return this.get(word + 1) * 0x1_0000_0000 + this.get(word);
  }
  set(word: number, value: number): void {
    this.view.setUint32(word * 4, value, true);
  }
  set64(word: number, value: number): void {
    this.set(word, value);
    this.set(word + 1, Math.floor(value / 0x1_0000_0000));
  }
}

interface Operation {
  /** Size of the structure. */
  readonly words: number;
  /** True: the structure is written back if the result is 0. */
  readonly out: boolean;
  run(observed: Observed, s: Structure, caller: ObserveCaller): number;
}

const KIND_COUNT = Math.max(...EVENTS.map((event) => event.number)) + 1;
/** Mask bits that are no kind, in the high half. */
const BEYOND = ~((1 << (KIND_COUNT - 32)) - 1);
const READ_CAPACITY = 65536;

/** Word numbers count from the structure's start; words 0 and 1 are the header. */
const OPERATIONS: Readonly<Record<number, Operation>> = {
  [ObserveOp.INFO]: {
    words: 6,
    out: true,
    run({ recorder }, s) {
      s.set(2, OBSERVE_OP_VERSION);
      s.set(3, KIND_COUNT);
      s.set(4, Math.min(recorder.store.capacity, Math.floor(0xffff_ffff / RECORD_BYTES)) * RECORD_BYTES);
      s.set(5, RECORD_BYTES);
      return 0;
    },
  },
  [ObserveOp.SET_MASK]: {
    words: 4,
    out: false,
    run({ recorder }, s) {
      if ((s.get(3) & BEYOND) !== 0) return -Errno.EINVAL;
      recorder.mask = { low: s.get(2), high: s.get(3) };
      return 0;
    },
  },
  [ObserveOp.GET_MASK]: {
    words: 4,
    out: true,
    run({ recorder }, s) {
      s.set(2, recorder.mask.low);
      s.set(3, recorder.mask.high);
      return 0;
    },
  },
  [ObserveOp.ENABLE]: {
    words: 2,
    out: false,
    run({ recorder }) {
      recorder.enabled = true;
      return 0;
    },
  },
  [ObserveOp.DISABLE]: {
    words: 2,
    out: false,
    run({ recorder }) {
      recorder.enabled = false;
      return 0;
    },
  },
  [ObserveOp.READ_RECORDS]: {
    words: 10,
    out: true,
    run({ recorder }, s, caller) {
      const capacity = s.get(3);
      const wanted = s.get64(8);
      if (capacity < 1 || capacity > READ_CAPACITY || s.get(5) !== 0) return -Errno.EINVAL;
      const slice = recorder.recordsSoFar(wanted, capacity);
      if (slice.next > slice.first && !caller.writeGuest(s.get(2), guestRecords(slice))) return -Errno.EFAULT;
      s.set(4, slice.next - slice.first);
      s.set64(6, Math.max(0, slice.first - wanted));
      s.set64(8, slice.next);
      return 0;
    },
  },
  [ObserveOp.DOMAIN_COUNTERS]: {
    words: 22 + DOMAIN_REASONS,
    out: true,
    run(observed, s) {
      const { recorder } = observed;
      const { metrics } = recorder;
      const id = s.get(2);
      const facts = s.get(3) === 0 ? observed.domain(id) : undefined;
      if (facts === undefined) return -Errno.EINVAL;
      s.set64(4, facts.instructions);
      s.set64(6, facts.guestCycles);
      s.set64(8, metrics.domainCycles(id));
      s.set64(10, metrics.domainExits(id));
      s.set64(12, recorder.recordedOf(id));
      s.set(14, facts.weight);
      s.set(15, metrics.domainCounter(id, 'guestPageFaults'));
      s.set(16, metrics.domainCounter(id, 'shadowFaults'));
      s.set(17, metrics.domainCounter(id, 'tableWrites'));
      s.set(18, metrics.domainCounter(id, 'interrupts'));
      s.set(19, metrics.domainCounter(id, 'ioAccesses'));
      s.set(20, metrics.domainExitCount(id, ExitReason.HLT));
      s.set(21, metrics.domainCounter(id, 'hypercalls'));
      for (let reason = 0; reason < DOMAIN_REASONS; reason++) {
        s.set(22 + reason, metrics.domainExitCount(id, reason));
      }
      return 0;
    },
  },
  [ObserveOp.MARKER]: {
    words: 7,
    out: false,
    run({ recorder }, s) {
      recorder.marker(s.get(2), s.get(3), s.get(4), s.get(5), s.get(6));
      return 0;
    },
  },
};

/** @returns 0 or a negative errno. Every call is itself an event, mon.hypercall. */
export const observeOp = (observed: Observed, caller: ObserveCaller, subop: number, address: number): number => {
  const result = dispatch(observed, caller, subop >>> 0, address >>> 0);
  observed.recorder.monitorCall(subop, result, address);
  return result;
};

const dispatch = (observed: Observed, caller: ObserveCaller, subop: number, address: number): number => {
  if (caller.domain !== 0 || caller.cpl !== 0) return -Errno.EPERM;
  const operation = OPERATIONS[subop];
  if (operation === undefined) return -Errno.ENOSYS;
  const bytes = caller.readGuest(address, operation.words * 4);
  if (bytes === undefined) return -Errno.EFAULT;
  const s = new Structure(new Uint8Array(bytes));
  if (s.get(0) !== OBSERVE_OP_VERSION || s.get(1) < operation.words * 4) return -Errno.EINVAL;
  const result = operation.run(observed, s, caller);
  if (result === 0 && operation.out && !caller.writeGuest(address, s.bytes)) return -Errno.EFAULT;
  return result;
};

/**
 * Records as struct kansoku_record has them: word 1 is the low half of the sequence number, words 2 and 3 the instruction count, and
 * the flags word keeps the CPL only. Cycles are not handed out.
 */
const guestRecords = ({ records, first }: RecordSlice): Uint8Array => {
  for (let at = 0, sequence = first; at < records.length; at += RECORD_WORDS, sequence++) {
    records[at + Word.CYCLES] = sequence;
    records[at + Word.HIGH]! &= 0xffff;
    records[at + Word.CONTEXT]! &= CONTEXT_CPL;
  }
  return new Uint8Array(records.buffer);
};

/** The extension's own side: domain 0 at CPL 0, whose memory is this buffer from address 0 on. */
export class HostCaller implements ObserveCaller {
  readonly domain = 0;
  readonly cpl = 0;
  readonly memory: Uint8Array<ArrayBuffer>;
  /** @param bytes of memory: room for the structures and for what READ_RECORDS fetches. */
  constructor(bytes: number) {
    this.memory = new Uint8Array(bytes);
  }
  readGuest(linear: number, bytes: number): Uint8Array | undefined {
    return linear + bytes <= this.memory.length ? this.memory.subarray(linear, linear + bytes) : undefined;
  }
  writeGuest(linear: number, bytes: Uint8Array): boolean {
    if (linear + bytes.length > this.memory.length) return false;
    this.memory.set(bytes, linear);
    return true;
  }
}
