// What the guest's kernel has loaded (Linux's modules), as the protocol's modules. Who has asked for them once is told at each stop what came and
// what went. Not the kernel itself (requests/sources.ts) and not how they are found (../os).

import type { ModuleSymbols } from '../module-symbols.ts';
import type { GuestModule } from '../os/awareness.ts';
import type { Tell } from '../saying.ts';
import type { Dap } from './protocol.ts';
import { reference } from './references.ts';
import type { DebugSession } from './session.ts';
import type { Subject } from './subject.ts';

export class LoadedModules {
  /** By base and name; undefined: nobody has asked. */
  private told: Map<string, Dap.Module> | undefined;

  constructor(
    private readonly session: DebugSession,
    /** Whose kernel it is. */
    private readonly subject: Subject,
  ) {}

  list(): Dap.Module[] {
    this.told = this.now();
    return [...this.told.values()];
  }

  /** The guest stands still. */
  stopped(): void {
    const before = this.told;
    if (before === undefined) return;
    const now = (this.told = this.now());
    for (const [key, module] of now) if (!before.has(key)) this.session.emit('module', { reason: 'new', module });
    for (const [key, module] of before) if (!now.has(key)) this.session.emit('module', { reason: 'removed', module });
  }

  private now(): Map<string, Dap.Module> {
    const { os, guest, tell } = this.subject;
    const { modules: files } = guest.guestSymbols;
    return new Map(
      os
        .modules()
        .map((module) => [
          `${module.base} ${module.name}`,
          { ...shown(module, this.subject), ...stateOf(module, files, tell) },
        ]),
    );
  }
}

const shown = ({ name, base, bytes }: GuestModule, subject: Subject): Omit<Dap.Module, 'symbolStatus'> => ({
  id: `${name}@${subject.reference(base)}`,
  name: subject.prefix + name,
  addressRange: `${reference(base)}-${reference(base + bytes)}`,
});

/** What is known of its debug data. */
export const stateOf = (
  module: GuestModule,
  files: ModuleSymbols | undefined,
  tell: Tell,
): Pick<Dap.Module, 'symbolStatus' | 'symbolFilePath'> => {
  const state = files?.state(module);
  switch (state?.kind) {
    case undefined:
      return { symbolStatus: tell('nameOnly') };
    case 'missing':
      return { symbolStatus: tell('nameOnlyBecause', { reason: state.reason }) };
    case 'unread':
      return { symbolStatus: tell('notNeededYet'), symbolFilePath: state.path };
    case 'read': {
      const { map, problems } = state.info;
      const status = tell(map.hasLines ? 'symbolsAndLines' : 'symbolsOnly');
      return { symbolStatus: [status, ...problems].join('; '), symbolFilePath: state.path };
    }
  }
};
