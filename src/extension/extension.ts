// Entry point: makes the parts, joins them, registers the commands. Nothing else happens here.

import * as vscode from 'vscode';
import { BootGuest } from './boot/boot-guest.ts';
import { registerCommands } from './commands.ts';
import { registerDebugging } from './debug/debugging.ts';
import { registerLiveValues } from './debug/live-values.ts';
import { registerPastCommands } from './debug/past-commands.ts';
import { Consoles } from './consoles.ts';
import { Guest } from './guest.ts';
import { nodeHost } from './host/node-host.ts';
import { GuestLog } from './guest-log.ts';
import { GuestLanguage } from './language-client.ts';
import { Log } from './log.ts';
import { TimelinePanel } from './pages/timeline-panel.ts';
import { registerViews } from './pages/views.ts';
import { registerProblems } from './problems.ts';
import { SourceNavigator } from './source.ts';
import { registerStatusBar } from './status-bar.ts';
import { registerTerminalLinks } from './terminal-links.ts';

/** What tests of the extension hold on to; nobody else should. */
export interface Api {
  readonly guest: Guest;
}

export const activate = (context: vscode.ExtensionContext): Api => {
  const host = nodeHost(vscode.Uri.joinPath(context.extensionUri, 'dist'));
  const log = new Log();
  const guest = new Guest(host);
  const source = new SourceNavigator(guest);
  const console = new Consoles(guest);
  const services = { extensionUri: context.extensionUri, guest, source, log };
  const timeline = new TimelinePanel(services);
  const language = new GuestLanguage(host, guest, source);
  const guestLog = new GuestLog(guest);
  const reveal = (): void => void revealGuest(timeline, console);
  const boot = new BootGuest(host, guest, context, log, reveal);
  guest.remember(boot.last);

  const setContext = (): void => {
    const { state } = guest;
    const value = state.phase === 'live' ? state.status.state : state.phase;
    void vscode.commands.executeCommand('setContext', 'kansoku.state', value);
  };
  setContext();

  context.subscriptions.push(
    log,
    guest,
    source,
    console,
    timeline,
    language,
    guestLog,
    guest.onDidChangeState(setContext),
    registerViews(services),
    registerStatusBar(guest),
    registerProblems(guest, source, log),
    registerTerminalLinks(guest, console, source),
    registerPastCommands(log, timeline),
    registerLiveValues(context.workspaceState),
    registerDebugging({ boot, guest, source, log, reveal: () => console.show(true) }),
    registerCommands({ boot, guest, console, source, timeline, language, guestLog, log }),
  );
  return { guest };
};

/** After a boot: the console with the keyboard, then the panels beside it, one after the other as they come up. */
const revealGuest = async (timeline: TimelinePanel, console: Consoles): Promise<void> => {
  console.show();
  if (!vscode.workspace.getConfiguration('kansoku').get<boolean>('openPanelsOnBoot', true)) return;
  await timeline.open(true);
  await vscode.commands.executeCommand('kansoku.vmState.focus', { preserveFocus: true });
};
