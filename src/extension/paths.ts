// Paths as launch configurations have them, and what files are called.

import * as vscode from 'vscode';

/** Absolute, below the folder, or a URI. */
export const uriOf = (text: string, folder: vscode.WorkspaceFolder | undefined): vscode.Uri => {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return vscode.Uri.parse(text);
  if (/^([/\\]|[a-z]:[/\\])/i.test(text) || folder === undefined) return vscode.Uri.file(text);
  return vscode.Uri.joinPath(folder.uri, text);
};

/** The last part. */
export const nameOf = (uri: vscode.Uri): string => uri.path.slice(uri.path.lastIndexOf('/') + 1);
