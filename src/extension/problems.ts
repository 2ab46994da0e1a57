// What stopped the guest, told once: a notification with a way to the source, and an entry in Problems at that line until the next boot.
// An orderly end (power-off, debug exit, reset) is only noted in the console; what was recorded stays to be looked at.

import * as vscode from 'vscode';
import type { SourceLocation, Stop, StopKind } from '../protocol/views.ts';
import type { Guest } from './guest.ts';
import { type Log, SHOW_DETAILS } from './log.ts';
import type { SourceNavigator } from './source.ts';

const ORDERLY: readonly StopKind[] = ['debug-exit', 'power-off', 'reset'];

export const registerProblems = (guest: Guest, source: SourceNavigator, log: Log): vscode.Disposable => {
  const problems = vscode.languages.createDiagnosticCollection('kansoku');

  const mark = async (stop: Stop, place: SourceLocation | undefined): Promise<void> => {
    if (place?.file === undefined || place.line === undefined) return;
    const uri = await source.resolve(place.file);
    if (uri === undefined) return;
    const line = place.line - 1;
    const document = await vscode.workspace.openTextDocument(uri);
    const range = line < document.lineCount ? document.lineAt(line).range : new vscode.Range(line, 0, line, 0);
    const problem = new vscode.Diagnostic(
      new vscode.Range(range.start.translate(0, /^\s*/.exec(document.getText(range))?.[0].length ?? 0), range.end),
      [stop.message, ...stop.details].join('\n'),
      vscode.DiagnosticSeverity.Error,
    );
    problem.source = 'Kansoku';
    problem.code = stop.kind;
    problems.set(uri, [problem]);
  };

  const tell = async (stop: Stop, place: SourceLocation | undefined): Promise<void> => {
    const openSource = vscode.l10n.t('Open Source');
    const hasSource = place?.file !== undefined && place.line !== undefined;
    const answer = await vscode.window.showErrorMessage(
      stop.message,
      ...(hasSource ? [openSource] : []),
      ...(stop.details.length > 0 ? [SHOW_DETAILS()] : []),
    );
    if (answer === openSource && place !== undefined) await source.open(place);
    else if (answer === SHOW_DETAILS()) log.details(stop.message, stop.details);
  };

  return vscode.Disposable.from(
    problems,
    guest.onDidBegin(() => problems.clear()),
    guest.onMessage((message) => {
      if (message.type === 'broken') {
        log.defect(vscode.l10n.t('The machine stopped because of a defect in Kansoku.'), message.detail);
      } else if (message.type === 'stopped' && !ORDERLY.includes(message.stop.kind)) {
        void mark(message.stop, message.location);
        void tell(message.stop, message.location);
      }
    }),
  );
};
