// Live Values: C expressions whose values are read again and again while the guest runs. The list belongs to the workspace. Values come from the
// debug adapter (kansoku/sample, src/debugger/dap/requests/sample.ts), four times a second and only while somebody looks.

import * as vscode from 'vscode';
import { activeGuestSession } from './debugging.ts';
import { expressionAtCursor } from './editor-expression.ts';

const VIEW = 'kansoku.liveValues';
const STORED = 'kansoku.liveValues';
const PERIOD_MS = 250;

/** What the adapter answers; dap/protocol.ts. */
interface Sample {
  readonly values: readonly { readonly result?: string; readonly problem?: string }[];
}
interface Row {
  readonly expression: string;
  text: string;
  problem: boolean;
  /** Its value is not what it was a period ago. */
  fresh: boolean;
}

class LiveValues implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<Row | undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private rows: Row[];
  private timer: NodeJS.Timeout | undefined;
  private asking = false;

  constructor(
    private readonly stored: vscode.Memento,
    private readonly visible: () => boolean,
  ) {
    this.rows = stored.get<string[]>(STORED, []).map(rowOf);
  }

  getChildren(row?: Row): Row[] {
    return row === undefined ? this.rows : [];
  }

  getTreeItem(row: Row): vscode.TreeItem {
    const item = new vscode.TreeItem(row.expression);
    item.description = row.text;
    item.tooltip = `${row.expression} = ${row.text}`;
    item.contextValue = 'liveValue';
    item.iconPath = new vscode.ThemeIcon(
      row.problem ? 'warning' : row.fresh ? 'circle-filled' : 'circle-outline',
      row.fresh ? new vscode.ThemeColor('charts.blue') : undefined,
    );
    item.accessibilityInformation = { label: `${row.expression}: ${row.text}` };
    return item;
  }

  async add(expression: string): Promise<void> {
    const text = expression.trim();
    if (text === '' || this.rows.some((row) => row.expression === text)) return;
    this.rows.push(rowOf(text));
    await this.keep();
    await this.read();
  }
  async remove(row: Row): Promise<void> {
    this.rows = this.rows.filter((one) => one !== row);
    await this.keep();
  }
  async clear(): Promise<void> {
    this.rows = [];
    await this.keep();
  }
  private async keep(): Promise<void> {
    this.changes.fire(undefined);
    await this.stored.update(
      STORED,
      this.rows.map(({ expression }) => expression),
    );
  }

  /** Reads while there is something to read and somebody to see it. */
  follow(): void {
    const wanted = activeGuestSession() !== undefined && this.visible();
    if (wanted) this.timer ??= setInterval(() => void this.read(), PERIOD_MS);
    else {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    if (activeGuestSession() !== undefined) return;
    for (const row of this.rows) [row.text, row.problem, row.fresh] = ['', false, false];
    this.changes.fire(undefined);
  }

  private async read(): Promise<void> {
    const active = activeGuestSession();
    if (active === undefined || this.asking || this.rows.length === 0) return;
    this.asking = true;
    try {
      const { rows } = this;
      const expressions = rows.map(({ expression }) => expression);
      const { values } = (await active.customRequest('kansoku/sample', { expressions })) as Sample;
      values.forEach((value, index) => this.take(rows[index]!, value));
    } catch {
      // The session ended meanwhile.
    } finally {
      this.asking = false;
    }
  }
  private take(row: Row, { result, problem }: Sample['values'][number]): void {
    const text = result ?? problem ?? '';
    const fresh = text !== row.text && row.text !== '' && problem === undefined;
    if (text === row.text && fresh === row.fresh) return;
    [row.text, row.problem, row.fresh] = [text, problem !== undefined, fresh];
    this.changes.fire(row);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.changes.dispose();
  }
}

const rowOf = (expression: string): Row => ({ expression, text: '', problem: false, fresh: false });

export const registerLiveValues = (stored: vscode.Memento): vscode.Disposable => {
  const values: LiveValues = new LiveValues(stored, () => view.visible);
  const view = vscode.window.createTreeView(VIEW, { treeDataProvider: values });
  const follow = (): void => values.follow();
  const add = async (): Promise<void> => {
    const expression = await vscode.window.showInputBox({
      title: vscode.l10n.t('Add a live value'),
      prompt: vscode.l10n.t('A C expression of global names, read while the guest runs; ",x" behind it: hexadecimal'),
      placeHolder: 'frames_free',
      value: expressionAtCursor() ?? '',
    });
    if (expression !== undefined) await values.add(expression);
  };
  return vscode.Disposable.from(
    values,
    view,
    view.onDidChangeVisibility(follow),
    vscode.debug.onDidChangeActiveDebugSession(follow),
    vscode.debug.onDidTerminateDebugSession(follow),
    vscode.commands.registerCommand('kansoku.liveValues.add', add),
    vscode.commands.registerCommand('kansoku.liveValues.remove', (row: Row) => values.remove(row)),
    vscode.commands.registerCommand('kansoku.liveValues.clear', () => values.clear()),
  );
};
