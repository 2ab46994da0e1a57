// Debian's gdb at `kansoku gdb`: runs a script of commands and gives what gdb said to each. For specs only.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kansokuBundle } from '../cli/kansoku.ts';

/** Why there is no gdb here, or false. */
export const missingGdb = (): string | false =>
  spawnSync('gdb', ['--version']).error === undefined ? false : 'gdb is not installed: apt-get install gdb';

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => void child.once('close', (status) => resolve(status)));

interface Guest {
  readonly port: number;
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
}
/** `kansoku gdb` waiting for its debugger on a free port. */
const startGuest = async (args: readonly string[]): Promise<Guest> => {
  const file = await kansokuBundle();
  const child = spawn(process.execPath, [file, 'gdb', ...args, '--port', '0', '--serial', 'null'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = ended(child);
  const port = await new Promise<number>((resolve, reject) => {
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const match = /target (?:extended-)?remote :(\d+)/.exec(text);
      if (match !== null) resolve(Number(match[1]));
    });
    void end.then(() => reject(new Error(`kansoku gdb ended at once: ${text}`)));
  });
  return { port, process: child, ended: end };
};

export interface Transcript {
  /** What gdb said to each command, in order, without the last line end. */
  readonly answers: readonly string[];
  /** Exit status of kansoku; null: it was killed because it took too long. */
  readonly status: number | null;
}

/** A command that gdb refuses, which would end the script. */
export const refused = (command: string): string =>
  `python\ntry: gdb.execute("${command}")\nexcept gdb.error as error: print(error)\nend`;

/** @param image for gdb's symbols; `folder`: of the sources. The last command should be `kill` or `detach`. */
export const runGdb = async (
  args: readonly string[],
  image: string,
  folder: string,
  commands: readonly string[],
  seconds = 120,
  target: 'remote' | 'extended-remote' = 'remote',
): Promise<Transcript> => {
  const guest = await startGuest(args);
  const scratch = mkdtempSync(join(tmpdir(), 'kansoku-gdb-'));
  let timer: NodeJS.Timeout | undefined;
  try {
    const script = join(scratch, 'script');
    const lines = commands.flatMap((command, n) => [`echo @@${n}\\n`, command]);
    writeFileSync(
      script,
      [
        'set pagination off',
        'set confirm off',
        'set width 0',
        `directory ${folder}`,
        // What is to be attached to is never a process of this computer.
        'set auto-connect-native-target off',
        `target ${target} :${guest.port}`,
        ...lines,
        'echo @@end\\n',
        '',
      ].join('\n'),
    );
    // One pipe: the answers of `monitor` come on another stream than gdb's own.
    const gdb = spawn('sh', ['-c', 'exec gdb -nx -q -batch -x "$0" "$1" 2>&1', script, image], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    gdb.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    timer = setTimeout(() => {
      gdb.kill('SIGKILL');
      guest.process.kill('SIGKILL');
    }, seconds * 1000);
    await ended(gdb);
    const answers = text
      .split(/^@@\w+\n/m)
      .slice(1)
      .map((part) => part.trimEnd());
    if (answers.length !== commands.length + 1) throw new Error(`gdb gave up:\n${text}`);
    // A guest that gdb has let go runs on.
    if (commands.at(-1) !== 'kill') guest.process.kill('SIGTERM');
    const status = await guest.ended;
    return { answers: answers.slice(0, -1), status };
  } finally {
    clearTimeout(timer);
    guest.process.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  }
};
