// What one process of one engine is asked to do, and what it answers, a JSON object a line. Types only.

import type { StampedLine } from './report.ts';

/** Engines that run in a process of this program: engine-process.ts. QEMU is a program of its own. */
export type InnerEngine = 'session' | 'v86';

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

export interface InnerJob extends Job {
  readonly inner: InnerEngine;
  /** session: without the hypervisor, and only the threaded tier. */
  readonly bare: boolean;
  readonly regions: boolean;
  readonly observe: 'all' | 'none';
  /** v86: folder of its npm package. */
  readonly v86?: string;
}

export type Answer =
  | { readonly kind: 'line'; readonly line: StampedLine }
  /** The machine is built; how long that took, and the process's resident memory before and now. */
  | { readonly kind: 'built'; readonly milliseconds: number; readonly bytesBefore: number }
  | { readonly kind: 'end'; readonly bytes: number; readonly problem?: string };
