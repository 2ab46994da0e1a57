// The debugger type `kansoku`: configurations (none is needed), the boot before a launch, the adapter. Not the adapter's messages
// (debug-adapter.ts) and not what a debugger does (src/debugger).

import * as vscode from 'vscode';
import { UserError } from '../../workers/session.ts';
import type { BootChanges, BootGuest } from '../boot/boot-guest.ts';
import { BootFailure, type Guest } from '../guest.ts';
import type { Log } from '../log.ts';
import type { SourceNavigator } from '../source.ts';
import { GuestDebugAdapter } from './debug-adapter.ts';
import { osDescription } from './os-description.ts';
import { uriOf } from '../paths.ts';

export const DEBUG_TYPE = 'kansoku';

/** The guest's session, if it is the one the editor has in front. */
export const activeGuestSession = (): vscode.DebugSession | undefined => {
  const active = vscode.debug.activeDebugSession;
  return active?.type === DEBUG_TYPE ? active : undefined;
};

/** A launch configuration; package.json describes each. */
interface Launch extends vscode.DebugConfiguration {
  readonly program?: string;
  readonly symbols?: string;
  /** Folders and files with the debug data of modules. */
  readonly moduleSymbols?: string | readonly string[];
  readonly initrd?: string;
  readonly commandLine?: string;
  /** Megabytes. */
  readonly memory?: number;
  readonly cpu?: 'core-duo' | 'modern';
  readonly hypervisor?: boolean;
  /** Megabytes for snapshots of the past; 0: none is kept. */
  readonly record?: number;
  /** Further domains, as in the setting kansoku.domains. */
  readonly domains?: unknown;
  /** Where the kernel's tasks are: a file, or what would stand in it. */
  readonly os?: string | object;
}

export interface DebugServices {
  readonly boot: BootGuest;
  readonly guest: Guest;
  readonly source: SourceNavigator;
  readonly log: Log;
  /** Console and panels beside the debugger. */
  readonly reveal: () => void;
}

const launchConfiguration = (program?: string): vscode.DebugConfiguration => ({
  type: DEBUG_TYPE,
  request: 'launch',
  name: vscode.l10n.t('Boot and debug the kernel'),
  ...(program === undefined ? {} : { program }),
  stopOnEntry: true,
});

class Configurations implements vscode.DebugConfigurationProvider {
  constructor(private readonly services: DebugServices) {}

  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [launchConfiguration()];
  }

  /** Without launch.json the configuration that comes is empty. */
  resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration {
    const empty = configuration.type === undefined || configuration.type === '';
    return empty || configuration.request === undefined
      ? { ...launchConfiguration(), ...withoutEmpty(configuration) }
      : configuration;
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
    token?: vscode.CancellationToken,
  ): Promise<vscode.DebugConfiguration | undefined> {
    const { boot, guest, log } = this.services;
    if (configuration.request === 'attach') {
      if (guest.live !== undefined) return describedBy(configuration as Launch, folder, guest.image?.uri);
      log.userError(vscode.l10n.t('There is no guest to attach to: boot one first, or use a launch configuration.'));
      return undefined;
    }
    const { program } = configuration;
    if (typeof program === 'string' && program !== '')
      return describedBy(configuration as Launch, folder, uriOf(program, folder));
    const found = await boot.find(token);
    if (found === undefined) return undefined;
    return describedBy({ ...configuration, program: found.toString() } as Launch, folder, found);
  }
}

const withoutEmpty = (configuration: vscode.DebugConfiguration): Partial<vscode.DebugConfiguration> =>
  Object.fromEntries(Object.entries(configuration).filter(([, value]) => value !== undefined && value !== ''));

/** With the file that says where the kernel's tasks are, for the adapter, which has no files. */
const describedBy = async (
  configuration: Launch,
  folder: vscode.WorkspaceFolder | undefined,
  image: vscode.Uri | undefined,
): Promise<vscode.DebugConfiguration> => {
  const description = await osDescription(configuration.os, folder, image);
  return description === undefined ? configuration : { ...configuration, osDescription: description };
};

const MIB = 1024 * 1024;
const DEFAULT_RECORD = 256;

const changesOf = (launch: Launch, folder: vscode.WorkspaceFolder | undefined): BootChanges => ({
  ...(launch.record === 0 ? {} : { record: { limit: (launch.record ?? DEFAULT_RECORD) * MIB } }),
  ...(launch.commandLine === undefined ? {} : { cmdline: launch.commandLine }),
  ...(launch.memory === undefined ? {} : { memoryBytes: launch.memory * MIB }),
  ...(launch.cpu === undefined ? {} : { cpu: launch.cpu }),
  ...(launch.hypervisor === undefined ? {} : { bare: !launch.hypervisor }),
  ...(launch.symbols === undefined ? {} : { symbols: uriOf(launch.symbols, folder) }),
  ...(launch.moduleSymbols === undefined
    ? {}
    : { moduleSymbols: [launch.moduleSymbols].flat().map((path) => uriOf(path, folder)) }),
  ...(launch.initrd === undefined ? {} : { initrd: uriOf(launch.initrd, folder) }),
  ...(launch.domains === undefined ? {} : { domains: { list: launch.domains, where: 'domains' } }),
  ...(folder === undefined ? {} : { folder }),
});

class Adapters implements vscode.DebugAdapterDescriptorFactory {
  constructor(private readonly services: DebugServices) {}

  /** Boots before a launch; the machine then waits for the adapter's first request. What goes wrong is shown by the editor. */
  async createDebugAdapterDescriptor(session: vscode.DebugSession): Promise<vscode.DebugAdapterDescriptor> {
    const { boot, guest, source, log, reveal } = this.services;
    const launch = session.configuration as Launch;
    const launched = launch.request === 'launch';
    if (launched) {
      const uri = uriOf(launch.program ?? '', session.workspaceFolder);
      try {
        if (!(await boot.paused(uri, changesOf(launch, session.workspaceFolder))))
          throw new UserError(vscode.l10n.t('The guest that runs was kept.'));
      } catch (error) {
        if (error instanceof UserError || (error instanceof BootFailure && error.user)) throw error;
        const detail = error instanceof BootFailure ? `${error.message}\n${error.detail}` : error;
        log.defect(vscode.l10n.t('{0} could not be booted because of a defect in Kansoku.', uri.fsPath), detail);
        throw error;
      }
      reveal();
    }
    return new vscode.DebugAdapterInlineImplementation(new GuestDebugAdapter(guest, source, launched));
  }
}

export const registerDebugging = (services: DebugServices): vscode.Disposable => {
  const provider = new Configurations(services);
  return vscode.Disposable.from(
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, provider),
    vscode.debug.registerDebugConfigurationProvider(
      DEBUG_TYPE,
      provider,
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, new Adapters(services)),
  );
};
