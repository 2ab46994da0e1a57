// The Event Timeline: one panel in the editor area, brought back by VS Code when the window is loaded again.

import * as vscode from 'vscode';
import type { PageAction } from '../../protocol/pages.ts';
import { Page, pageOptions, type PageServices } from './page.ts';

const VIEW_TYPE = 'kansoku.timeline';

export class TimelinePanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private page: Page | undefined;
  private readonly serializer: vscode.Disposable;

  constructor(private readonly services: PageServices) {
    this.serializer = vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: (panel) => {
        this.adopt(panel);
        return Promise.resolve();
      },
    });
  }

  /** Settles when the page works. */
  async open(keepFocus = false): Promise<void> {
    if (this.panel !== undefined) {
      this.panel.reveal(undefined, keepFocus);
      return;
    }
    const title = vscode.l10n.t('Event Timeline');
    this.adopt(
      vscode.window.createWebviewPanel(
        VIEW_TYPE,
        title,
        { viewColumn: vscode.ViewColumn.Active, preserveFocus: keepFocus },
        pageOptions(this.services.extensionUri),
      ),
    );
    await this.page?.started;
  }

  async invoke(action: PageAction): Promise<void> {
    await this.open();
    this.page?.invoke(action);
  }

  dispose(): void {
    this.serializer.dispose();
    this.panel?.dispose();
  }

  private adopt(panel: vscode.WebviewPanel): void {
    this.panel?.dispose();
    const icon = (theme: string): vscode.Uri =>
      vscode.Uri.joinPath(this.services.extensionUri, 'media', 'icons', `timeline-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    const page = new Page(panel.webview, this.services, 'timeline', panel.title, undefined);
    this.panel = panel;
    this.page = page;
    panel.onDidDispose(() => {
      page.dispose();
      if (this.panel === panel) this.panel = this.page = undefined;
    });
  }
}
