// The executors of each environment, made once and used again: making a machine compiles its translated code. A fresh one when asked for.

import { EmulatorExecutor } from './emulator-executor.ts';
import type { Executor } from './executor.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { HypervisorExecutor } from './hypervisor-executor.ts';
import { PhysicalExecutor } from './physical-executor.ts';
import { VmxExecutor } from './vmx-executor.ts';

const build = (c: FuzzCase): Executor => {
  switch (c.environment) {
    case 'processor':
      return new PhysicalExecutor(false, c.cpu);
    case 'machine':
      return new PhysicalExecutor(true, c.cpu);
    case 'vmx':
      return new VmxExecutor(c.cpu);
    case 'emulator':
      return new EmulatorExecutor(c.cpu);
    case 'hypervisor':
      return new HypervisorExecutor();
  }
};

/** Role 0 and fresh ones execute regions wherever they can, the others none: what they are compared for shows a difference of the tiers too. */
const make = (c: FuzzCase, role: number): Executor => {
  const executor = build(c);
  executor.tiers = role === 0 ? 'eager' : 'threaded';
  return executor;
};

export class Executors {
  private readonly pool = new Map<string, Executor>();

  /** `role` 0, 1...: machines with different pasts. */
  get(c: FuzzCase, role: number): Executor {
    const key = `${c.environment} ${c.cpu} ${role}`;
    let executor = this.pool.get(key);
    if (executor === undefined) {
      executor = make(c, role);
      this.pool.set(key, executor);
    }
    return executor;
  }
  fresh(c: FuzzCase): Executor {
    return make(c, 0);
  }
}
