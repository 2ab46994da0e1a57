// What the user is told when something goes wrong: one clear notification an error, with the details one click away in the output
// channel. The user's mistakes have no details; defects of ours have a stack.

import * as vscode from 'vscode';

export class Log implements vscode.Disposable {
  private readonly channel = vscode.window.createOutputChannel('Kansoku', { log: true });

  info(message: string): void {
    this.channel.info(message);
  }

  userError(message: string): void {
    this.channel.error(message);
    void vscode.window.showErrorMessage(message);
  }

  defect(message: string, cause: unknown): void {
    this.channel.error(message, cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
    void this.offerDetails(vscode.window.showErrorMessage(message, SHOW_DETAILS()));
  }

  /** Lines for the channel; shown at once. */
  details(title: string, lines: readonly string[]): void {
    this.channel.info([title, ...lines].join('\n  '));
    this.channel.show(true);
  }

  dispose(): void {
    this.channel.dispose();
  }

  private async offerDetails(shown: Thenable<string | undefined>): Promise<void> {
    if ((await shown) === SHOW_DETAILS()) this.channel.show(true);
  }
}

export const SHOW_DETAILS = (): string => vscode.l10n.t('Show Details');
