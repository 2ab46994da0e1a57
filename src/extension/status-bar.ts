// One status bar item: which guest, its state and speed; a click offers what can be done with it.

import * as vscode from 'vscode';
import type { GuestState } from '../protocol/pages.ts';
import type { Guest } from './guest.ts';

/** Instructions a second for a person: 42 MIPS, 1.3 MIPS, 850 kIPS. */
export const formatSpeed = (perSecond: number): string => {
  const mips = perSecond / 1e6;
  if (mips >= 10) return `${mips.toFixed(0)} MIPS`;
  if (mips >= 1) return `${mips.toFixed(1)} MIPS`;
  return `${(perSecond / 1e3).toFixed(0)} kIPS`;
};

interface Look {
  readonly icon: string;
  readonly text: string;
}

const lookOf = (state: GuestState): Look | undefined => {
  if (state.phase === 'none') return undefined;
  if (state.phase === 'booting') return { icon: 'loading~spin', text: vscode.l10n.t('booting') };
  switch (state.status.state) {
    case 'running':
      return {
        icon: 'vm-running',
        text: state.status.idle ? vscode.l10n.t('idle') : formatSpeed(state.status.speed),
      };
    case 'paused':
      return { icon: 'debug-pause', text: vscode.l10n.t('paused') };
    case 'stopped':
      return { icon: 'vm-outline', text: vscode.l10n.t('stopped') };
  }
};

export const registerStatusBar = (guest: Guest): vscode.Disposable => {
  const item = vscode.window.createStatusBarItem('kansoku.status', vscode.StatusBarAlignment.Left, 50);
  item.name = 'Kansoku';
  item.command = 'kansoku.showActions';
  const update = (state: GuestState): void => {
    const look = lookOf(state);
    if (look === undefined || state.phase === 'none') {
      item.hide();
      return;
    }
    const text = `${state.image}: ${look.text}`;
    item.text = `$(${look.icon}) ${text}`;
    item.accessibilityInformation = { label: vscode.l10n.t('Guest {0}', text) };
    item.tooltip =
      state.phase === 'live'
        ? vscode.l10n.t(
            '{0} instructions, {1} s of virtual time, {2} VM exits',
            state.status.instructions.toLocaleString(vscode.env.language),
            state.status.virtualSeconds.toFixed(2),
            state.status.exits.toLocaleString(vscode.env.language),
          )
        : text;
    item.show();
  };
  update(guest.state);
  return vscode.Disposable.from(item, guest.onDidChangeState(update));
};

interface Action extends vscode.QuickPickItem {
  readonly command: string;
}

/** What the status bar item opens. */
export const showActions = async (guest: Guest): Promise<void> => {
  const state = guest.live?.status.state;
  const action = (icon: string, label: string, command: string): Action => ({
    label: `$(${icon}) ${label}`,
    command: `kansoku.${command}`,
  });
  const actions = [
    ...(state === 'running' ? [action('debug-pause', vscode.l10n.t('Pause'), 'pause')] : []),
    ...(state === 'paused' ? [action('debug-continue', vscode.l10n.t('Resume'), 'resume')] : []),
    ...(state === undefined
      ? []
      : [
          action('debug-restart', vscode.l10n.t('Reset'), 'reset'),
          action('debug-stop', vscode.l10n.t('Stop'), 'stop'),
          action('terminal', vscode.l10n.t('Show Console'), 'showConsole'),
          action('graph-line', vscode.l10n.t('Open Event Timeline'), 'openTimeline'),
          action('go-to-file', vscode.l10n.t('Go to Guest Address…'), 'goToAddress'),
          action('save', vscode.l10n.t('Save Trace…'), 'saveTrace'),
        ]),
    action('vm', vscode.l10n.t('Boot Guest…'), 'bootGuest'),
  ];
  const chosen = await vscode.window.showQuickPick(actions, { title: 'Kansoku' });
  if (chosen !== undefined) await vscode.commands.executeCommand(chosen.command);
};
