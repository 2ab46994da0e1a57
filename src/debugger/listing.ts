// Runs of instructions before and behind an address. IA-32 code cannot be decoded backwards: what lies before an address is decoded
// forwards from the start of the symbol it lies in, and where there is none, from where decoding comes out at the address.

import { MAX_LENGTH } from '../machine/isa/decode.ts';
import type { CodeMap } from '../symbols/program.ts';
import type { Instruction } from './code.ts';

interface Decoding {
  instruction(address: number): Instruction;
}

const TOP = 2 ** 32;
/** How far back a symbol is looked for. */
const FAR = 0x4000;
/** Without one, decoding begins so far back: it falls into step with the code after a few instructions. */
const NEAR = 48;

/** `count` instructions from `address` on; beyond the end of memory there are none, so invalid ones stand there. */
export const from = (code: Decoding, address: number, count: number): Instruction[] => {
  const found: Instruction[] = [];
  for (let at = address; found.length < count;) {
    const next = at < TOP ? code.instruction(at) : none(TOP - 1);
    found.push(next);
    at += next.length;
  }
  return found;
};

/** `count` instructions that end before `address`. */
export const before = (code: Decoding, symbols: CodeMap, address: number, count: number): Instruction[] => {
  const found: Instruction[] = [];
  for (let end = address; found.length < count;) {
    if (end <= 0) {
      found.unshift(none(0));
      continue;
    }
    const start = syncBefore(code, symbols, end);
    found.unshift(...between(code, start, end));
    end = start;
  }
  return found.slice(-count);
};

const syncBefore = (code: Decoding, symbols: CodeMap, end: number): number => {
  const symbol = symbols.symbolsInRange(Math.max(0, end - FAR), end).at(-1);
  if (symbol !== undefined) return symbol.address;
  for (let start = Math.max(0, end - NEAR - MAX_LENGTH); start < end - 1; start++) {
    const run = between(code, start, end);
    if (run.every(({ valid }) => valid)) return start;
  }
  return Math.max(0, end - NEAR);
};

/** What decodes from `start` to `end`; an instruction that would reach over `end` is cut into invalid bytes. */
const between = (code: Decoding, start: number, end: number): Instruction[] => {
  const found: Instruction[] = [];
  for (let at = start; at < end;) {
    const next = code.instruction(at);
    if (at + next.length > end) {
      for (; at < end; at++)
        found.push({ ...none(at), bytes: next.bytes.slice(at - next.address, at - next.address + 1) });
      break;
    }
    found.push(next);
    at += next.length;
  }
  return found;
};

const none = (address: number): Instruction => ({
  address,
  length: 1,
  bytes: new Uint8Array(0),
  text: '(bad)',
  valid: false,
  flow: 'elsewhere',
  target: undefined,
});
