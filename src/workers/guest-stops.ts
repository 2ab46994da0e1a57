// Why the guest cannot go on, as the session tells it: from what stopped a domain, and from the state of a bare machine's processor. Not the
// devices' reasons (engine-session.ts) and not the sentences' addresses (stop-text.ts).

import type { DomainStop } from '../hypervisor/domain.ts';
import { waitsForMasked } from '../machine/cpu/monitor-wait.ts';
import { Flag, StateLayout } from '../machine/cpu/state.ts';
import type { CodeMap } from '../symbols/program.ts';
import type { PhysicalMachine } from './physical-machine.ts';
import type { Stop } from './session.ts';
import { exceptionChain, symbolise } from './stop-text.ts';

const KINDS = {
  shutdown: 'power-off',
  reboot: 'reset',
  'triple-fault': 'triple-fault',
  'vm-entry-failure': 'vm-entry-failure',
  unsupported: 'unsupported',
  external: 'power-off',
} as const;

export const stopOfDomain = (machine: PhysicalMachine, symbols: CodeMap, stopped: DomainStop): Stop => {
  const at =
    // Without symbols an address that the message has already says no more.
    stopped.rip === undefined || (!symbols.hasSymbols && stopped.message.includes(' at 0x'))
      ? ''
      : `, in ${symbols.describe(stopped.rip)}`;
  // The processor knows the exceptions that led to a shutdown; the hypervisor only those that came to it.
  const chain = stopped.kind === 'triple-fault' ? exceptionChain(machine.cpu) : [];
  const details = chain.length === 0 ? stopped.details : [...chain, ...stopped.details.slice(-1)];
  const address = (stopped.kind === 'triple-fault' ? machine.cpu.tripleFault?.chain[0]?.eip : undefined) ?? stopped.rip;
  return {
    kind: KINDS[stopped.kind],
    ...(address === undefined ? {} : { address }),
    message: stopped.message + at,
    details: details.map((line) => symbolise(symbols, line)),
  };
};

/** The sentence is made when it is read: a kernel's names are looked for in its memory, and many a guest ends with a reset that nobody asks about. */
export const stopOfReset = (eip: number, symbols: () => CodeMap): Stop => {
  let message: string | undefined;
  return {
    kind: 'reset',
    address: eip,
    get message() {
      return (message ??= `the guest reset the machine at ${symbols().describe(eip)}`);
    },
    details: [],
  };
};

/** Undefined: the bare machine can go on. */
export const stopOfBare = (machine: PhysicalMachine, symbols: () => CodeMap): Stop | undefined => {
  const { processor, state, cpu } = machine;
  const activity = state.get(StateLayout.activity);
  const disabled = (state.eflagsRest & Flag.IF) === 0;
  const powerOff = (what: string): Stop => ({
    kind: 'power-off',
    address: state.eip,
    message: `the guest ${what} with interrupts disabled at ${symbols().describe(state.eip)}`,
    details: [],
  });
  if (activity === 2) {
    const first = cpu.tripleFault?.chain[0]?.eip ?? state.eip;
    return {
      kind: 'triple-fault',
      address: first,
      message: `triple fault at ${symbols().describe(first)}`,
      details: exceptionChain(cpu).map((line) => symbolise(symbols(), line)),
    };
  }
  if (processor.frozen && disabled) return powerOff('waits for the interrupt of a floating-point error');
  return activity === 1 && disabled && !waitsForMasked(cpu) ? powerOff('halted') : undefined;
};
