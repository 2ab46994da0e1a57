// Connects the instrumentation points of the virtual interrupt controller and timer to the hypervisor's observer: monitoring function 3.
// Numbers only; nothing is called when nobody watches.

import type { PcPlatform } from '../machine/devices/platform.ts';
import type { PicObserver } from '../machine/devices/pic.ts';
import type { HypervisorObserver } from '../hypervisor/observer.ts';

export const watchPlatform = (platform: PcPlatform, observer: HypervisorObserver): void => {
  const pic: PicObserver = {
    edge: (irq, level, merged, masked) => observer.irqLine(irq, Number(level), Number(merged), Number(masked)),
    intack: (irq, vector, spurious) => observer.picIntack(irq, vector, Number(spurious)),
    eoi: (irq, kind) => observer.picEoi(irq >> 3, irq, kind),
    command: (chip, word, value) => observer.picCommand(chip, word, value),
  };
  platform.pic.observer = pic;
  platform.pit.observer = {
    program: (channel, mode, reload, periodCycles) => observer.pitProgram(channel, mode, reload, periodCycles),
    tick: () => observer.pitTick(0, 0),
  };
};
