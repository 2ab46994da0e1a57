// One process of an engine: started, read line by line, ended in time and with the program. Not what it runs (engines.ts).

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Answer, InnerJob } from './job.ts';
import { LineReader, type StampedLine } from './report.ts';

/** What a run of an engine gave. */
export interface Run {
  readonly lines: readonly StampedLine[];
  /** From building the machine to the machine being there, where the engine says. */
  readonly builtMilliseconds?: number;
  /** From the start of the process to the guest's first line. */
  readonly firstLineMilliseconds?: number;
  /** Resident memory that the engine added to its process, where it can be known. */
  readonly residentBytes?: number;
  /** The same without the guest's memory. */
  readonly besidesBytes?: number;
  /** Why it did not come to its end. */
  readonly problem?: string;
}

/** The word that tells this program to be an engine's process. */
export const CHILD_WORD = 'engine-process';

/** Starts processes one after the other; `end` ends the one that runs. */
export class Child {
  private running: ChildProcess | undefined;
  private ended = false;

  /** @param seconds that a process may take */
  constructor(private readonly seconds: number) {}

  /** Ends the process that runs; those to come are not started. */
  end(): void {
    this.ended = true;
    this.running?.kill('SIGKILL');
  }
  get interrupted(): boolean {
    return this.ended;
  }

  /** `take` gets each line of standard output with its time since the start, and says whether that was the last one wanted. */
  async run(
    program: string,
    args: readonly string[],
    take: (line: string, at: number, pid: number) => boolean,
  ): Promise<string | undefined> {
    if (this.ended) return 'interrupted';
    const start = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running = child;
    const reader = new LineReader();
    let errors = '';
    let through = false;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, this.seconds * 1000);
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-2000)));
    child.stdout.on('data', (bytes: Buffer) => {
      const at = performance.now() - start;
      for (const line of reader.add(bytes)) {
        if (through) return;
        through = take(line, at, child.pid!);
      }
      if (through) child.kill('SIGKILL');
    });
    const status = await new Promise<string>((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('close', (code, signal) => resolve(code === null ? `signal ${signal}` : `status ${code}`));
    });
    clearTimeout(timer);
    this.running = undefined;
    if (through) return undefined;
    if (this.ended) return 'interrupted';
    if (late) return `did not finish in ${this.seconds} s`;
    const last = [reader.unfinished, ...errors.trim().split('\n').slice(-1)].filter((text) => text !== '');
    return `ended with ${status}${last.length === 0 ? '' : `: ${last.join('; ')}`}`;
  }
}

/** Runs a job in this program, started again (engine-process.ts). */
export const readAnswers = async (child: Child, job: InnerJob): Promise<Run> => {
  const lines: StampedLine[] = [];
  let first: number | undefined;
  let built: number | undefined;
  let before = 0;
  let resident: number | undefined;
  let besides: number | undefined;
  let inside: string | undefined;
  const args = [process.argv[1]!, 'bench', CHILD_WORD, JSON.stringify(job)];
  const problem = await child.run(process.execPath, args, (text, at) => {
    // v86 has lines of its own there.
    if (!text.startsWith('{')) return false;
    const answer = JSON.parse(text) as Answer;
    if (answer.kind === 'line') {
      first ??= at;
      lines.push(answer.line);
    } else if (answer.kind === 'built') {
      built = answer.milliseconds;
      before = answer.bytesBefore;
    } else {
      resident = answer.bytes - before;
      besides = answer.guestBytes === undefined ? undefined : resident - answer.guestBytes;
      inside = answer.problem;
    }
    return answer.kind === 'end';
  });
  return runOf(lines, first, inside ?? problem, {
    ...(built === undefined ? {} : { builtMilliseconds: built }),
    ...(resident === undefined ? {} : { residentBytes: resident }),
    ...(besides === undefined ? {} : { besidesBytes: besides }),
  });
};

/** Linux only; elsewhere unknown. */
const residentOf = (pid: number): number | undefined => {
  try {
    const kilobytes = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
};

/** Runs a program whose standard output is the guest's serial line, until a line matches. */
export const readSerial = async (
  child: Child,
  program: string,
  args: readonly string[],
  until: string,
): Promise<Run> => {
  const lines: StampedLine[] = [];
  const last = new RegExp(until);
  let resident: number | undefined;
  const problem = await child.run(program, args, (text, at, pid) => {
    lines.push({ at, text });
    resident = residentOf(pid) ?? resident;
    return last.test(text);
  });
  return runOf(lines, lines[0]?.at, problem, resident === undefined ? {} : { residentBytes: resident });
};

const runOf = (
  lines: readonly StampedLine[],
  first: number | undefined,
  problem: string | undefined,
  rest: Pick<Run, 'builtMilliseconds' | 'residentBytes' | 'besidesBytes'>,
): Run => {
  const said = problem === undefined ? undefined : lines.at(-1)?.text;
  return {
    lines,
    ...(first === undefined ? {} : { firstLineMilliseconds: first }),
    ...(problem === undefined ? {} : { problem: said === undefined ? problem : `${problem} (last line: ${said})` }),
    ...rest,
  };
};
