import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { MOST_YOUNG, NO_GROWTH } from './young-generation.ts';

/** Makes objects that outlive collections, and says how large the room for young ones became, in MiB. */
const GROW = `
  const kept = [];
  for (let i = 0; i < 400_000; i++) kept.push({ i, list: [i, i + 1, i + 2] });
  const room = require('node:v8').getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 2 ** 20;
`;
const roomOfProcess = (before: string): number =>
  Number(execFileSync(process.execPath, ['-e', `${before};${GROW};console.log(room)`], { encoding: 'utf8' }));
const roomOfWorker = (resourceLimits: { maxYoungGenerationSizeMb?: number }): Promise<number> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(`${GROW};require('node:worker_threads').parentPort.postMessage(room)`, {
      eval: true,
      resourceLimits,
    });
    worker.on('message', resolve).on('error', reject);
  });

test('the young generation of a process does not grow', () => {
  assert.ok(roomOfProcess('') > 8, 'without the flag it does');
  assert.ok(roomOfProcess(`require('node:v8').setFlagsFromString('${NO_GROWTH}')`) <= 4);
});

test('that of a worker stays small', async () => {
  assert.ok((await roomOfWorker({})) > 8, 'without the limit it does not');
  assert.ok((await roomOfWorker({ maxYoungGenerationSizeMb: MOST_YOUNG })) <= MOST_YOUNG);
});
