// A kernel on the machine itself, without a hypervisor: its image into RAM, the processor into the boot protocol's state.
// Not the run loop and not why it stops (engine-session.ts).

import type { BootImage } from '../hypervisor/boot/image.ts';
import { FIRMWARE_MTRRS } from '../machine/cpu/memory-types.ts';
import { MsrSlot } from '../machine/cpu/msr-rows.ts';
import { CS, DS, ES, FS, GS, SS, StateLayout } from '../machine/cpu/state.ts';
import type { PhysicalMachine } from './physical-machine.ts';

export const loadBareMachine = (machine: PhysicalMachine, image: BootImage): void => {
  for (const load of image.loads) machine.memory.ram.set(load.bytes, load.address);
  const boot = image.state;
  const s = machine.state;
  [boot.eax, boot.ecx, boot.edx, boot.ebx, boot.esp, boot.ebp, boot.esi, boot.edi].forEach((value, n) =>
    s.setGpr(n, value),
  );
  s.eip = boot.eip;
  s.eflags = boot.eflags;
  s.cr0 = boot.cr0;
  s.cr4 = boot.cr4;
  const segments = [
    [ES, boot.es],
    [CS, boot.cs],
    [SS, boot.ss],
    [DS, boot.ds],
    [FS, boot.fs],
    [GS, boot.gs],
  ] as const;
  for (const [n, segment] of segments) s.setSegment(n, segment.selector, segment.base, segment.limit, segment.access);
  s.set(StateLayout.gdtrBase, boot.gdtr.base);
  s.set(StateLayout.gdtrLimit, boot.gdtr.limit);
  s.set(StateLayout.idtrBase, boot.idtr.base);
  s.set(StateLayout.idtrLimit, boot.idtr.limit);
  s.cpl = 0;
  // The boot protocol starts where firmware ends.
  FIRMWARE_MTRRS.forEach(([low, high], i) => s.setMsr(MsrSlot.MTRR + i, low, high));
  machine.cpu.modeDirty = true;
};
