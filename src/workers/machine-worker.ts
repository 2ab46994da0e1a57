// Entry point of the machine's thread: joins the engine to the line to the extension. Nothing else; see machine-server.ts.

import type { FromMachine, ToMachine } from '../protocol/machine.ts';
import { createSession } from './engine-session.ts';
import { MachineServer } from './machine-server.ts';
import { threadFiles } from './files.ts';
import { threadPort } from './port.ts';

const later = (task: () => void, ms: number): (() => void) => {
  // A timer of 0 ms waits at least one; a slice must not wait, only let messages in.
  if (ms < 1 && typeof setImmediate === 'function') {
    const handle = setImmediate(task);
    return () => clearImmediate(handle);
  }
  const handle = setTimeout(task, ms);
  return () => clearTimeout(handle);
};

const start = async (): Promise<void> => {
  const [port, files] = await Promise.all([threadPort<ToMachine, FromMachine>(), threadFiles()]);
  new MachineServer(port, {
    createSession: (config) => createSession(config, undefined, files),
    now: () => performance.now(),
    later,
  });
};
void start();
