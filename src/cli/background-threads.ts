// V8 compiles and collects garbage in four threads of the process. Where the computer has fewer processors than that, they take turns with the one that
// runs the guest: on two processors Debian's boot waits a fifth of its time for them. So they get a lower priority. Not the extension's
// concern, where they are not ours. Linux alone has priorities of threads behind the interface that Node has for processes.

import { readdirSync } from 'node:fs';
import { constants, platform, setPriority } from 'node:os';

/** Called while the process has no other threads than V8's own. */
export const putThreadsInBackground = (): void => {
  if (platform() !== 'linux') return;
  try {
    for (const thread of readdirSync('/proc/self/task'))
      if (Number(thread) !== process.pid) setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Without /proc, or without the right to it, all threads stay equal.
  }
};
