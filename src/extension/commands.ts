// The commands, one line each where that is enough. Their titles and conditions are in package.json.

import * as vscode from 'vscode';
import type { BootGuest } from './boot/boot-guest.ts';
import type { Consoles } from './consoles.ts';
import type { Guest } from './guest.ts';
import type { GuestLog } from './guest-log.ts';
import type { GuestLanguage } from './language-client.ts';
import type { Log } from './log.ts';
import type { TimelinePanel } from './pages/timeline-panel.ts';
import type { SourceNavigator } from './source.ts';
import { showActions } from './status-bar.ts';

export interface CommandServices {
  readonly boot: BootGuest;
  readonly guest: Guest;
  readonly console: Consoles;
  readonly source: SourceNavigator;
  readonly timeline: TimelinePanel;
  readonly language: GuestLanguage;
  readonly guestLog: GuestLog;
  readonly log: Log;
}

const goToAddress = async ({ guest, source, log }: CommandServices): Promise<void> => {
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('Go to Guest Address'),
    prompt: vscode.l10n.t('A hexadecimal address or the name of a symbol'),
    placeHolder: '0x00101234',
  });
  if (text === undefined || text.trim() === '') return;
  const word = text.trim();
  const isNumber = /^(0x)?[0-9a-f]{1,8}$/i.test(word);
  const symbol = await guest.ask({ name: 'lookup', symbol: word });
  const address = symbol ?? (isNumber ? Number.parseInt(word, 16) : undefined);
  if (address === undefined) log.userError(vscode.l10n.t('The guest has no symbol {0}.', word));
  else await source.openAddress(address);
};

const saveTrace = async ({ guest, log }: CommandServices): Promise<void> => {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const name = `${guest.image?.name ?? 'guest'}.kansoku`;
  const uri = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save Trace'),
    ...(folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, name) }),
    filters: { [vscode.l10n.t('Kansoku trace')]: ['kansoku'] },
  });
  if (uri === undefined) return;
  try {
    await vscode.workspace.fs.writeFile(uri, await guest.ask({ name: 'trace' }));
  } catch (error) {
    log.userError(
      vscode.l10n.t('The trace cannot be written: {0}', error instanceof Error ? error.message : String(error)),
    );
  }
};

export const registerCommands = (services: CommandServices): vscode.Disposable => {
  const { boot, guest, console, timeline, language, log } = services;
  const commands: Readonly<Record<string, (...args: never[]) => unknown>> = {
    bootGuest: (uri?: vscode.Uri) => boot.run(uri instanceof vscode.Uri ? uri : undefined),
    bootSample: () => boot.run(boot.sample),
    bootAgain: () => boot.again(),
    pause: () => guest.pause(),
    resume: () => guest.resume(),
    stop: () => guest.stop(),
    reset: () => boot.reset(),
    showConsole: () => console.show(),
    showActions: () => showActions(guest),
    openTimeline: () => timeline.open(),
    fitTimeline: () => timeline.invoke('fit'),
    copyTimeline: () => timeline.invoke('copy'),
    timelineHelp: () => timeline.invoke('help'),
    openSampleSources: () =>
      vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.joinPath(boot.sample, '..'), {
        forceNewWindow: true,
      }),
    clearLenses: () => language.clear(),
    goToAddress: () => goToAddress(services),
    saveTrace: () => saveTrace(services),
    showGuestLog: () => services.guestLog.show(),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(`kansoku.${name}`, async (...args: never[]) => {
        try {
          return await run(...args);
        } catch (error) {
          log.defect(vscode.l10n.t('The command did not work because of a defect in Kansoku.'), error);
          return undefined;
        }
      }),
    ),
  );
};
