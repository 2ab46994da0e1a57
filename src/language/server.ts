// The language server: code lenses and hovers for C and assembly sources from what the guest did. Only additions: it never
// answers what clangd or cpptools answer. Runs in a worker thread beside the machine's; the extension feeds it.

import { parentPort } from 'node:worker_threads';
import { CodeLensRefreshRequest, MarkupKind } from 'vscode-languageserver';
import { createConnection, PortMessageReader, PortMessageWriter } from 'vscode-languageserver/node';
import { type FileReport, GUEST_ACTIVITY, type GuestActivity, type ServerOptions } from '../protocol/language.ts';
import { translator } from '../protocol/strings.ts';
import { hoverOf, lensesOf } from './reports.ts';

if (parentPort === null) throw new Error('the language server runs in a worker thread');
const connection = createConnection(new PortMessageReader(parentPort), new PortMessageWriter(parentPort));

let t = translator({});
let canRefresh = false;
let lenses = true;
let files: ReadonlyMap<string, FileReport> = new Map();

connection.onInitialize(({ capabilities, initializationOptions }) => {
  t = translator((initializationOptions as ServerOptions).strings);
  canRefresh = capabilities.workspace?.codeLens?.refreshSupport === true;
  return { capabilities: { codeLensProvider: {}, hoverProvider: true } };
});

connection.onNotification(GUEST_ACTIVITY, (activity: GuestActivity) => {
  files = new Map(activity.files.map((file) => [file.uri, file]));
  lenses = activity.lenses;
  if (canRefresh) void connection.sendRequest(CodeLensRefreshRequest.type);
});

connection.onCodeLens(({ textDocument }) => {
  const file = lenses ? files.get(textDocument.uri) : undefined;
  if (file === undefined) return [];
  return lensesOf(file, t).map(({ line, title }) => ({
    range: { start: { line, character: 0 }, end: { line, character: 0 } },
    command: { title, command: 'kansoku.openTimeline', tooltip: t('Open the Event Timeline') },
  }));
});

connection.onHover(({ textDocument, position }) => {
  const file = files.get(textDocument.uri);
  const text = file === undefined ? undefined : hoverOf(file, position.line, t);
  return text === undefined ? null : { contents: { kind: MarkupKind.Markdown, value: text } };
});

connection.listen();
