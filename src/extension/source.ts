// From a guest address to the editor: asks the machine for the source line, finds the file on this machine, opens it.
// Not the line table (symbols). A path of the build machine is matched by its longest tail that exists here.

import * as vscode from 'vscode';
import type { SourceLocation } from '../protocol/views.ts';
import type { Guest } from './guest.ts';

export class SourceNavigator implements vscode.Disposable {
  private readonly found = new Map<string, vscode.Uri | undefined>();
  private readonly highlight = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('editor.rangeHighlightBackground'),
    borderColor: new vscode.ThemeColor('editor.rangeHighlightBorder'),
  });
  private readonly disposables: vscode.Disposable[];

  constructor(private readonly guest: Guest) {
    this.disposables = [
      guest.onDidBegin(() => this.found.clear()),
      // The mark says where a jump landed; the next movement of the user's takes it away.
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, kind }) => {
        if (kind !== undefined) textEditor.setDecorations(this.highlight, []);
      }),
    ];
  }

  /** Opens the line of an address. Says so in the status bar if there is none. */
  async openAddress(address: number, keepFocus = false): Promise<void> {
    await this.open(await this.guest.ask({ name: 'locate', address }), keepFocus);
  }

  async open(place: SourceLocation, keepFocus = false): Promise<void> {
    const uri = place.file === undefined ? undefined : await this.resolve(place.file);
    if (uri === undefined || place.line === undefined) {
      this.sayWhyNot(place);
      return;
    }
    const position = new vscode.Position(place.line - 1, Math.max(0, (place.column ?? 1) - 1));
    const editor = await vscode.window.showTextDocument(uri, {
      preserveFocus: keepFocus,
      viewColumn: column(),
      selection: new vscode.Range(position, position),
    });
    editor.setDecorations(this.highlight, [new vscode.Range(position, position)]);
    editor.revealRange(new vscode.Range(position, position), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  /** The file on this machine, or undefined. */
  async resolve(file: string): Promise<vscode.Uri | undefined> {
    if (!this.found.has(file)) this.found.set(file, await this.search(file));
    return this.found.get(file);
  }

  dispose(): void {
    this.highlight.dispose();
    for (const disposable of this.disposables) disposable.dispose();
  }

  private async search(file: string): Promise<vscode.Uri | undefined> {
    const image = this.guest.image?.uri;
    const folders = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri);
    const path = file.replaceAll('\\', '/');
    const absolute = path.startsWith('/') || /^[A-Za-z]:\//.test(path);
    if (absolute) {
      const uri = vscode.Uri.file(path);
      if (await exists(uri)) return uri;
    }
    // The image often lies beside its sources or in a build folder below them.
    const near =
      image === undefined ? [] : [1, 2, 3].map((up) => vscode.Uri.joinPath(image, ...Array<string>(up).fill('..')));
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    for (let from = 0; from < parts.length; from++) {
      for (const base of [...folders, ...near]) {
        const uri = vscode.Uri.joinPath(base, ...parts.slice(from));
        if (await exists(uri)) return uri;
      }
    }
    const name = parts.at(-1);
    if (name === undefined) return undefined;
    const [match] = await vscode.workspace.findFiles(`**/${name}`, '**/node_modules/**', 1);
    return match;
  }

  private sayWhyNot(place: SourceLocation): void {
    const address = `0x${place.address.toString(16).padStart(8, '0')}`;
    const text =
      place.file !== undefined && place.line !== undefined
        ? vscode.l10n.t('{0} is at {1}:{2}, but that file is not on this machine.', address, place.file, place.line)
        : place.function !== undefined
          ? vscode.l10n.t('{0} is in {1}, which has no source line.', address, place.function)
          : vscode.l10n.t('{0} is outside every known symbol.', address);
    vscode.window.setStatusBarMessage(`$(info) ${text}`, 8000);
  }
}

const exists = async (uri: vscode.Uri): Promise<boolean> => {
  try {
    return ((await vscode.workspace.fs.stat(uri)).type & vscode.FileType.File) !== 0;
  } catch {
    return false;
  }
};

/** An editor group that shows text already, so that a panel stays in view; a new one beside it otherwise. */
const column = (): vscode.ViewColumn => {
  const active = vscode.window.tabGroups.activeTabGroup;
  const isPage = (group: vscode.TabGroup): boolean => group.activeTab?.input instanceof vscode.TabInputWebview;
  if (!isPage(active)) return active.viewColumn;
  const other = vscode.window.tabGroups.all.find((group) => !isPage(group));
  return other?.viewColumn ?? vscode.ViewColumn.Beside;
};
