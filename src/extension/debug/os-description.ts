// The file that says where a kernel's tasks are: looked for where a launch configuration says, in the folder, and beside the kernel. Not what is in it
// (src/debugger/os/description.ts).

import * as vscode from 'vscode';
import { uriOf } from '../paths.ts';

/** Where it is without a word of the configuration. */
const USUAL = '.kansoku/os.json';

export interface OsDescriptionFile {
  readonly name: string;
  readonly text: string;
  /** Why there is no text. */
  readonly problem?: string;
}

/** Undefined: there is none, and none was named. */
export const osDescription = async (
  given: string | object | undefined,
  folder: vscode.WorkspaceFolder | undefined,
  image: vscode.Uri | undefined,
): Promise<OsDescriptionFile | undefined> => {
  if (typeof given === 'object') return { name: 'launch.json, "os"', text: JSON.stringify(given) };
  if (typeof given === 'string') {
    const uri = uriOf(given, folder);
    return (await read(uri)) ?? { name: given, text: '', problem: vscode.l10n.t('there is no file {0}', uri.fsPath) };
  }
  const places = [folder?.uri, image === undefined ? undefined : vscode.Uri.joinPath(image, '..')];
  for (const place of places) {
    const found = place === undefined ? undefined : await read(vscode.Uri.joinPath(place, USUAL));
    if (found !== undefined) return found;
  }
  return undefined;
};

const read = async (uri: vscode.Uri): Promise<OsDescriptionFile | undefined> => {
  try {
    return {
      name: vscode.workspace.asRelativePath(uri, false),
      text: new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)),
    };
  } catch {
    return undefined;
  }
};
