// Assembles a processor: state, MMU, translated forms, code cache, run loop. Not a machine: devices and boot are others'.

import type { Bus } from '../bus.ts';
import type { Clock } from '../clock.ts';
import { opcodeTable, unavailable } from '../isa/table.ts';
import type { PhysicalMemory } from '../memory.ts';
import { CodeCache } from '../translate/code-cache.ts';
import { buildThreadedModule, type RuntimeImports } from '../translate/threaded-module.ts';
import { RegionCompiler } from '../translate/region/region-module.ts';
import { Regions } from '../translate/region/regions.ts';
import type { SlowPaths } from '../translate/runtime.ts';
import { NO_VMX } from '../vmx/hooks.ts';
import { Cpu, type EnterGate, type ErrorPins, type InterruptSource } from './cpu.ts';
import { Mmu } from './mmu.ts';
import type { CpuModel } from './model.ts';
import { noteMonitoredStore } from './monitor-wait.ts';
import { regionAccess } from './region-access.ts';
import type { EventDelivery } from './pending-interrupts.ts';
import { Processor } from './run.ts';

const NO_INTERRUPTS: InterruptSource = { intr: false, acknowledge: () => 0 };
/** FERR# leads nowhere, IGNNE# is pulled up. */
const NO_ERROR_PINS: ErrorPins = { ignne: false, ferr: () => undefined };

export const buildProcessor = (
  memory: PhysicalMemory,
  bus: Bus,
  clock: Clock,
  model: CpuModel,
  events: EventDelivery,
): Processor => {
  const cpu = new Cpu(memory, bus, clock, model);
  cpu.vmx = NO_VMX;
  cpu.interrupts = NO_INTERRUPTS;
  cpu.errorPins = NO_ERROR_PINS;
  const mmu = new Mmu(cpu);
  cpu.mmu = mmu;
  const slowPaths: SlowPaths = {
    loadSlow: (linear, bytes) => mmu.loadSlow(linear, bytes),
    storeSlow: (linear, value, bytes) => mmu.storeSlow(linear, value, bytes),
    hostRead: (linear, bytes) => mmu.hostReadSlow(linear, bytes),
    hostWrite: (linear, bytes) => mmu.hostWriteSlow(linear, bytes),
    commit: (host) => mmu.commit(host),
    stackLinear: (offset, bytes) => cpu.stackLinear(offset, bytes),
    segmentLinear: (slot, offset, bytes) => cpu.slotLinear(slot, offset, bytes),
    portIn: (port, bytes, budget) => processor.helpers.portIn(port, bytes as 1 | 2 | 4, budget),
    portOut: (port, bytes, value, budget) => processor.helpers.portOut(port, bytes as 1 | 2 | 4, value, budget),
    raise: (vector, errorCode) => void cpu.raise(vector, errorCode < 0 ? undefined : errorCode),
  };
  const imports: RuntimeImports = {
    ...slowPaths,
    helper: (entry, budget, offset) => processor.helpers.call(entry, budget, offset),
    atSite: () => processor.helpers.atSite(),
    regionMisses: regionAccess(cpu, () => regions.lost),
  };
  const module = buildThreadedModule(memory.memory, imports);
  cpu.enterGate = module.instance.shared.enterGate as EnterGate;
  const cache: CodeCache = new CodeCache(cpu, module, opcodeTable, unavailable);
  const compiler = new RegionCompiler(memory.memory, module, slowPaths);
  const regions: Regions = new Regions(cpu, cache, opcodeTable, compiler, module);
  const processor: Processor = new Processor(cpu, cache, module, regions, events);
  cpu.progress = processor;
  mmu.pages.onMonitoredStore = (pa, bytes) => noteMonitoredStore(cpu, pa, bytes);
  return processor;
};
