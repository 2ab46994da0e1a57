// What the debugger says: every text has its Japanese one with the same gaps, none lies about, none is built outside of the table, and a session speaks
// the language of its user.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { english, tellIn } from '../../src/debugger/saying.ts';
import { JAPANESE } from '../../src/debugger/texts-ja.ts';
import { TEXTS } from '../../src/debugger/texts.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const walk = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
  );
const sources = walk('src/debugger').filter(
  (file) => file.endsWith('.ts') && !/\.spec\.ts$|texts(-ja)?\.ts$/.test(file),
);
const gaps = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test('every text has its Japanese one, with the same gaps', () => {
  assert.deepEqual(Object.keys(JAPANESE), Object.keys(TEXTS));
  for (const [key, text] of Object.entries(TEXTS))
    assert.deepEqual(gaps(JAPANESE[key as keyof typeof TEXTS]), gaps(text), key);
  const same = Object.entries(TEXTS).filter(([key, text]) => JAPANESE[key as keyof typeof TEXTS] === text);
  // Without a word of their own.
  assert.deepEqual(
    same.map(([key]) => key),
    ['plain', 'withReason', 'brokenOff'],
  );
});

/** The words of a literal that a person may read: several, or one that begins like a sentence. */
const reads = (text: string): boolean => /[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]{2,}[.:]?$/.test(text);

/** The protocol's words and the SDM's, which are the same in all languages. */
const NAMES = new Set(['function breakpoint', 'instruction breakpoint', 'data breakpoint', 'Guest state', 'Refusal']);

test('no sentence of the debug adapter is built outside of the table, and the table has none that is not used', () => {
  for (const text of ['Paused', 'Paused on', 'has no such symbol.', 'symbols loaded, no line table'])
    assert.ok(reads(text), text);
  const built: string[] = [];
  const words = new Set<string>();
  for (const file of sources) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const look = (node: ts.Node): void => {
      if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isLiteralTypeNode(node)) return;
      if (
        ts.isStringLiteralLike(node) ||
        ts.isTemplateHead(node) ||
        ts.isTemplateMiddle(node) ||
        ts.isTemplateTail(node)
      ) {
        words.add(node.text);
        if (file.includes('/dap/') && reads(node.text.trim()) && !NAMES.has(node.text))
          built.push(`${file}: ${node.text}`);
      }
      ts.forEachChild(node, look);
    };
    look(source);
  }
  assert.deepEqual(built, []);
  assert.deepEqual(
    Object.keys(TEXTS).filter((key) => !words.has(key)),
    [],
  );
});

test('texts in texts, and what is the same in all languages', () => {
  const japanese = tellIn('ja');
  assert.equal(
    english('isWrong', { name: 'count', value: '"x"', wanted: ['wholeNumber', { least: 0, most: 9 }] }),
    'count is "x": give a whole number from 0 to 9',
  );
  assert.equal(
    japanese('isWrong', { name: 'count', value: '"x"', wanted: ['wholeNumber', { least: 0, most: 9 }] }),
    'count が "x" です。 0 から 9 までの整数を指定してください',
  );
  assert.equal(tellIn('ja-JP')('paused'), '一時停止');
  for (const locale of ['en', 'de', 'jam', undefined]) assert.equal(tellIn(locale)('paused'), 'Paused');
  // What a name has in it is no gap.
  assert.equal(english('noRegister', { name: '{name} $& $1' }), 'There is no register {name} $& $1.');
});

test('a session speaks the language of its user', () => {
  const bench = new DapBench(configOf(TSUBAME));
  const { exceptionBreakpointFilters = [] } = bench.request('initialize', { adapterID: 'kansoku', locale: 'ja' })!;
  assert.deepEqual(
    exceptionBreakpointFilters.slice(0, 3).map(({ label }) => label),
    ['トリプルフォールト', 'VM-entry の失敗', 'Double fault (#DF)'],
  );
  bench.request('launch', {} as never);
  const { breakpoints } = bench.request('setFunctionBreakpoints', {
    breakpoints: [{ name: 'page_fault' }, { name: 'nothing' }],
  });
  assert.equal(breakpoints[1]!.message, 'tsubame.elf に関数 nothing はありません。');
  bench.request('configurationDone');
  assert.equal(bench.until('stopped').description, 'page_fault で停止');
  const { stackFrames } = bench.request('stackTrace', { threadId: 1 });
  assert.ok(
    stackFrames.some(({ name, presentationHint }) => name === '<割り込まれた所>' && presentationHint === 'label'),
  );
  const { scopes } = bench.request('scopes', { frameId: stackFrames[0]!.id });
  assert.ok(scopes.some(({ name, presentationHint }) => name === 'レジスタ' && presentationHint === 'registers'));
  assert.equal(bench.ask('stepBack', { threadId: 1 }), tellIn('ja')('notRecorded', { then: ['thenGoBack'] }));
  assert.equal(
    bench.ask('setVariable', { variablesReference: 1 << 20, name: 'x', value: '1' }),
    'これらの値が表示された後にゲストが先へ進みました。',
  );
});
