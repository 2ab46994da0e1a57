// Paths as launch configurations have them.

import * as vscode from 'vscode';

/** Absolute, below the folder, or a URI. */
export const uriOf = (text: string, folder: vscode.WorkspaceFolder | undefined): vscode.Uri => {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return vscode.Uri.parse(text);
  if (/^([/\\]|[a-z]:[/\\])/i.test(text) || folder === undefined) return vscode.Uri.file(text);
  return vscode.Uri.joinPath(folder.uri, text);
};
