// Commands that go through the past: who wrote a variable last, when a line was executed last, to an event of the timeline. They ask the debug adapter
// (requests of ours, src/debugger/dap/requests/past.ts and travel.ts), and the guest then stands at that moment. Not the search.

import * as vscode from 'vscode';
import { isSequence } from '../../protocol/pages.ts';
import type { Log } from '../log.ts';
import type { TimelinePanel } from '../pages/timeline-panel.ts';
import { activeGuestSession } from './debugging.ts';
import { expressionAtCursor } from './editor-expression.ts';

/** What the editor hands over from the menu of a variable. */
interface VariableContext {
  readonly sessionId?: string;
  readonly container?: { readonly variablesReference?: number };
  readonly variable?: { readonly name?: string };
}
/** And from the menu of a line number. */
interface LineContext {
  readonly uri?: vscode.Uri;
  readonly lineNumber?: number;
}

/** From the timeline: its menu, or its page itself. */
interface EventContext {
  readonly sequence?: unknown;
}

export const registerPastCommands = (log: Log, timeline: TimelinePanel): vscode.Disposable => {
  /** The guest's session, or a message. */
  const session = (): vscode.DebugSession | undefined => {
    const active = activeGuestSession();
    if (active !== undefined) return active;
    log.userError(vscode.l10n.t('No guest is being debugged: start one with F5 first.'));
    return undefined;
  };
  const ask = async (command: string, argument: object): Promise<void> => {
    try {
      await session()?.customRequest(command, argument);
    } catch (error) {
      log.userError(error instanceof Error ? error.message : String(error));
    }
  };

  const lastWrite = async (context?: VariableContext): Promise<void> => {
    const { variable, container } = context ?? {};
    if (variable?.name !== undefined && container?.variablesReference !== undefined) {
      await ask('kansoku/lastWrite', { name: variable.name, variablesReference: container.variablesReference });
      return;
    }
    if (session() === undefined) return;
    const name = expressionAtCursor() ?? (await askExpression());
    if (name === undefined || name.trim() === '') return;
    const item = vscode.debug.activeStackItem;
    await ask('kansoku/lastWrite', {
      name,
      ...(item instanceof vscode.DebugStackFrame ? { frameId: item.frameId } : {}),
    });
  };

  const lastExecution = async (context?: LineContext): Promise<void> => {
    const editor = vscode.window.activeTextEditor;
    const uri = context?.uri ?? editor?.document.uri;
    const line = context?.lineNumber ?? (editor === undefined ? undefined : editor.selection.active.line + 1);
    if (uri === undefined || line === undefined) {
      log.userError(vscode.l10n.t('Put the cursor into a line of the guest’s source first.'));
      return;
    }
    await ask('kansoku/lastExecution', { source: { path: uri.fsPath }, line });
  };

  /** Without an event the timeline is asked which one is chosen, and comes back here. */
  const goToEvent = async (context?: EventContext): Promise<void> => {
    if (session() === undefined) return;
    if (isSequence(context?.sequence)) await ask('kansoku/travel', { sequence: context.sequence });
    else await timeline.invoke('travel');
  };

  return vscode.Disposable.from(
    vscode.commands.registerCommand('kansoku.debug.goToEvent', goToEvent),
    vscode.commands.registerCommand('kansoku.debug.lastWrite', lastWrite),
    vscode.commands.registerCommand('kansoku.debug.lastExecution', lastExecution),
  );
};

const askExpression = (): Thenable<string | undefined> =>
  vscode.window.showInputBox({
    title: vscode.l10n.t('Go back to the last write'),
    prompt: vscode.l10n.t('A variable, or a C expression for something in memory'),
    placeHolder: 'current->state',
  });
