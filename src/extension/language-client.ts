// Starts the language server when a guest first did something, and tells it what: exits by source line, with files found on this machine.
// Not lenses and hovers themselves (src/language).

import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/node';
import {
  type FileReport,
  GUEST_ACTIVITY,
  type GuestActivity,
  type LineReport,
  type ServerOptions,
} from '../protocol/language.ts';
import type { LineActivity } from '../protocol/machine.ts';
import type { Guest } from './guest.ts';
import type { Host } from './host/host.ts';
import type { SourceNavigator } from './source.ts';

/** By pattern, not by language: assembly files belong to whichever extension is installed. */
const FILES = '**/*.{c,h,cc,cpp,hpp,s,S,asm,inc}';

export class GuestLanguage implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private files: readonly FileReport[] = [];
  private readonly disposables: vscode.Disposable[];

  constructor(
    private readonly host: Host,
    guest: Guest,
    private readonly source: SourceNavigator,
  ) {
    this.disposables = [
      guest.onDidBegin(() => void this.report([])),
      guest.onMessage((message) => {
        if (message.type === 'activity') void this.resolve(message.lines).then((files) => this.report(files));
      }),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('kansoku.codeLens')) void this.report(this.files);
      }),
    ];
  }

  /** Takes lenses and hovers away until the guest does something again. */
  clear(): void {
    void this.report([]);
  }

  dispose(): void {
    for (const disposable of this.disposables) disposable.dispose();
    void this.client?.stop();
  }

  private async resolve(lines: readonly LineActivity[]): Promise<FileReport[]> {
    const files = new Map<string, LineReport[]>();
    for (const { file, ...line } of lines) {
      const uri = (await this.source.resolve(file))?.toString();
      if (uri === undefined) continue;
      const of = files.get(uri) ?? [];
      of.push(line);
      files.set(uri, of);
    }
    return [...files].map(([uri, of]) => ({ uri, lines: of }));
  }

  private async report(files: readonly FileReport[]): Promise<void> {
    const nothing = files.length === 0 && this.files.length === 0;
    this.files = files;
    if (nothing) return;
    this.client ??= this.start();
    await this.client.start();
    const lenses = vscode.workspace.getConfiguration('kansoku').get<boolean>('codeLens', true);
    const activity: GuestActivity = { files: this.files, lenses };
    await this.client.sendNotification(GUEST_ACTIVITY, activity);
  }

  private start(): LanguageClient {
    const options: ServerOptions = { strings: (vscode.l10n.bundle ?? {}) as ServerOptions['strings'] };
    return new LanguageClient(
      'kansoku',
      'Kansoku Language Server',
      () => Promise.resolve(this.host.startLanguageServer()),
      {
        documentSelector: [{ scheme: 'file', pattern: FILES }],
        initializationOptions: options,
      },
    );
  }
}
