// The settings of a boot, read and checked. Wrong values are the user's mistakes: one sentence that names the setting.

import * as vscode from 'vscode';
import { type BootConfig, UserError } from '../../workers/session.ts';

const MIB = 1024 * 1024;
const LEAST_MIB = 4;
const MOST_MIB = 2048;

type BootSettings = Omit<BootConfig, 'image' | 'cmdline'> & {
  /** Undefined: not set, so the kernel's own default (command-lines.ts) holds. Set to nothing is an empty command line. */
  readonly cmdline: string | undefined;
};

/** Everything of a BootConfig that comes from settings. @throws UserError */
export const bootSettings = (): BootSettings => {
  const settings = vscode.workspace.getConfiguration('kansoku');
  const memory = settings.get<number>('memory', 64);
  if (!Number.isInteger(memory) || memory < LEAST_MIB || memory > MOST_MIB) {
    throw new UserError(
      vscode.l10n.t(
        'The setting kansoku.memory is {0}: it must be a whole number of megabytes from {1} to {2}.',
        String(memory),
        LEAST_MIB,
        MOST_MIB,
      ),
    );
  }
  const observe = settings.get<readonly string[]>('observe', ['all']);
  return {
    cmdline: isSet(settings, 'commandLine') ? settings.get<string>('commandLine') : undefined,
    modules: [],
    memoryBytes: memory * MIB,
    cpu: settings.get<'core-duo' | 'modern'>('cpu', 'core-duo'),
    bare: false,
    observe: observe.includes('all') ? 'all' : observe.length === 0 ? 'none' : observe,
    stateHashEvery: 0,
  };
};

/** Further domains, as the user wrote them. */
export const domainsSetting = (): { readonly list: unknown; readonly where: string } => ({
  list: vscode.workspace.getConfiguration('kansoku').get<unknown>('domains', []),
  where: 'kansoku.domains',
});

/** True if a person gave the value, be it the same as the default. */
const isSet = (settings: vscode.WorkspaceConfiguration, name: string): boolean => {
  const found = settings.inspect(name);
  return [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue].some((value) => value !== undefined);
};
