// One page (webview) of ours: its HTML under a strict content security policy, and the line between it and the guest.
// The same for views beside the editor and panels in it. Not what pages show (src/webviews).

import * as vscode from 'vscode';
import type { LiveView } from '../../protocol/machine.ts';
import { type FromPage, isFromPage, type PageAction, type ToPage } from '../../protocol/pages.ts';
import type { Guest } from '../guest.ts';
import type { Log } from '../log.ts';
import type { SourceNavigator } from '../source.ts';

export interface PageServices {
  readonly extensionUri: vscode.Uri;
  readonly guest: Guest;
  readonly source: SourceNavigator;
  readonly log: Log;
}

export type PageName = 'vm-state' | 'vmcs' | 'timeline';

const folderOf = (extensionUri: vscode.Uri): vscode.Uri => vscode.Uri.joinPath(extensionUri, 'dist', 'webviews');

export const pageOptions = (extensionUri: vscode.Uri): vscode.WebviewOptions => ({
  enableScripts: true,
  localResourceRoots: [folderOf(extensionUri)],
});

const nonce = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, '0')).join('');

const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const html = (webview: vscode.Webview, extensionUri: vscode.Uri, name: PageName, title: string): string => {
  const folder = folderOf(extensionUri);
  const script = webview.asWebviewUri(vscode.Uri.joinPath(folder, `${name}.js`)).toString();
  const style = webview.asWebviewUri(vscode.Uri.joinPath(folder, `${name}.css`)).toString();
  const once = nonce();
  // `<` cannot end the data block early.
  const strings = JSON.stringify(vscode.l10n.bundle ?? {}).replaceAll('<', '\\u003c');
  return `<!DOCTYPE html>
<html lang="${escape(vscode.env.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-${once}'; style-src ${webview.cspSource};">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="stylesheet" href="${escape(style)}">
</head>
<body>
<div id="page"></div>
<script type="application/json" id="strings">${strings}</script>
<script nonce="${once}" src="${escape(script)}"></script>
</body>
</html>`;
};

/** A page that has not answered by then is loaded again: VS Code can lose a resource of a page while several start at once. */
const PATIENCE_MS = 6000;
const MOST_LOADS = 4;

export class Page implements vscode.Disposable {
  private readonly disposables: vscode.Disposable[];
  private ready = false;
  private loads = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wake: () => void = () => {};
  /** Settles when the page works, or when it is given up. */
  readonly started = new Promise<void>((settle) => (this.wake = settle));

  constructor(
    private readonly webview: vscode.Webview,
    private readonly services: PageServices,
    private readonly name: PageName,
    private readonly title: string,
    private readonly live: LiveView | undefined,
  ) {
    const { guest } = services;
    // Setting options loads the page again, so only where they are missing: a view, a panel that VS Code brought back.
    if (webview.options.enableScripts !== true) webview.options = pageOptions(services.extensionUri);
    this.disposables = [
      webview.onDidReceiveMessage((message: unknown) => {
        if (isFromPage(message)) void this.receive(message);
        else services.log.info(`${name}: a message that is none of ours was ignored`);
      }),
      guest.onDidChangeState(() => this.postGuest()),
      guest.onMessage((message) => {
        if (message.type === this.live) this.post(message);
      }),
    ];
    this.load();
  }

  invoke(action: PageAction): void {
    this.post({ type: 'invoke', action });
  }

  /** Live data flows only while the page can be seen. */
  setVisible(visible: boolean): void {
    if (this.live !== undefined) this.services.guest.watch(this, visible ? this.live : undefined);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.wake();
    this.setVisible(false);
    for (const disposable of this.disposables) disposable.dispose();
  }

  private load(): void {
    this.loads++;
    this.webview.html = html(this.webview, this.services.extensionUri, this.name, this.title);
    this.timer = setTimeout(() => {
      if (!this.ready && this.loads < MOST_LOADS) this.load();
      else this.wake();
    }, PATIENCE_MS * this.loads);
  }

  private post(message: ToPage): void {
    if (this.ready) void this.webview.postMessage(message);
  }

  private postGuest(): void {
    this.post({ type: 'guest', guest: this.services.guest.state });
  }

  private async receive(message: FromPage): Promise<void> {
    const { guest, source } = this.services;
    switch (message.type) {
      case 'ready':
        this.ready = true;
        clearTimeout(this.timer);
        this.wake();
        this.postGuest();
        this.setVisible(true);
        return;
      case 'command':
        await vscode.commands.executeCommand(`kansoku.${message.command}`);
        return;
      case 'open':
        await source.openAddress(message.address, message.keepFocus).catch(() => {});
        return;
      case 'travel':
        if (message.sequence === undefined)
          this.services.log.userError(vscode.l10n.t('Choose an event in the Event Timeline first.'));
        else await vscode.commands.executeCommand('kansoku.debug.goToEvent', { sequence: message.sequence });
        return;
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        vscode.window.setStatusBarMessage(vscode.l10n.t('Copied.'), 3000);
        return;
      case 'ask':
        try {
          this.post({ type: 'answer', id: message.id, answer: await guest.ask(message.question) });
        } catch (error) {
          this.post({
            type: 'failure',
            id: message.id,
            message: error instanceof Error ? error.message : String(error),
          });
        }
    }
  }
}
