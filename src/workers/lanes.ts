// Which lane of the timeline an event belongs to, how the lane is called and what it looks like. Derived from the tables of event
// kinds and exit reasons, so a new kind gets a lane by itself. Not the drawing (webviews/timeline).

import { CODE_SETS } from '../monitor/codes.ts';
import { EVENT_BY_NUMBER, type EventGroup, Kind, KINDS } from '../monitor/events.ts';
import { kindAt, operandAt } from '../monitor/record.ts';
import { EXIT_REASONS, ExitReason } from '../machine/vmx/exit-reasons.ts';
import { type Lane, type LaneGroup, type LaneShape, NO_LANE, type Tone } from '../protocol/timeline.ts';

/** Lane codes: exits by reason, then other events by kind, then the exits of reason 0 by exception vector. */
const REASONS = 80;
const KIND_BASE = REASONS;
const VECTOR_BASE = KIND_BASE + KINDS;
const VECTORS = 32;
export const LANE_CODES = VECTOR_BASE + VECTORS;

/** Records that are part of another event: they are rows of the table, but have no lane. */
const WITHOUT_LANE: ReadonlySet<number> = new Set([
  Kind['vmx.entry'],
  Kind['vmx.exit.info'],
  Kind['vmx.handler'],
  Kind['run.start'],
]);

/** The lane of the record at word index `at`; NO_LANE if it is part of another event. */
export const laneOf = (words: Uint32Array, at: number): number => {
  const kind = kindAt(words, at);
  if (kind === Kind['vmx.exit']) {
    const reason = operandAt(words, at, 0) & 0xffff;
    if (reason === ExitReason.EXCEPTION_OR_NMI) return VECTOR_BASE + (operandAt(words, at, 2) & (VECTORS - 1));
    return Math.min(reason, REASONS - 1);
  }
  if (kind >= KINDS || WITHOUT_LANE.has(kind)) return NO_LANE;
  return KIND_BASE + kind;
};

const EXIT_TONES: Readonly<Record<number, Tone>> = {
  [ExitReason.EXTERNAL_INTERRUPT]: 'exitInterrupt',
  [ExitReason.INTERRUPT_WINDOW]: 'exitInterrupt',
  [ExitReason.NMI_WINDOW]: 'exitInterrupt',
  [ExitReason.TRIPLE_FAULT]: 'exitFailure',
  [ExitReason.ENTRY_FAILURE_GUEST_STATE]: 'exitFailure',
  [ExitReason.ENTRY_FAILURE_MSR_LOADING]: 'exitFailure',
  [ExitReason.ENTRY_FAILURE_MACHINE_CHECK]: 'exitFailure',
  [ExitReason.IO_INSTRUCTION]: 'exitIo',
  [ExitReason.CR_ACCESS]: 'exitControl',
  [ExitReason.MOV_DR]: 'exitControl',
  [ExitReason.RDMSR]: 'exitControl',
  [ExitReason.WRMSR]: 'exitControl',
  [ExitReason.TASK_SWITCH]: 'exitControl',
  [ExitReason.INVLPG]: 'exitMemory',
  [ExitReason.EPT_VIOLATION]: 'exitMemory',
  [ExitReason.EPT_MISCONFIGURATION]: 'exitMemory',
};

/** Within the exits a shape tells the classes apart. */
const TONE_SHAPES: Partial<Record<Tone, LaneShape>> = {
  exitMemory: 'diamond',
  exitInterrupt: 'circle',
  exitInstruction: 'triangle',
  exitIo: 'square',
  exitControl: 'bar',
  exitFailure: 'cross',
};

const EVENT_LOOKS: Readonly<Record<EventGroup, readonly [LaneGroup, LaneShape, Tone]>> = {
  mode: ['mode', 'triangle', 'exitControl'],
  memory: ['memory', 'diamond', 'shadowEvent'],
  interrupt: ['interrupt', 'circle', 'interruptEvent'],
  sched: ['sched', 'bar', 'controlEvent'],
  device: ['device', 'square', 'deviceEvent'],
  control: ['control', 'cross', 'controlEvent'],
};

const exitLane = (code: number, name: string, text: string, tone: Tone): Lane => ({
  code,
  group: 'exit',
  name,
  text,
  shape: TONE_SHAPES[tone] ?? 'triangle',
  tone,
});

const vectorName = (vector: number): string =>
  (CODE_SETS.trap as Readonly<Record<number, string>>)[vector] ?? `vector ${vector}`;
const PAGE_FAULT = 14;
const NMI = 2;

/** Every lane that there can be, in the order in which they are drawn. */
export const LANES: readonly Lane[] = [
  ...Array.from({ length: VECTORS }, (_, vector) => {
    const name =
      vector === PAGE_FAULT ? 'Page fault (#PF)' : vector === NMI ? 'NMI' : `Exception ${vectorName(vector)}`;
    return exitLane(
      VECTOR_BASE + vector,
      name,
      `VM exit 0: ${name}`,
      vector === PAGE_FAULT ? 'exitMemory' : 'exitInterrupt',
    );
  }),
  ...EXIT_REASONS.flatMap((info) =>
    info === undefined
      ? []
      : [
          exitLane(
            info.reason,
            info.name,
            `VM exit ${info.reason}: ${info.name}`,
            EXIT_TONES[info.reason] ?? 'exitInstruction',
          ),
        ],
  ),
  ...EVENT_BY_NUMBER.flatMap((event, number): Lane[] => {
    if (event === undefined || number === Kind['vmx.exit'] || WITHOUT_LANE.has(number)) return [];
    const [group, shape, tone] = EVENT_LOOKS[event.group];
    return [{ code: KIND_BASE + number, group, name: event.id, text: event.text, shape, tone }];
  }),
];

const NAMES = new Map(LANES.map((lane) => [lane.code, lane.name]));

/** The short name of a lane. */
export const laneName = (code: number): string => NAMES.get(code) ?? `lane ${code}`;
