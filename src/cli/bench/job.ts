// What one process of one engine is asked to do, and what it answers, a JSON object a line. Types only.

import type { StampedLine } from './report.ts';

export interface Job {
  /** Path of a Multiboot kernel, or of a Linux bzImage. */
  readonly image: string;
  readonly linux: boolean;
  readonly cmdline: string;
  readonly initrd?: string;
  readonly memoryBytes: number;
  /** Regular expression: the line behind which there is nothing to measure. */
  readonly until: string;
}

/** How ours is configured: BootConfig's. */
export interface SessionSettings {
  readonly bare: boolean;
  readonly tiers: 'adaptive' | 'threaded';
  readonly observe: 'all' | 'none';
}

/** For the engines that run in a process of this program: engine-process.ts. QEMU is a program of its own. */
export type InnerJob = Job &
  (
    | { readonly inner: 'session'; readonly how: SessionSettings }
    /** `v86`: folder of its npm package; `seabios`: of the firmware that starts Linux. */
    | { readonly inner: 'v86'; readonly v86: string; readonly seabios: string }
  );

export type Answer =
  | { readonly kind: 'line'; readonly line: StampedLine }
  /** The machine is built; how long that took, and the process's resident memory before and now. */
  | { readonly kind: 'built'; readonly milliseconds: number; readonly bytesBefore: number }
  /** The process's resident memory, and how much of that is the guest's, where the host tells. */
  | { readonly kind: 'end'; readonly bytes: number; readonly guestBytes?: number; readonly problem?: string };
