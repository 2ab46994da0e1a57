import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileReport } from '../protocol/language.ts';
import { translator } from '../protocol/strings.ts';
import { hoverOf, lensesOf } from './reports.ts';

const file: FileReport = {
  uri: 'file:///a.c',
  lines: [
    { line: 12, function: 'f', functionLine: 10, exits: 1000, reasons: [{ name: 'CPUID', count: 1000 }] },
    {
      line: 14,
      function: 'f',
      functionLine: 10,
      exits: 5,
      reasons: [
        { name: 'HLT', count: 3 },
        { name: 'CPUID', count: 2 },
      ],
    },
    { line: 40, exits: 1, reasons: [{ name: 'HLT', count: 1 }] },
  ],
};
const t = translator({});

test('one lens above a function sums its lines; a line outside any function has its own', () => {
  assert.deepEqual(lensesOf(file, t), [
    { line: 9, title: '1,005 VM exits · CPUID 1,002 · HLT 3' },
    { line: 39, title: '1 VM exit · HLT' },
  ]);
});

test('a hover lists the reasons of its line and is absent elsewhere', () => {
  assert.match(hoverOf(file, 13, t)!, /5 VM exits[\s\S]*\| HLT \| 3 \|\n\| CPUID \| 2 \|/);
  assert.equal(hoverOf(file, 12, t), undefined);
});

test('text is translated with its values in place', () => {
  const japanese = translator({ '{0} VM exits': 'VM exit {0} 回' });
  assert.match(lensesOf(file, japanese)[0]!.title, /^VM exit 1,005 回/);
});
