// The hypercalls: one table by number, Xen's numbers and error codes, entered by VMCALL. What is not in the table returns -ENOSYS.
// New calls (the monitor's) are registered from outside. Xen: public/xen.h, arch/x86/hvm/hvm.c (hvm_do_hypercall).

import { EAX } from '../machine/cpu/state.ts';
import { ShutdownReason } from './observer.ts';
import type { Domain } from './domain.ts';
import type { Vcpu } from './vcpu.ts';

/** errno values as Xen returns them, negated. */
export const Errno = { EPERM: 1, ENOENT: 2, EFAULT: 14, EINVAL: 22, ENOSYS: 38 } as const;

/** EBX, ECX, EDX, ESI, EDI by GPR number: the arguments in order. */
const ARGUMENT_REGISTERS = [3, 1, 2, 6, 7] as const;

/** Who calls and with what. One object, refilled for each call. */
export interface HypercallCaller {
  readonly domain: Domain;
  readonly vcpu: Vcpu;
  readonly cpl: number;
  /** Five arguments, unsigned 32-bit. */
  readonly args: Uint32Array;
  /** Copies guest memory by linear address; false if any byte cannot be read (the handler then returns -EFAULT). */
  readGuest(linear: number, into: Uint8Array): boolean;
  /** Copies to guest memory by linear address; false if any byte cannot be written. */
  writeGuest(linear: number, bytes: Uint8Array): boolean;
}

/** Returns EAX: a result, or a negated errno. */
export type HypercallHandler = (caller: HypercallCaller) => number;

interface Entry {
  readonly name: string;
  readonly handler: HypercallHandler;
}

/** Numbers of Xen's calls that exist here. */
export const Hypercall = { XEN_VERSION: 17, SCHED_OP: 29 } as const;

/** Reported by xen_version: the release whose behaviour this hypervisor follows. */
const XEN_MAJOR = 3;
const XEN_MINOR = 2;

const XenVersion = { VERSION: 0, EXTRAVERSION: 1 } as const;
const SchedOp = { YIELD: 0, BLOCK: 1, SHUTDOWN: 2 } as const;

export class Hypercalls {
  private readonly table = new Map<number, Entry>();
  private readonly caller: Caller = new Caller();

  constructor() {
    this.register(Hypercall.XEN_VERSION, 'xen_version', xenVersion);
    this.register(Hypercall.SCHED_OP, 'sched_op', schedOp);
  }

  /** Adds a call. Throws if the number is taken: a bug of ours. */
  register(number: number, name: string, handler: HypercallHandler): void {
    if (this.table.has(number)) throw new Error(`hypercall ${number} is registered twice`);
    this.table.set(number, { name, handler });
  }

  /** VMCALL by the guest: number in EAX, result in EAX. Ring 3 may call nothing. Returns the result. */
  dispatch(vcpu: Vcpu): number {
    const state = vcpu.machine.state;
    const number = state.gpr(EAX);
    const caller = this.caller;
    caller.enter(vcpu);
    const entry = this.table.get(number);
    const result = caller.cpl === 3 ? -Errno.EPERM : entry === undefined ? -Errno.ENOSYS : entry.handler(caller);
    state.setGpr(EAX, result);
    return result;
  }
}

class Caller implements HypercallCaller {
  vcpu!: Vcpu;
  cpl = 0;
  readonly args = new Uint32Array(5);

  enter(vcpu: Vcpu): void {
    this.vcpu = vcpu;
    this.cpl = vcpu.cpl;
    ARGUMENT_REGISTERS.forEach((register, n) => (this.args[n] = vcpu.machine.state.gpr(register)));
  }
  get domain(): Domain {
    return this.vcpu.domain;
  }
  readGuest(linear: number, into: Uint8Array): boolean {
    const access = this.vcpu.access;
    access.begin();
    for (let i = 0; i < into.length; i++) {
      const at = (linear + i) >>> 0;
      if (!access.inRam(at, false)) return false;
      into[i] = access.read(at, 1, false);
    }
    return true;
  }
  writeGuest(linear: number, bytes: Uint8Array): boolean {
    const access = this.vcpu.access;
    access.begin();
    for (let i = 0; i < bytes.length; i++) {
      const at = (linear + i) >>> 0;
      if (!access.inRam(at, true) || !access.write(at, 1, bytes[i]!, false)) return false;
    }
    return true;
  }
}

const xenVersion: HypercallHandler = (caller) => {
  switch (caller.args[0]) {
    case XenVersion.VERSION:
      return (XEN_MAJOR << 16) | XEN_MINOR;
    case XenVersion.EXTRAVERSION: {
      const text = new Uint8Array(16);
      text.set(new TextEncoder().encode('-kansoku'));
      return caller.writeGuest(caller.args[1]!, text) ? 0 : -Errno.EFAULT;
    }
    default:
      return -Errno.ENOSYS;
  }
};

const schedOp: HypercallHandler = (caller) => {
  switch (caller.args[0]) {
    case SchedOp.YIELD:
      // One vCPU on one processor: there is nobody to yield to.
      return 0;
    case SchedOp.BLOCK:
      caller.vcpu.blocked = true;
      return 0;
    case SchedOp.SHUTDOWN: {
      const argument = new Uint8Array(4);
      if (!caller.readGuest(caller.args[1]!, argument)) return -Errno.EFAULT;
      const reason = new DataView(argument.buffer).getUint32(0, true);
      if (reason > ShutdownReason.WATCHDOG) return -Errno.EINVAL;
      const names = ['power-off', 'reboot', 'suspend', 'crash', 'watchdog'] as const;
      const kind = reason === ShutdownReason.REBOOT ? 'reboot' : 'shutdown';
      caller.domain.stop({ kind, message: `the guest asked for ${names[reason]} (sched_op)`, details: [] });
      return 0;
    }
    default:
      return -Errno.ENOSYS;
  }
};
