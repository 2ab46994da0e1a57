// The guests' domains under the hypervisor: VMX operation, the hypercall of observations, the platforms watched, the kernels loaded. Not the bare
// machine (bare-machine.ts) and not how they run (engine-session.ts).

import type { BootImage } from '../hypervisor/boot/image.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import { RunState } from '../hypervisor/observer.ts';
import { CPU_MODELS } from '../machine/cpu/model.ts';
import { observeOp, OBSERVE_OP_HYPERCALL, type DomainFacts } from '../monitor/observe-op.ts';
import type { Recorder } from '../monitor/recorder.ts';
import { baseName } from './boot-config.ts';
import type { Guest } from './guest.ts';
import type { EnginePoint } from './observation-point.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import { watchPlatform } from './platform-observer.ts';
import { type BootConfig, type DomainConfig, UserError } from './session.ts';
import type { VmcsHistory } from './vmcs-history.ts';

export interface DomainParts {
  readonly config: BootConfig;
  readonly machine: PhysicalMachine;
  readonly recorder: Recorder;
  readonly point: EnginePoint;
  readonly vmcsHistory: VmcsHistory;
}

/**
 * Makes a domain for each guest; `guests` and their `kernels` are those of `config` and `config.domains` in order.
 * @throws UserError where the hypervisor does not take a kernel
 */
export const createGuestDomains = (
  parts: DomainParts,
  guests: readonly Guest[],
  kernels: readonly BootImage[],
): Hypervisor => {
  const { config, machine, recorder, point, vmcsHistory } = parts;
  machine.enterVmxOperation();
  const hypervisor = new Hypervisor(machine, CPU_MODELS[config.cpu], recorder);
  point.hypervisor = hypervisor;
  hypervisor.dispatcher.onSubject = (vcpu) => point.is(vcpu);
  machine.vmxUnit.root = { ...machine.vmxUnit.root, onVmExit: () => vmcsHistory.exit() };
  hypervisor.registerHypercall(OBSERVE_OP_HYPERCALL, 'observe_op', (caller) =>
    observeOp(
      { recorder, domain: (id) => factsOf(hypervisor, id) },
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
  for (const [i, guest] of guests.entries()) {
    const { image, memoryBytes } = guest.config;
    const options: Partial<DomainConfig> = config.domains?.[i - 1] ?? {};
    watchPlatform(guest.platform, recorder);
    const result = hypervisor.createDomain({
      id: guest.id,
      name: options.name ?? baseName(image.name),
      memoryBytes,
      boot: kernels[i]!,
      platform: guest.platform,
      ...(options.weight === undefined ? {} : { weight: options.weight }),
      ...(options.cap === undefined ? {} : { cap: options.cap }),
    });
    if (!result.ok) throw new UserError(`${image.name}: ${result.reason}`);
  }
  hypervisor.dispatcher.attribute(hypervisor.domains[0]!.vcpu, () => recorder.runStart());
  return hypervisor;
};

/** What observe_op tells of a domain; undefined: there is none of that number. */
const factsOf = (hypervisor: Hypervisor, id: number): DomainFacts | undefined => {
  const domain = hypervisor.domains.find((one) => one.id === id);
  if (domain === undefined) return undefined;
  const { now } = hypervisor.machine.clock;
  return {
    instructions: domain.vcpu.states.cycles(RunState.RUNNING, now),
    guestCycles: now,
    weight: hypervisor.dispatcher.weightOf(domain),
  };
};
