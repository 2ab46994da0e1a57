// What a debugger outside the machine can ask it to stop at, and what it is told then. Types only: cpu/stop-points.ts keeps the set and meets
// them. Not the guest's own breakpoints (cpu/breakpoints.ts), and nothing that the guest could notice.

/**
 * A moment of the guest's life: a boundary between two instructions. Faults and interrupts are delivered without retiring anything, so a
 * count of instructions alone would not tell the boundary before a delivery from the one behind it.
 */
export interface Position {
  /** Instructions retired since the boot. */
  readonly instructions: number;
  /** Events delivered since the last of them retired. */
  readonly events: number;
  /**
   * The guest's clock, which goes on where the guest waits and no instruction retires. Left out in a moment that is asked for: the first with
   * so many instructions and events.
   */
  readonly cycles?: number;
}

/** Where execution shall stop. Ids are the debugger's own, unique among all points. All addresses are linear. */
export type StopPoint = Place & {
  /** Number of the domain that it is of: in others it is not met. Left out: it is met in all. */
  readonly domain?: number;
};

type Place =
  /** Before the instruction at `address` executes. */
  | { readonly id: number; readonly on: 'execute'; readonly address: number }
  /**
   * Behind an instruction that touches one of `bytes` bytes, or at the handler of an event whose frame does; `change`: that leaves another value
   * there. Any number, any size.
   */
  | WatchPoint
  /** Where an exception is delivered to the guest: at the first instruction of its handler. No vectors: every one. */
  | { readonly id: number; readonly on: 'exception'; readonly vectors?: readonly number[] }
  /** Where an interrupt is delivered: from a device, NMI, or INT n. */
  | { readonly id: number; readonly on: 'interrupt'; readonly vectors?: readonly number[] }
  /** At a VM exit, before the hypervisor handles it, with the guest at the instruction that caused it. Never on the bare machine. */
  | { readonly id: number; readonly on: 'exit'; readonly reasons?: readonly number[] }
  /** Behind an IN or OUT, or one element of INS or OUTS. */
  | {
      readonly id: number;
      readonly on: 'port';
      readonly first: number;
      readonly last: number;
      readonly direction?: 'in' | 'out';
    }
  /** Behind RDMSR or WRMSR. */
  | { readonly id: number; readonly on: 'msr'; readonly index: number; readonly direction?: 'read' | 'write' }
  /** Where a vCPU of the domain gets the processor after another's has had it, and where it loses it. */
  | { readonly id: number; readonly on: 'switch-in' | 'switch-out' }
  /** Where a further domain has ended; with the session's own all end. */
  | { readonly id: number; readonly on: 'domain-end' };

export interface WatchPoint {
  readonly id: number;
  readonly on: 'write' | 'read' | 'access' | 'change';
  readonly address: number;
  readonly bytes: number;
}

/** What only the moment itself can tell. */
export type StopDetail =
  | {
      readonly on: 'access';
      readonly address: number;
      readonly bytes: number;
      readonly write: boolean;
      /** EIP of the instruction that did it; the guest stands behind it. */
      readonly eip: number;
      /** The bytes of the access. */
      readonly before: Uint8Array;
      readonly after: Uint8Array;
    }
  | {
      readonly on: 'exception';
      readonly vector: number;
      readonly errorCode?: number;
      /** Linear address of a page fault. */
      readonly address?: number;
      readonly eip: number;
    }
  | { readonly on: 'interrupt'; readonly vector: number; readonly eip: number }
  | { readonly on: 'exit'; readonly reason: number; readonly qualification: number }
  | { readonly on: 'port'; readonly port: number; readonly out: boolean; readonly value: number; readonly eip: number }
  | { readonly on: 'msr'; readonly index: number; readonly write: boolean; readonly eip: number };
