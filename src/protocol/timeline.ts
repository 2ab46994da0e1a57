// What the Event Timeline draws: lanes, windows of time summarised per pixel, single events, and rows of text about them.
// Types only. Time is in cycles of the emulated host; sequence numbers count records from the start of the run.

import type { SourceLocation } from './views.ts';

/** Groups of lanes in the order in which they are drawn. */
export const LANE_GROUPS = ['exit', 'mode', 'memory', 'interrupt', 'sched', 'device', 'control'] as const;
export type LaneGroup = (typeof LANE_GROUPS)[number];

/** Shapes tell events apart without colour. */
export type LaneShape = 'triangle' | 'diamond' | 'circle' | 'square' | 'cross' | 'bar';

/** Names of contributed colours, without their prefix `kansoku.`. */
export const TONES = [
  'guestMode',
  'hypervisorMode',
  'exitMemory',
  'exitInterrupt',
  'exitInstruction',
  'exitIo',
  'exitControl',
  'exitFailure',
  'shadowEvent',
  'interruptEvent',
  'deviceEvent',
  'controlEvent',
] as const;
export type Tone = (typeof TONES)[number];

export interface Lane {
  /** 0-254; events carry it. */
  readonly code: number;
  readonly group: LaneGroup;
  /** Short, for the gutter: the SDM's name or the event's id. */
  readonly name: string;
  readonly text: string;
  readonly shape: LaneShape;
  readonly tone: Tone;
}

/** A record that belongs to another lane's event or is drawn as part of the mode bar. */
export const NO_LANE = 255;

/** Below so many events a window carries them one by one. */
export const DETAIL_EVENTS = 6000;

export interface TimelineEvents {
  /** In order of time. */
  readonly cycles: Float64Array<ArrayBuffer>;
  readonly sequences: Float64Array<ArrayBuffer>;
  readonly lanes: Uint8Array<ArrayBuffer>;
}

export interface TimelineWindow {
  readonly t0: number;
  readonly t1: number;
  readonly pixels: number;
  /** Lane codes that have any event in the whole run, in order of code. */
  readonly lanes: readonly number[];
  /** Events of each of `lanes` in the whole run. */
  readonly totals: readonly number[];
  /** counts[lane index * pixels + pixel] */
  readonly counts: Uint32Array<ArrayBuffer>;
  /** Part of each pixel's time spent in the hypervisor, 0-1; -1 before the first and after the last record. */
  readonly hypervisor: Float32Array<ArrayBuffer>;
  /** Part of each pixel's time in which the vCPU was blocked: it had halted and waited for an interrupt. */
  readonly blocked: Float32Array<ArrayBuffer>;
  /** Sequence numbers of the first record inside and the first one behind. */
  readonly first: number;
  readonly next: number;
  /** Every event of the window, if they are fewer than DETAIL_EVENTS. */
  readonly events?: TimelineEvents;
  /** Begins and ends of the stays in the hypervisor, in turns, with `events` only. */
  readonly stays?: Float64Array<ArrayBuffer>;
  /** The same of the times when the vCPU was blocked. */
  readonly blocks?: Float64Array<ArrayBuffer>;
  /** The run as a whole: cycles of the first and last record, and its records. */
  readonly extent: TimelineExtent;
}

export interface TimelineExtent {
  readonly start: number;
  readonly end: number;
  readonly records: number;
  readonly lost: number;
}

/** One record as text. */
export interface EventRow {
  readonly sequence: number;
  readonly cycles: number;
  readonly instructions: number;
  /** NO_LANE: part of another event. */
  readonly lane: number;
  /** Event id, or for exits the reason. */
  readonly title: string;
  /** Operands as `name value`. */
  readonly operands: readonly string[];
  readonly cpl: number;
  readonly eip: number;
  readonly location: SourceLocation;
}
