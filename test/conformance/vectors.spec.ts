// Every form of every group against the real processor: vecgen makes the vectors, the runner of `kansoku vectors` compares. Then the
// command itself: what it prints and its exit status.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runVectors, type VectorResult } from '../../src/cli/vectors/run.ts';
import { kansoku } from '../cli/kansoku.ts';
import { DIFFERENCES, withoutDifferences } from './differences.ts';
import {
  CODE_END_GROUPS,
  CODE_ENDS,
  CONTEXTS,
  generate,
  GROUPS,
  missingGenerator,
  sample,
  SAMPLES,
} from './vecgen/generate.ts';

const PER_FORM = 500;
const PER_FORM_AT_CODE_END = 10;

const allPass = (result: VectorResult): void => {
  assert.deepEqual(result.failures, []);
  assert.equal(result.failed, 0);
};

const seen = new Map<string, number>();
for (const context of CONTEXTS) {
  const missing = missingGenerator(context);
  describe(`vectors of the real processor, ${context}`, () => {
    for (const group of GROUPS[context])
      it(group, { skip: missing }, async () => {
        const vectors = generate({ context, group, seed: 1, perForm: PER_FORM });
        allPass(await runVectors(withoutDifferences(vectors, seen)));
      });
    for (const code of CODE_ENDS[context])
      it(`code at ${code.toString(16)}`, { skip: missing }, async () => {
        const group = CODE_END_GROUPS.join(',');
        const vectors = generate({ context, group, seed: 1, perForm: PER_FORM_AT_CODE_END, code });
        allPass(await runVectors(withoutDifferences(vectors, seen)));
      });
    if (context === 'real16')
      it('every difference in the table is met', { skip: missing ?? missingGenerator('user32') }, () => {
        for (const { what } of DIFFERENCES) assert.ok((seen.get(what) ?? 0) > 0, what);
      });
  });
}

describe('the samples', () => {
  for (const name of SAMPLES)
    it(name, async () => {
      const lines = sample(name).trimEnd().split('\n');
      const result = await runVectors([lines]);
      allPass(result);
      assert.equal(result.passed, lines.length - 1);
    });
});

describe('the runner notices', () => {
  const [header, ...cases] = sample('user32').trimEnd().split('\n') as [string, ...string[]];
  interface Case {
    in: Record<string, unknown>;
    out: Record<string, unknown>;
    fault?: { vector: number };
    ignore?: unknown;
  }
  const fails = async (change: (test: Case) => boolean): Promise<void> => {
    const changed = cases.map((line) => JSON.parse(line) as Case).filter(change);
    assert.ok(changed.length > 10, `${changed.length} cases`);
    const result = await runVectors([[header, ...changed.map((test) => JSON.stringify(test))]]);
    assert.deepEqual([result.passed, result.failed], [0, changed.length]);
  };
  it('a general register', async () => {
    await fails((test) => {
      test.out['ebx'] = (((test.out['ebx'] ?? test.in['ebx']) as number) ^ 1) >>> 0;
      return true;
    });
  });
  it('EIP', async () => {
    await fails((test) => {
      test.out['eip'] = (test.out['eip'] as number) + 1;
      return true;
    });
  });
  it('a flag outside the mask', async () => {
    await fails((test) => {
      test.out['eflags'] = ((test.out['eflags'] ?? test.in['eflags']) as number) ^ 0x400;
      return true;
    });
  });
  it('an expected fault that does not come', async () => {
    await fails((test) => {
      if (test.fault !== undefined) return false;
      test.fault = { vector: 0 };
      return true;
    });
  });
  it('a fault that is not expected', async () => {
    await fails((test) => {
      const faults = test.fault !== undefined;
      delete test.fault;
      return faults;
    });
  });
  it('a byte of memory', async () => {
    await fails((test) => {
      const mem = test.out['mem'] as [number, string][] | undefined;
      if (mem === undefined || mem.length === 0 || test.ignore !== undefined) return false;
      const hex = mem[0]![1];
      mem[0]![1] = (parseInt(hex.slice(0, 2), 16) ^ 0x80).toString(16).padStart(2, '0') + hex.slice(2);
      return true;
    });
  });
  it('an XMM register', async () => {
    await fails((test) => {
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
  const lines = sample('user32').trimEnd().split('\n');
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
