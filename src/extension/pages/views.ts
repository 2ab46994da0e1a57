// VM State and VMCS: views in the Kansoku container of the activity bar. VS Code makes and drops their pages as they are shown.

import * as vscode from 'vscode';
import type { LiveView } from '../../protocol/machine.ts';
import { Page, type PageName, type PageServices } from './page.ts';

const VIEWS: readonly {
  readonly id: string;
  readonly page: PageName;
  readonly live: LiveView;
  readonly title: () => string;
}[] = [
  { id: 'kansoku.vmState', page: 'vm-state', live: 'vmState', title: () => vscode.l10n.t('VM State') },
  { id: 'kansoku.vmcs', page: 'vmcs', live: 'vmcs', title: () => 'VMCS' },
];

export const registerViews = (services: PageServices): vscode.Disposable =>
  vscode.Disposable.from(
    ...VIEWS.map(({ id, page, live, title }) =>
      vscode.window.registerWebviewViewProvider(id, {
        resolveWebviewView(view) {
          const shown = new Page(view.webview, services, page, title(), live);
          view.onDidChangeVisibility(() => shown.setVisible(view.visible));
          view.onDidDispose(() => shown.dispose());
        },
      }),
    ),
  );
