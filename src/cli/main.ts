// `kansoku`: the headless front. Finds the command, prints the user's mistakes as one line, sets the exit status.

import { setFlagsFromString } from 'node:v8';
import { version } from '../../package.json';
import { followBranchHints } from '../workers/branch-hints.ts';
import { UserError } from '../workers/session.ts';
import { NO_GROWTH } from '../workers/young-generation.ts';
import { putThreadsInBackground } from './background-threads.ts';
import { bench } from './bench/command.ts';
import { boot, Status } from './boot.ts';
import { gdb } from './gdb.ts';
import { trace } from './trace.ts';
import { vectors } from './vectors/command.ts';

interface Command {
  readonly help: string;
  readonly run?: (argv: readonly string[]) => Promise<number> | number;
  /** Why it is refused, if it is not in this release. */
  readonly later?: string;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  boot: { help: 'run a guest: kansoku boot IMAGE [options]', run: boot },
  trace: {
    help: 'read a trace: kansoku trace summary FILE, kansoku trace export FILE --format F --out PATH',
    run: trace,
  },
  vectors: { help: 'run CPU test vectors: kansoku vectors FILE...', run: vectors },
  gdb: { help: 'run a guest under gdb: kansoku gdb IMAGE [--port N]', run: gdb },
  bench: { help: 'measure guests here, in v86 and in QEMU: kansoku bench [options]', run: bench },
  experiment: { help: 'run an experiment', later: 'it comes with the paper complete' },
};

const usage = (): string =>
  `kansoku COMMAND ...\n\n${Object.entries(COMMANDS)
    .map(([name, c]) => `  ${name.padEnd(12)} ${c.help}${c.later === undefined ? '' : ' (not in this release)'}`)
    .join('\n')}\n\nkansoku COMMAND --help says more, kansoku --version which release this is.`;

const main = async (): Promise<number> => {
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined || name === '--help' || name === 'help') {
    console.log(usage());
    return name === undefined ? Status.usage : Status.ok;
  }
  if (name === '--version') {
    console.log(`kansoku ${version}`);
    return Status.ok;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UserError(`kansoku: no command "${name}" (see kansoku --help)`);
  if (command.run === undefined) throw new UserError(`kansoku ${name} is not in this release: ${command.later}`);
  return command.run(rest);
};

followBranchHints(process.versions, setFlagsFromString);
setFlagsFromString(NO_GROWTH);
putThreadsInBackground();
main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    if (error instanceof UserError) {
      console.error(error.message);
      process.exitCode = Status.usage;
    } else throw error;
  },
);
