// The expression that the user means in the editor: what is selected, else the name under the cursor.

import * as vscode from 'vscode';

export const expressionAtCursor = (): string | undefined => {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return undefined;
  const { document, selection } = editor;
  if (!selection.isEmpty) return document.getText(selection);
  const word = document.getWordRangeAtPosition(selection.active);
  return word === undefined ? undefined : document.getText(word);
};
