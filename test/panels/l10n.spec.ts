// Every string that a person reads is in the Japanese bundles, with the same placeholders, and nothing in them is left over.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const bundle = (file: string): Record<string, string> =>
  JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
const walk = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
  );
const CALL = /(?<![\w.])(?:vscode\.l10n\.)?t\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(`|[a-z]))/g;
const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

const keys = new Set<string>();
const computed: string[] = [];
for (const folder of ['extension', 'webviews', 'language']) {
  for (const file of walk(join('src', folder)).filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.spec.ts'))) {
    for (const match of readFileSync(file, 'utf8').matchAll(CALL)) {
      const key = match[1] ?? match[2];
      if (key === undefined) computed.push(`${file}: ${match[0]}`);
      else keys.add(key.replace(/\\(.)/g, '$1'));
    }
  }
}

test('strings are literals, so that they can be found', () => assert.deepEqual(computed, []));

test('the Japanese bundle has every string and no other', () => {
  const japanese = bundle('l10n/bundle.l10n.ja.json');
  assert.ok(keys.size > 100);
  assert.deepEqual(Object.keys(japanese).sort(), [...keys].sort());
  for (const [key, text] of Object.entries(japanese)) assert.deepEqual(placeholders(text), placeholders(key), key);
});

test('the manifest names only strings that exist in both languages', () => {
  const english = bundle('package.nls.json');
  const used = [...readFileSync('package.json', 'utf8').matchAll(/"%([\w.-]+)%"/g)].map((match) => match[1]!);
  assert.deepEqual(Object.keys(english).sort(), [...new Set(used)].sort());
  assert.deepEqual(Object.keys(bundle('package.nls.ja.json')), Object.keys(english));
});
