// A vector file from its first line to its last: header, cases, the count and the first failures. Not the files of a command (command.ts).

import { UserError } from '../../workers/session.ts';
import { Disassembler } from '../../machine/isa/disassemble/disassembler.ts';
import { opcodeTable } from '../../machine/isa/table.ts';
import { type Case, type Header, parseCase, parseHeader } from './format.ts';
import { VectorRunner } from './runner.ts';

export interface VectorResult {
  readonly passed: number;
  readonly failed: number;
  /** First failures, a line each. */
  readonly failures: readonly string[];
}

export interface RunOptions {
  /** Failures to keep; all are counted. */
  readonly keep?: number;
  /** Compare within the architecture's tolerance, whatever the header says. */
  readonly approximate?: boolean;
  /** Called now and then with what was counted so far. */
  readonly progress?: (passed: number, failed: number) => void;
}

const disassembler = new Disassembler(opcodeTable);
const failureLine = (test: Case, { context, code }: Header, problem: string): string => {
  const { text } = disassembler.disassemble({
    fetch: (i) => (2 * i < test.bytes.length ? parseInt(test.bytes.slice(2 * i, 2 * i + 2), 16) : -1),
    code32: context !== 'real16',
    eip: test.in.eip ?? code[0],
    syntax: 'intel',
  });
  return `${test.name}  ${test.bytes}  ${text}: ${problem}`;
};

/** Runs the lines of one file. Throws UserError with the line's number on a malformed file. */
export const runVectors = async (
  batches: AsyncIterable<readonly string[]> | Iterable<readonly string[]>,
  { keep = 20, approximate = false, progress }: RunOptions = {},
): Promise<VectorResult> => {
  let runner: VectorRunner | undefined;
  let header: Header;
  let number = 0;
  let passed = 0;
  let failed = 0;
  const failures: string[] = [];
  const take = (line: string): void => {
    if (runner === undefined) {
      header = parseHeader(line);
      runner = new VectorRunner(header, approximate || header.groups === 'approx');
      return;
    }
    if (line === '' || line === '\r') return;
    const test = parseCase(line);
    const problem = runner.run(test);
    if (problem === undefined) passed++;
    else {
      failed++;
      if (failures.length < keep) failures.push(failureLine(test, header, problem));
    }
  };
  for await (const lines of batches) {
    for (const line of lines) {
      number++;
      try {
        take(line);
      } catch (error) {
        if (error instanceof UserError) throw new UserError(`line ${number} ${error.message}`);
        throw error;
      }
    }
    progress?.(passed, failed);
  }
  if (runner === undefined) throw new UserError('is empty: a vector file begins with a header line');
  return { passed, failed, failures };
};
