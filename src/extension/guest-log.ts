// Show Guest Log: the kernel's own log (dmesg) as a document that is read anew each time it is asked for. Not where the log comes from.

import * as vscode from 'vscode';
import type { GuestLog as Log } from '../protocol/machine.ts';
import type { Guest } from './guest.ts';

const SCHEME = 'kansoku-log';

interface DomainItem extends vscode.QuickPickItem {
  readonly domain: number | undefined;
}

export class GuestLog implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  private text = '';

  constructor(private readonly guest: Guest) {}

  async show(): Promise<void> {
    const chosen = await this.choose();
    if (chosen === undefined) return;
    const { label, domain } = chosen;
    this.text = textOf(await this.guest.ask({ name: 'guestLog', domain }));
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${label}.log` });
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    const editor = await vscode.window.showTextDocument(document, { preview: true });
    // The newest lines are looked for first.
    const end = document.lineAt(document.lineCount - 1).range;
    editor.revealRange(end);
  }

  /** Of several domains the user says which. Undefined: none. */
  private async choose(): Promise<DomainItem | undefined> {
    const first: DomainItem = { label: this.guest.image?.name ?? 'guest', domain: undefined };
    const others = this.guest.domains.map(({ id, title }): DomainItem => ({ label: title, domain: id }));
    if (others.length === 0) return first;
    return vscode.window.showQuickPick([first, ...others], { title: vscode.l10n.t('Log of which domain?') });
  }

  provideTextDocumentContent(): string {
    return this.text;
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}

const textOf = ({ system, lines }: Log): string => {
  if (system === undefined)
    return vscode.l10n.t(
      'The log of this guest is not known. For Linux, give a vmlinux with debug data as the symbols of the launch configuration.',
    );
  if (lines.length === 0) return vscode.l10n.t('{0} has no log yet, or none that is known.', system);
  return lines.map(({ seconds, text }) => `[${seconds.toFixed(6).padStart(12)}] ${text}`).join('\n');
};
