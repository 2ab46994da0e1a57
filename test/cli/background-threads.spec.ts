// The command line's process while a guest runs: V8's own threads have a lower priority than the one that runs it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { TSUBAME } from '../boot/running-guest.ts';
import { kansokuBundle } from './kansoku.ts';

/** Nice value of a thread: the 19th field of its stat, behind the name in parentheses (proc(5)). */
const niceOf = (pid: number, thread: string): number => {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
};

test("V8's threads stand behind the guest's", { skip: process.platform !== 'linux' }, async () => {
  const child = spawn(
    process.execPath,
    [await kansokuBundle(), 'boot', TSUBAME, '--until', 'never', '--serial', 'stdio'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  try {
    await once(child.stdout, 'data');
    const pid = child.pid!;
    const own = niceOf(process.pid, String(process.pid));
    const threads = readdirSync(`/proc/${pid}/task`);
    assert.equal(niceOf(pid, String(pid)), own);
    const behind = threads.filter((thread) => niceOf(pid, thread) === own + constants.priority.PRIORITY_BELOW_NORMAL);
    assert.ok(behind.length >= 4, `${behind.length} of ${threads.length}`);
  } finally {
    child.kill();
    await once(child, 'close');
  }
});
