// Joins the debug adapter to the machine's thread: gives it target and symbols of the session at hand, and lets it run in the thread's
// slices. Not the adapter (debugger/dap) and not the thread's own loop (machine-server.ts).

import { DebugAdapter } from '../debugger/dap/adapter.ts';
import { interruptFrames } from '../debugger/interrupt-frames.ts';
import type { DebuggedMachine, GuestEnd } from '../debugger/machine.ts';
import { Linux } from '../debugger/os/linux.ts';
import type { DebugTarget } from '../debugger/target.ts';
import type { DebugMessage } from '../protocol/machine.ts';
import { AddressMap } from '../symbols/address-map.ts';
import { DebugInfo } from '../symbols/debug-info.ts';
import type { BootConfig, Session } from './session.ts';
import { unpack } from './unpack.ts';

/** What the thread does for the debugger. */
export interface DebuggedThread {
  readonly session: Session;
  readonly running: boolean;
  send(message: DebugMessage): void;
  wake(): void;
  changed(): void;
  release(how: 'end' | 'suspend' | 'run'): void;
  restart(): void;
}

export class DebugHost implements DebuggedMachine {
  private readonly adapter: DebugAdapter;

  constructor(private readonly thread: DebuggedThread) {
    this.adapter = new DebugAdapter(this, (message) => thread.send(message as DebugMessage));
  }

  receive(message: DebugMessage): void {
    this.adapter.receive(message);
  }

  // ---- for the thread -----------------------------------------------------------------------------------------------

  /** The debugger has work for the thread. */
  get busy(): boolean {
    return this.adapter.session.running;
  }
  /** It can go on only when input comes. */
  get waiting(): boolean {
    return this.adapter.session.waiting;
  }
  /** Some work; at most so much of it in the guest's time. */
  advance(instructions: number, cycles: number): void {
    const { session } = this.adapter;
    session.execution.budget.instructions = instructions;
    session.execution.budget.cycles = cycles;
    session.slice();
  }
  /** Commands of the user's that do not come through the debugger. */
  resume(): void {
    this.adapter.resume();
  }
  pause(): void {
    this.adapter.session.pause();
  }

  // ---- for the debugger ---------------------------------------------------------------------------------------------

  get target(): DebugTarget {
    return this.thread.session.debug;
  }
  get symbols(): AddressMap {
    return this.program.map;
  }
  get debug(): DebugInfo | undefined {
    return this.program.debug;
  }
  /** Read at the first question; a restart has the same program. */
  private get program(): Program {
    return (this.opened ??= openProgram(this.thread.session.config, () => this.target));
  }
  private opened: Program | undefined;
  get image(): string {
    return this.thread.session.config.image.name;
  }
  get end(): GuestEnd | undefined {
    return this.thread.session.stop;
  }
  get running(): boolean {
    return this.thread.running;
  }
  wake(): void {
    this.thread.wake();
  }
  changed(): void {
    this.thread.changed();
  }
  release(how: 'end' | 'suspend' | 'run'): void {
    this.thread.release(how);
  }
  restart(): void {
    this.thread.restart();
  }
}

interface Program {
  readonly map: AddressMap;
  readonly debug: DebugInfo | undefined;
}

const openProgram = (config: BootConfig, target: () => DebugTarget): Program => {
  const file = config.symbols ?? config.image;
  const bytes = unpack(file.name, file.bytes);
  const program: { map: AddressMap; debug: DebugInfo | undefined } = { map: AddressMap.EMPTY, debug: undefined };
  let layout: { readonly ptRegs: readonly number[] | undefined } | undefined;
  const interrupted = interruptFrames({
    map: () => program.map,
    kernelCs: () => target().vcpus[0]!.read('cs') & ~3,
    get ptRegs() {
      const read = (linear: number, into: Uint8Array): number => target().readMemory(linear, into);
      layout ??= { ptRegs: program.debug && Linux.recognise(program.debug, read)?.ptRegs };
      return layout.ptRegs;
    },
  });
  const opened = DebugInfo.open(file.name, bytes, { interrupted });
  if (opened.ok) {
    program.debug = opened.info;
    program.map = opened.info.map;
  } else {
    const loaded = AddressMap.load(file.name, bytes);
    if (loaded.ok) program.map = loaded.map;
  }
  return program;
};
