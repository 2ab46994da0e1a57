// A made-up run for the monitor's tests: a point whose fields a test moves, and a guest that exits in every way it can.
// Not a guest: the numbers only have the shape of a run. The same seed gives the same run.

import {
  AssistBlocker,
  AssistDecision,
  AssistSource,
  type ExitInformation,
  HandlerOutcome,
  NO_LINE,
  PageFaultDelivery,
  RunState,
  ShadowFlag,
  ShadowOutcome,
} from '../../src/hypervisor/observer.ts';
import type { ObservationPoint, Recorder } from '../../src/monitor/recorder.ts';
import type { TraceMeta } from '../../src/monitor/trace-file.ts';
import { MASK_ALL } from '../../src/monitor/events.ts';

export class Point implements ObservationPoint {
  icount = 0;
  cycles = 0;
  domain = 1;
  vcpu = 0;
  eip = 0x0010_0000;
  cr3 = 0x0000_1000;
  cpl = 0;
  pass(instructions: number, idle = 0): void {
    this.icount += instructions;
    this.cycles += instructions + idle;
  }
}

export const META: TraceMeta = {
  cyclesPerSecond: 1_000_000_000,
  mask: MASK_ALL,
  image: { name: 'made-up.elf' },
  cpu: 'core-duo',
  paging: 'shadow',
  memoryBytes: 64 * 1024 * 1024,
  cmdline: '',
  domains: [{ id: 1, name: 'guest' }],
};

/** Marsaglia's xorshift: numbers for tests, the same on every machine. */
export const numbers = (seed: number): ((below: number) => number) => {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
};

const VALID = 0x8000_0000;
const PF = VALID | 0xb00 | 14;

/** Information of an exit; fields that are left out are 0. */
export const exitInformation = (fields: Partial<ExitInformation> = {}): ExitInformation => ({
  qualification: 0,
  guestLinear: 0,
  guestPhysical: 0,
  intrInfo: 0,
  intrError: 0,
  idtVectoringInfo: 0,
  idtVectoringError: 0,
  instructionLength: 0,
  instructionInfo: 0,
  ...fields,
});

/** One exit of each kind: what the hypervisor tells between exit and entry. */
type Exit = (r: Recorder, point: Point, next: (below: number) => number) => void;
const exit = (r: Recorder, reason: number, qualification = 0, intrInfo = 0, intrError = 0, linear = 0): void =>
  r.vmExit(reason, exitInformation({ qualification, guestLinear: linear, intrInfo, intrError, instructionLength: 2 }));

const fault =
  (outcome: number, flags = 0): Exit =>
  (r, _point, next) => {
    const va = 0xc000_0000 + next(0x1000) * 4096;
    exit(r, 0, va, PF, 2);
    if (outcome === ShadowOutcome.EMULATE) r.guestTableWrite(next(1000), 4 * next(1024), 0, next(0xffff), 4);
    r.shadowFault(va, 2, outcome, 0x1063 + next(1000) * 4096, flags);
    if (outcome === ShadowOutcome.PROPAGATE) r.guestPageFault(va, 2, PageFaultDelivery.INJECTED);
  };

const EXITS: readonly Exit[] = [
  fault(ShadowOutcome.FIXUP),
  fault(ShadowOutcome.FIXUP, ShadowFlag.PROMOTE | ShadowFlag.WRMAP),
  fault(ShadowOutcome.PROPAGATE),
  fault(ShadowOutcome.EMULATE, ShadowFlag.SET_CHANGED),
  fault(ShadowOutcome.UNSHADOW_USER),
  fault(ShadowOutcome.MMIO),
  (r, _p, next) => exit(r, 1, 0, VALID | (0x20 + next(16))),
  (r, _p, next) => {
    exit(r, 7);
    r.windowExit(AssistSource.PIC, next(1000));
    r.inject(VALID | (0x20 + next(16)), 0, 0, next(5000), 0);
  },
  (r, _p, next) => {
    exit(r, 10);
    r.handler(10, HandlerOutcome.EMULATED, 70, next(4), 0, 0);
  },
  (r, _p, next) => exit(r, 14, next(0x1000) * 4096),
  (r) => {
    exit(r, 18);
    r.hypercall(17, 0, 0, 0, 100);
  },
  (r, p, next) => {
    exit(r, 28, 3);
    const old = p.cr3;
    p.cr3 = (1 + next(20)) * 4096;
    r.cr3Load(old, p.cr3, 0);
  },
  (r, _p, next) => {
    exit(r, 30, (0x3f8 << 16) | 0x40);
    r.portIo(0x3f8, 1, 1, next(256), 0, 1);
  },
  (r) => {
    exit(r, 31);
    r.handler(31, HandlerOutcome.EMULATED, 50, 0x10, 1, 2);
  },
  (r) => {
    exit(r, 32);
    r.handler(32, HandlerOutcome.EMULATED, 50, 0x174, 0x60, 0);
  },
];

/** `exits` exits and entries, with interrupts, halts and blocked interrupts in between. */
export const madeUpRun = (r: Recorder, point: Point, exits: number, seed: number, schedule = true): void => {
  const next = numbers(seed);
  r.domainCreate(1, 65536);
  r.vmEntry(1, 0, 0, 0, 0);
  for (let i = 0; i < exits; i++) {
    point.pass(1 + next(2000));
    point.eip = 0x0010_0000 + next(64) * 16;
    const cost = 500 + next(3000);
    if (next(20) === 0) {
      exit(r, 12);
      if (schedule) r.runState(RunState.RUNNING, RunState.BLOCKED);
      point.pass(0, 10_000 + next(100_000));
      r.irqLine(0, 1, 0, 0);
      r.picIntack(0, 0x20, 0);
      if (schedule) {
        r.runState(RunState.BLOCKED, RunState.RUNNABLE);
        r.runState(RunState.RUNNABLE, RunState.RUNNING);
      }
      r.inject(VALID | 0x20, 0, 0, 100, 0);
    } else {
      EXITS[next(EXITS.length)]!(r, point, next);
      if (next(10) === 0) {
        r.irqLine(4, 1, 0, 0);
        r.assist(AssistSource.PIC, 0xffff_ffff, AssistDecision.WINDOW, AssistBlocker.IF_CLEAR);
        r.windowRequest(AssistSource.PIC, AssistBlocker.IF_CLEAR);
      }
      if (next(30) === 0) r.inject(VALID | 0xb0d, 0, NO_LINE, 0, 0);
    }
    point.pass(0, cost);
    r.vmEntry(0, 0, 0, 0, cost);
  }
};
