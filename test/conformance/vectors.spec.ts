// Every form of every group against the real processor: vecgen makes the vectors, the runner of `kansoku vectors` compares. Then the
// command itself: what it prints and its exit status.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runVectors } from '../../src/cli/vectors.ts';
import { kansoku } from '../cli/kansoku.ts';
import { generate, groups, missingGenerator, sample } from './vecgen/generate.ts';

const missing = missingGenerator();

describe('vectors of the real processor', () => {
  for (const group of groups)
    it(group, { skip: missing }, () => {
      const result = runVectors(generate(group, 1, 25));
      assert.deepEqual(result.failures, []);
      assert.equal(result.failed, 0);
      assert.ok(result.passed > 200, `${result.passed} vectors`);
    });
  it('the sample', () => {
    assert.deepEqual(runVectors(sample()), { passed: 164, failed: 0, failures: [] });
  });
});

describe('the runner notices', () => {
  const [header, ...cases] = sample().trimEnd().split('\n') as [string, ...string[]];
  interface Case {
    in: Record<string, unknown>;
    out: Record<string, unknown>;
    fault?: { vector: number };
  }
  const fails = (change: (test: Case) => boolean): void => {
    const changed = cases.map((line) => JSON.parse(line) as Case).filter(change);
    assert.ok(changed.length > 10, `${changed.length} cases`);
    const result = runVectors([header, ...changed.map((test) => JSON.stringify(test))].join('\n'));
    assert.deepEqual([result.passed, result.failed], [0, changed.length]);
  };
  it('a general register', () => {
    fails((test) => {
      test.out['ebx'] = (((test.out['ebx'] ?? test.in['ebx']) as number) ^ 1) >>> 0;
      return true;
    });
  });
  it('EIP', () => {
    fails((test) => {
      test.out['eip'] = (test.out['eip'] as number) + 1;
      return true;
    });
  });
  it('a flag outside the mask', () => {
    fails((test) => {
      test.out['eflags'] = ((test.out['eflags'] ?? test.in['eflags']) as number) ^ 0x400;
      return true;
    });
  });
  it('an expected fault that does not come', () => {
    fails((test) => {
      if (test.fault !== undefined) return false;
      test.fault = { vector: 0 };
      return true;
    });
  });
  it('a fault that is not expected', () => {
    fails((test) => {
      const faults = test.fault !== undefined;
      delete test.fault;
      return faults;
    });
  });
  it('a byte of memory', () => {
    fails((test) => {
      const mem = test.out['mem'] as [number, string][] | undefined;
      if (mem === undefined || mem.length === 0) return false;
      const hex = mem[0]![1];
      mem[0]![1] = (parseInt(hex.slice(0, 2), 16) ^ 0x80).toString(16).padStart(2, '0') + hex.slice(2);
      return true;
    });
  });
  it('an XMM register', () => {
    fails((test) => {
      if (test.fault !== undefined) return false;
      const xmm = [...((test.out['xmm'] ?? test.in['xmm'] ?? Array<string>(8).fill('0'.repeat(32))) as string[])];
      xmm[7] = (xmm[7]!.startsWith('1') ? '2' : '1') + xmm[7]!.slice(1);
      test.out['xmm'] = xmm;
      return true;
    });
  });
});

describe('kansoku vectors', () => {
  const parent = join(import.meta.dirname, 'out', 'vectors');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'spec-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const lines = sample().trimEnd().split('\n');
  const good = lines.slice(0, 4).join('\n') + '\n';

  it('0 when all pass, over several files, plain and gzipped', async () => {
    const { status, stdout, stderr } = await kansoku([
      'vectors',
      file('good.jsonl', good),
      file('good.jsonl.gz', gzipSync(good)),
    ]);
    assert.deepEqual([status, stdout, stderr], [0, '6 passed, 0 failed\n', '']);
  });
  it('1 when one fails, which it names', async () => {
    const broken = JSON.parse(lines[1]!) as { name: string; out: { eip: number } };
    broken.out.eip ^= 0x40;
    const { status, stdout } = await kansoku(['vectors', file('bad.jsonl', good + JSON.stringify(broken) + '\n')]);
    assert.equal(status, 1);
    assert.match(stdout, /\n3 passed, 1 failed\n$/);
    assert.ok(stdout.startsWith(broken.name), stdout);
    assert.match(stdout, /: eip [0-9a-f]+, expected [0-9a-f]+\n/);
  });
  it('2 and one line on standard error for no file, a missing one, and what is no vector file', async () => {
    const empty = file('empty.jsonl', '');
    const text = file('text.jsonl', 'hello\n');
    const other = file('other.jsonl', '{"format":"something","version":1}\n');
    const cut = file('cut.jsonl', good + lines[5]!.slice(0, 40));
    const absent = join(folder, 'absent.jsonl');
    for (const [path, ...args] of [
      [''],
      [absent, absent],
      [empty, empty],
      [text, text],
      [other, other],
      [cut, cut],
    ] as const) {
      const { status, stdout, stderr } = await kansoku(['vectors', ...args]);
      assert.equal(status, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /^[^\n]+\n$/);
      assert.ok(stderr.includes(path), stderr);
      if (path === cut) assert.match(stderr, /line 5/);
    }
  });
});
