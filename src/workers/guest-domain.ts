// The guest's domain under the hypervisor: VMX operation, the hypercall of observations, the platform watched, the kernel loaded. Not the bare machine
// (bare-machine.ts) and not how it runs (engine-session.ts).

import type { BootImage } from '../hypervisor/boot/image.ts';
import type { Domain } from '../hypervisor/domain.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import { CPU_MODELS } from '../machine/cpu/model.ts';
import type { PcPlatform } from '../machine/devices/platform.ts';
import { observeOp, OBSERVE_OP_HYPERCALL, type DomainFacts } from '../monitor/observe-op.ts';
import type { Recorder } from '../monitor/recorder.ts';
import { baseName } from './boot-config.ts';
import type { EnginePoint } from './observation-point.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import { watchPlatform } from './platform-observer.ts';
import { type BootConfig, UserError } from './session.ts';
import type { VmcsHistory } from './vmcs-history.ts';

/** Xen's credit scheduler starts every domain with it; one domain has nobody to compete with. */
const DEFAULT_WEIGHT = 256;

export interface DomainParts {
  readonly config: BootConfig;
  readonly machine: PhysicalMachine;
  readonly recorder: Recorder;
  readonly point: EnginePoint;
  readonly platform: PcPlatform;
  readonly vmcsHistory: VmcsHistory;
  /** Retired so far. */
  readonly instructions: () => number;
}

/** @throws UserError where the hypervisor does not take the kernel */
export const createGuestDomain = (
  parts: DomainParts,
  kernel: BootImage,
): { readonly hypervisor: Hypervisor; readonly domain: Domain } => {
  const { config, machine, recorder, point, platform, vmcsHistory, instructions } = parts;
  machine.enterVmxOperation();
  const hypervisor = new Hypervisor(machine, CPU_MODELS[config.cpu], recorder);
  point.hypervisor = hypervisor;
  machine.vmxUnit.root = { ...machine.vmxUnit.root, onVmExit: () => vmcsHistory.exit() };
  const id = config.domainId ?? 0;
  const facts = (asked: number): DomainFacts | undefined =>
    asked === id ? { instructions: instructions(), guestCycles: machine.clock.now, weight: DEFAULT_WEIGHT } : undefined;
  hypervisor.registerHypercall(OBSERVE_OP_HYPERCALL, 'observe_op', (caller) =>
    observeOp(
      { recorder, domain: facts },
      {
        domain: caller.domain.id,
        cpl: caller.cpl,
        readGuest: (linear, bytes) => {
          const into = new Uint8Array(bytes);
          return caller.readGuest(linear, into) ? into : undefined;
        },
        writeGuest: (linear, bytes) => caller.writeGuest(linear, bytes),
      },
      caller.args[0]!,
      caller.args[1]!,
    ),
  );
  watchPlatform(platform, recorder);
  const result = hypervisor.createDomain({
    id,
    name: baseName(config.image.name),
    memoryBytes: config.memoryBytes,
    boot: kernel,
    platform,
  });
  if (!result.ok) throw new UserError(`${config.image.name}: ${result.reason}`);
  const { domain } = result;
  point.paging = domain.vcpu.shadow.mode;
  recorder.runStart();
  return { hypervisor, domain };
};
