// The sample kernel under the debugger with tasks that sleep: the shell waits for a line, a program for its time; the processor is idle. Its tasks
// are described as a user would describe them.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TSUBAME } from '../boot/running-guest.ts';
import type { DapBench } from './dap-bench.ts';

export const OS_JSON = '.kansoku/os.json';
export const osDescription = readFileSync(join(dirname(TSUBAME), OS_JSON), 'utf8');

/** From the launch to where the guest stands. */
export const standAsleep = (bench: DapBench): void => {
  bench.request('initialize', { adapterID: 'kansoku' });
  bench.request('launch', { osDescription: { name: OS_JSON, text: osDescription } } as never);
  bench.request('configurationDone');
  bench.untilPrinted(/tsubame> $/);
  bench.type('sleep 900000 &\r');
  bench.untilPrinted(/sleep 900000 &[^>]*> $/);
  for (let i = 0; i < 30; i++) bench.turn();
  bench.request('pause', { threadId: 1 });
};
