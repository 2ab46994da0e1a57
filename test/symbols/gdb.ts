// gdb as the judge of debug data: its answers to a list of commands on an ELF file, or on a core file beside it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SAMPLES } from './toolchain.ts';

export const gdbMissing = (): string | false =>
  spawnSync('gdb', ['--version']).status === 0 ? false : 'gdb is not installed';

const MARK = '@@@@';

/** What gdb answers to each command; `Error: ` and its message where it refuses. */
export function gdb(path: string, commands: readonly string[], core?: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'kansoku-gdb-'));
  try {
    const script = join(folder, 'commands.py');
    // Through Python, since an error ends a script of gdb's own.
    const lines = [
      'import gdb',
      'gdb.execute("set pagination off")',
      'gdb.execute("set width 0")',
      'gdb.execute("set print frame-arguments all")',
      // gdb 13 takes `fast.calls` for a name of D.
      'gdb.execute("set print demangle off")',
      `for line in ${JSON.stringify(commands)}:`,
      // Before the command: some of its output may pass by what is caught.
      `  gdb.write("${MARK}")`,
      '  try:',
      '    text = gdb.execute(line, to_string=True)',
      '  except gdb.error as error:',
      '    text = "Error: " + str(error)',
      '  gdb.write(text.rstrip())',
    ];
    writeFileSync(script, lines.join('\n'));
    const files = core === undefined ? [path] : [path, core];
    const run = spawnSync('gdb', ['-batch', '-nx', '-iex', 'set debuginfod enabled off', ...files, '-x', script], {
      cwd: SAMPLES,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, LC_ALL: 'C' },
    });
    const answers = run.stdout.split(MARK).slice(1);
    if (answers.length !== commands.length) throw new Error(`gdb: ${run.stderr}`);
    return answers.map((text) => text.replace(/\n$/, ''));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
