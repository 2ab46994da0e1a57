// What a device needs to be tested alone: a clock that a test moves, and a line that remembers. Not a platform.

import type { Clock } from '../../src/machine/clock.ts';
import type { Device, InterruptLine } from '../../src/machine/devices/device.ts';

/** Moves time and fires what is due on the way, each timer at its own deadline. */
export const advance = (clock: Clock, cycles: number): void => {
  const end = clock.now + cycles;
  while (clock.nextDeadline <= end) {
    clock.set(Math.max(clock.now, clock.nextDeadline));
    clock.runDue();
  }
  clock.set(end);
};

/** An edge-triggered input: counts rising edges. */
export class RecordingLine implements InterruptLine {
  level = false;
  edges = 0;
  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

export const out = (device: Device, offset: number, value: number): void => device.write(offset, 1, value);
export const inb = (device: Device, offset: number): number => device.read(offset, 1);
