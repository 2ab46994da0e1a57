// Where the processor that made the vectors (AMD) and the model (Intel Core Duo) differ by documentation, and where the manuals leave the
// answer to the processor: ONE table, each entry with its source. The specs leave these cases out, and no others.

import { parseCase, type Case } from '../../src/cli/vectors/format.ts';

interface Difference {
  readonly what: string;
  /** Instruction forms by name. */
  readonly name: RegExp;
  /** Which of their cases; absent: all. */
  readonly when?: (test: Case) => boolean;
  /** What the vectors' processor does, and what is done here. */
  readonly vectors: string;
  readonly here: string;
  readonly source: string;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    what: 'unaligned 16-byte moves with alignment checking',
    name: /^(movups|movupd|movdqu|lddqu) .*#AC$/,
    when: (test) => test.fault?.vector === 17,
    vectors: '#AC',
    here: 'no exception',
    source:
      'SDM vol. 3, 6.15, interrupt 17: #AC "may or may not be generated" for them, depending on the implementation',
  },
  {
    what: '#XM in a conversion to or from an MMX register',
    name: /^cvt.* #XM$/,
    when: (test) => test.fault?.vector === 19,
    vectors: 'TOP and tags are those of MMX state already',
    here: 'the x87 state is as before the instruction',
    source: 'SDM vol. 3, 6.5: a fault restores the state before the faulting instruction',
  },
  {
    what: 'SHLD and SHRD of 16 bits by more than 16',
    name: /^sh[lr]d .*\(over 16\)$/,
    vectors: 'bits come from the source twice: destination, source, source',
    here: 'bits come from the destination again: destination, source, destination',
    source: 'SDM vol. 2, SHLD and SHRD: the result is undefined if the count is greater than the operand size',
  },
  {
    what: 'UD0 and UD1 at the end of what can be fetched',
    name: /^ud[01]$/,
    when: (test) => test.fault?.vector === 6,
    vectors: 'no ModRM byte is fetched',
    here: 'the ModRM byte is fetched, and faults',
    source: 'SDM vol. 2, UD: 0F FF /r and 0F B9 /r; some older processors decode UD0 without a ModRM byte',
  },
  {
    what: 'CALL whose target and whose stack are both beyond the limit',
    name: /^call .* limit$/,
    when: (test) => test.fault?.vector === 12,
    vectors: '#SS',
    here: '#GP',
    source: 'SDM vol. 2, CALL: the target is compared with the limit before the stack is looked at',
  },
];

/** The lines without the cases of the table; `seen` counts those left out by the entry's `what`. */
export const withoutDifferences = async function* (
  batches: AsyncIterable<readonly string[]>,
  seen: Map<string, number>,
): AsyncGenerator<readonly string[]> {
  for await (const lines of batches)
    yield lines.filter((line) => {
      const name = /^\{"name":"([^"]*)"/.exec(line)?.[1];
      const entry = name === undefined ? undefined : DIFFERENCES.find((d) => d.name.test(name));
      if (entry === undefined || entry.when?.(parseCase(line)) === false) return true;
      seen.set(entry.what, (seen.get(entry.what) ?? 0) + 1);
      return false;
    });
};
