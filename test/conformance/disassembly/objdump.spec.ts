// The disassembler against objdump in both syntaxes: over the compiled test guests and over all opcodes. What objdump writes otherwise is
// listed with its reason. The comparison with all prefixes is iced.spec.ts.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { DecodeResult } from '../../../src/machine/isa/decode.ts';
import { Disassembler } from '../../../src/machine/isa/disassemble/disassembler.ts';
import { opcodeTable } from '../../../src/machine/isa/table.ts';
import { NO_PREFIX, SLOT, systematic } from './encodings.ts';
import { buildGuest, guests, missingCompiler, type Guest } from '../../guests/build.ts';

const noObjdump = spawnSync('objdump', ['--version']).status === 0 ? undefined : 'objdump is not installed';
const skip = missingCompiler() ?? noObjdump;

interface Difference {
  readonly syntax: 'intel' | 'att' | 'both';
  /** Only for bytes, in hexadecimal, that match. */
  readonly code?: RegExp;
  readonly pattern: RegExp;
  readonly text: string | ((...match: string[]) => string);
  readonly reason: string;
}
const LAYOUT = 'layout';
const ADDRESS = 'what adds nothing to an address is left out';
const STRING = 'string instructions have short names in the SDM, and segments are shown where they are overridden';
const SDM = "the SDM's name";
const POINTERS: Readonly<Record<string, string>> = { al: 'byte', ax: 'word', eax: 'dword' };
// prettier-ignore
const DIFFERENCES: readonly Difference[] = [
  { syntax: 'both', pattern: / {2,}/g, text: ' ', reason: LAYOUT },
  { syntax: 'both', pattern: /,(?=\S)(?![^(]*\))/g, text: ', ', reason: LAYOUT },
  { syntax: 'both', pattern: /\b((?:j|call|loop)[\w,]*) (?:0x)?([0-9a-f]+)( <.*>)?$/, text: (_, name, target) => `${name!} 0x${target!.padStart(8, '0')}`, reason: 'jump targets have eight digits' },
  { syntax: 'intel', pattern: /\b[A-Z]+ PTR/g, text: (size) => size.toLowerCase(), reason: LAYOUT },
  { syntax: 'intel', pattern: /\b([c-gs]s):(0x[0-9a-f]+)/, text: (_, s, offset) => `${s === 'ds' ? '' : `${s!}:`}[${offset!}]`, reason: 'DS is shown where a prefix names it' },
  { syntax: 'intel', pattern: /(?<=\+e..)\*1/, text: '', reason: ADDRESS },
  { syntax: 'intel', pattern: /\+eiz(\*\d)?|(?<=\[)eiz\*\d\+|(?<=[\w])\+0x0(?=\])/g, text: '', reason: ADDRESS },
  { syntax: 'att', pattern: /\(,%eiz,\d\)|,%eiz,\d/, text: '', reason: ADDRESS },
  { syntax: 'att', pattern: /(?<=\(%e..,%e..),1/, text: '', reason: ADDRESS },
  { syntax: 'att', pattern: /\b0x0(?=\()/, text: '', reason: ADDRESS },
  { syntax: 'intel', pattern: /^mov (al|ax|eax), (?=(..:)?\[)/, text: (_, r) => `mov ${r}, ${POINTERS[r!]} ptr `, reason: 'every memory operand has its size' },
  { syntax: 'intel', pattern: /^mov ((?:..:)?\[.*\]), (al|ax|eax)$/, text: (_, m, r) => `mov ${POINTERS[r!]} ptr ${m}, ${r}`, reason: 'every memory operand has its size' },
  { syntax: 'intel', pattern: /^([ls][gi]dt)([dw]) \[/, text: (_, name, size) => `${name}${size === 'w' ? 'w' : ''} fword ptr [`, reason: 'every memory operand has its size' },
  { syntax: 'att', pattern: /^([ls][gi]dt)l/, text: '$1', reason: "the code segment's size goes without saying" },
  { syntax: 'intel', pattern: /^(pusha|popa|pushf|popf|iret)(w?)$/, text: (_, name, w) => name! + (w === 'w' ? '' : 'd'), reason: SDM },
  { syntax: 'intel', pattern: /\b(movs|stos|cmps|lods|scas|ins|outs) .*\b(byte|word|dword) ptr.*$/, text: (_, name, size) => name! + size![0], reason: STRING },
  { syntax: 'att', pattern: /%[de]s:(?=\(%e[ds]i\))/g, text: '', reason: STRING },
  { syntax: 'intel', pattern: /^invlpg byte ptr /, text: 'invlpg ', reason: 'it accesses nothing' },
  { syntax: 'att', pattern: /^(push|pop) (?!\$|%\w+$)/, text: '$1l ', reason: 'no register tells the size' },
  { syntax: 'intel', pattern: /^((?:ro|rc|sh|sa)[lr] .*), 1$/, text: '$1, 0x1', reason: 'an operand like any other' },
  { syntax: 'att', pattern: /^((?:ro|rc|sh|sa)[lr][bwl]?) (?!.*, )/, text: '$1 $$0x1, ', reason: 'an operand like any other' },
  { syntax: 'both', pattern: /\brep(n?)z\b/, text: (_, n) => `rep${n!}e`, reason: "the SDM's name" },
  { syntax: 'intel', pattern: /^(fx?ch|fu?comp?) st\(1\)$|^(f\w+p) st\(1\), st$/, text: (_, a, b) => a ?? b!, reason: 'ST(1) goes without saying where the SDM has a form without operands' },
  { syntax: 'att', pattern: /^(fx?ch|fu?comp?) %st\(1\)$|^(f\w+p) %st, %st\(1\)$/, text: (_, a, b) => a ?? b!, reason: 'ST(1) goes without saying where the SDM has a form without operands' },
  { syntax: 'att', pattern: /%db(?=\d)/, text: '%dr', reason: SDM },
  { syntax: 'att', pattern: /\(%dx\)/, text: '%dx', reason: 'a port in a register is no memory operand' },
  { syntax: 'intel', pattern: /^(call|jmp) 0x([0-9a-f]+):0x([0-9a-f]+)$/, text: (_, n, s, o) => `${n} 0x${s!.padStart(4, '0')}:0x${o!.padStart(8, '0')}`, reason: 'far pointers have all digits' },
  { syntax: 'att', pattern: /^(lcall|ljmp) \$0x([0-9a-f]+), \$0x([0-9a-f]+)$/, text: (_, n, s, o) => `${n} $0x${s!.padStart(4, '0')}, $0x${o!.padStart(8, '0')}`, reason: 'far pointers have all digits' },
  { syntax: 'intel', pattern: /^xlat byte ptr ds:\[ebx\]$/, text: 'xlatb', reason: STRING },
  { syntax: 'att', pattern: /^xlat %ds:/, text: 'xlat ', reason: STRING },
  { syntax: 'both', code: /^(c[01]|d[0-3]) [37bf][0-7]/, pattern: /\bsh(?=l)/, text: 'sa', reason: 'the alias is told from SHL' },
  { syntax: 'both', pattern: /\(287 only\)$/, text: '', reason: LAYOUT },
  { syntax: 'both', pattern: /^xchg %?ax, %?ax$/, text: 'data16 nop', reason: 'the SDM: 90 is NOP with either operand size' },
];

/** Guests with 16-bit code, which objdump reads as 32-bit, and with prefixes that no compiler writes. */
const ODD: readonly Guest[] = ['realmode', 'prefixes', 'virtual-8086', 'v86'];
const TSUBAME = join(import.meta.dirname, 'media', 'guests', 'tsubame', 'tsubame.elf');

/** Names that hint NOPs got after SSE3. */
const HINTS = /^(prefetchw?|prefetchwt1|bnd\w+|cldemote|endbr\d+|rdssp\w) /;
/** Puts NOPs behind the instruction in each slot, so that objdump finds its way back. */
const endedByNops = (code: Uint8Array): Uint8Array => {
  for (let at = 0; at < code.length; at += SLOT) {
    const place = { fetch: (i: number) => code[at + i]!, code32: true, eip: 0, syntax: 'intel' as const };
    const { length } = disassembler.disassemble(place);
    code.fill(0x90, at + length, at + SLOT);
  }
  return code;
};
const disassembler = new Disassembler(opcodeTable);
/** Compares all lines of a listing; `at`: only those at multiples of it. */
const compare = (
  file: string,
  syntax: 'intel' | 'att',
  options: string[],
  at = 1,
): { lines: number; differ: string[] } => {
  const args = [...options, '--insn-width=16', ...(syntax === 'intel' ? ['-M', 'intel'] : []), file];
  const listing = execFileSync('objdump', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  let lines = 0;
  const differ: string[] = [];
  for (const line of listing.split('\n')) {
    const match = /^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t(.*)$/.exec(line);
    // objdump gives up where a section ends in the middle of an instruction, and knows not all aliases.
    if (match === null || /^\.byte|\(bad\)/.test(match[3]!) || HINTS.test(match[3]!)) continue;
    const eip = parseInt(match[1]!, 16);
    if (eip % at !== 0) continue;
    const bytes = match[2]!.trim().split(' ').map((b) => parseInt(b, 16)); // prettier-ignore
    const ours = disassembler.disassemble({ fetch: (i) => bytes[i] ?? -1, code32: true, eip, syntax });
    // What is no instruction of the modelled processor: guests try it, iced.spec.ts decides about it.
    if (ours.result === DecodeResult.undefined) continue;
    lines++;
    let theirs = match[3]!;
    for (const { syntax: only, code, pattern, text } of DIFFERENCES)
      if ((only === 'both' || only === syntax) && (code === undefined || code.test(match[2]!)))
        theirs = typeof text === 'string' ? theirs.replace(pattern, text) : theirs.replace(pattern, text);
    if (ours.text !== theirs || ours.length !== bytes.length)
      differ.push(`${match[2]!}: ${ours.text}, objdump: ${theirs}`);
  }
  return { lines, differ };
};

describe('as in objdump', { skip }, () => {
  for (const syntax of ['intel', 'att'] as const) {
    it(`compiled guests, ${syntax}`, () => {
      for (const file of [...guests.filter((guest) => !ODD.includes(guest)).map(buildGuest), TSUBAME]) {
        const { lines, differ } = compare(file, syntax, ['-d']);
        assert.deepEqual(differ.slice(0, 10), [], `${file}: ${differ.length} of ${lines} lines`);
        assert.ok(lines > 100, `${file}: ${lines} lines`);
      }
    });
    it(`all opcodes, ${syntax}`, () => {
      const folder = join(import.meta.dirname, 'out', 'disassembly');
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `opcodes-${syntax}.bin`);
      writeFileSync(file, Buffer.concat([...systematic(NO_PREFIX, [0, 1], 32)].map(endedByNops)));
      const { lines, differ } = compare(file, syntax, ['-D', '-b', 'binary', '-m', 'i386', '-z'], SLOT);
      assert.deepEqual(differ.slice(0, 10), [], `${differ.length} of ${lines} lines`);
      assert.ok(lines > 10000, `${lines} lines`);
    });
  }
});
