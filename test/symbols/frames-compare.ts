// Frames with their variables as text, from our reader and from gdb, in one form to compare: what holds at an address with given registers.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Names } from '../../src/debugger/expression/names.ts';
import type { DebugInfo, Variable } from '../../src/symbols/debug-info.ts';
import { Register, type Frame } from '../../src/symbols/unwind/unwinder.ts';
import { formatValue, type FormatOptions } from '../../src/symbols/value/format.ts';
import { memoryOf, writeCore, type Region, type ThreadRegisters } from './core.ts';
import { gdb } from './gdb.ts';

export interface FrameText {
  readonly name: string;
  readonly line: string;
  readonly locals: readonly string[];
  readonly parameters: readonly string[];
}

export const formatOf = (info: DebugInfo): FormatOptions => ({
  symbolAt: (address) => {
    const { function: name, offset } = info.map.locate(address);
    // gdb names no data by a label without a size.
    if (info.map.symbol(address)?.size === 0 && info.functionsAt(address).length === 0) return undefined;
    return name === undefined ? undefined : offset === 0 ? name : `${name}+${offset}`;
  },
});

/** The functions of one frame, inlined ones first. */
export function ourFrames(info: DebugInfo, frame: Frame): FrameText[] {
  const format = formatOf(info);
  const source = {
    memory: frame.memory,
    registers: frame.registers,
    ...(frame.registerBytes !== undefined && { registerBytes: frame.registerBytes }),
  };
  const functions = info.functionsAt(frame.lookupPc);
  return functions.map(({ name }, level) => {
    const names = new Names(info, frame, level, source);
    const say = (variable: Variable) => `${variable.name} = ${formatValue(names.variable(variable), format)}`;
    const variables = info.scopesAt(frame.lookupPc, level).flatMap((scope) => scope.variables);
    const own = info.map.locate(frame.lookupPc);
    const call = level === 0 ? own : functions[level - 1]!.call;
    return {
      name,
      line: `${(call?.file ?? '').split('/').at(-1)}:${call?.line ?? 0}`,
      locals: variables
        .filter(({ kind }) => kind !== 'parameter')
        .map(say)
        .sort(),
      parameters: variables.filter(({ kind }) => kind === 'parameter').map(say),
    };
  });
}

export const frameCommands = (level: number): string[] => [`frame ${level}`, 'info locals', 'info args'];

/** gdb's answers to `frameCommands` in the same form. */
export function gdbFrame([head, locals, args]: readonly string[]): FrameText {
  const first = head!.split('\n')[0]!;
  const match = /^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(/.exec(first);
  const place = / at (?:.*\/)?([^/]+:\d+)$/.exec(first);
  const lines = (text: string) =>
    /^No (?:locals|arguments|symbol table info)/.test(text)
      ? []
      : text
          // Of a location expression, in the middle of a value.
          .replace(/warning: left shift count >= width of type\n/g, '')
          .split('\n')
          // Enumerators of the function's own enumerations are no variables.
          .filter((line) => !/^(\w+) = \1$/.test(line))
          .map((line) => line.replace(/ = <error reading variable \w+ \((.*)\)>$/, ' = <error: $1>'));
  return {
    name: match?.[1] ?? first,
    line: place?.[1] ?? ':0',
    locals: lines(locals!).sort(),
    parameters: lines(args!),
  };
}

/** xorshift32: the same numbers in every run. */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What `info frame` says of registers that the function has saved: `ebx at 0x2000`. */
const savedIn = (answer: string): string[] =>
  (/Saved registers:\n +(.*)$/m.exec(answer)?.[1] ?? '')
    .split(', ')
    .filter((text) => text !== '')
    .sort();

const nameOf = (variable: string): string => variable.slice(0, variable.indexOf(' = '));

const STACK = 0x2000_0000;
const STACK_SIZE = 0x8000;

/** Threads that stand anywhere in the code, with a stack of noise and registers that are numbers and addresses of the stack and data. */
export function randomThreads(
  addresses: readonly number[],
  data: readonly number[],
  next: (below: number) => number,
): { threads: ThreadRegisters[]; stack: Region } {
  const bytes = new Uint8Array(STACK_SIZE);
  const view = new DataView(bytes.buffer);
  const value = (): number => {
    const kind = next(4);
    if (kind === 0) return STACK + 4 * next(STACK_SIZE / 4);
    if (kind === 1 && data.length > 0) return data[next(data.length)]!;
    return kind === 2 ? next(300) : next(2 ** 32);
  };
  for (let at = 0; at < STACK_SIZE; at += 4) view.setUint32(at, value(), true);
  const threads = addresses.map((pc) => {
    const registers = Array.from({ length: 10 }, value);
    registers[4] = STACK + 0x2000 + 4 * next(0x400);
    registers[5] = STACK + 0x4000 + 4 * next(0x400);
    registers[8] = pc;
    registers[9] = 0x202;
    return registers;
  });
  return { threads, stack: { address: STACK, bytes } };
}

/** gdb's text, or ours where gdb gives up on a value as a whole and ours says the same for a part, or shows what is not too large for it. */
const agreed = (theirs: string, ours: string): string => {
  const error = /^(.*? = )<error: (Cannot access memory at address 0x[0-9a-f]+)>$/.exec(theirs);
  if (error !== null && ours.startsWith(error[1]!) && ours.includes(error[2]!)) return ours;
  // A part that was optimised away, in gdb's words for a pointer's target.
  if (ours.replaceAll('<optimized out>', '<synthetic pointer>') === theirs) return ours;
  // gdb's core files have no x87 registers either.
  if (theirs.endsWith(' = <unavailable>') && /register 1[1-8] is not known|<unavailable>/.test(ours)) return ours;
  // It writes out a union of which nothing is left.
  if (collapsed(theirs) === collapsed(ours)) return ours;
  const large = /^(.*? = )<error: value requires \d+ bytes, which is more than max-value-size>$/.exec(theirs);
  return large !== null && ours.startsWith(large[1]!) ? ours : theirs;
};

const collapsed = (text: string): string => {
  const shorter = text.replace(/\{(?:(?:\w+ = )?<optimized out>(?:, )?)+\}/g, '<optimized out>');
  return shorter === text ? text : collapsed(shorter);
};

export interface Compared {
  readonly frames: number;
  readonly variables: number;
  readonly optimizedOut: number;
  /** Registers of callers that lie in memory. */
  readonly savedRegisters: number;
  readonly differences: string[];
}

/** All functions at the address of every thread, and the caller's address and CFA, against gdb. */
export function compareThreads(
  path: string,
  info: DebugInfo,
  threads: readonly ThreadRegisters[],
  regions: readonly Region[],
  stack: Region,
): Compared {
  const folder = mkdtempSync(join(tmpdir(), 'kansoku-core-'));
  try {
    const core = join(folder, 'core');
    writeFileSync(core, writeCore(threads, [stack]));
    const memory = memoryOf([stack, ...regions]);
    const frames = threads.map((registers) => info.frame(registers, memory));
    const ours = frames.map((frame) => ourFrames(info, frame));
    const commands = ours.flatMap((list, i) => [
      `thread ${i + 1}`,
      ...list.flatMap((_, level) => frameCommands(level)),
      'info frame',
    ]);
    const answers = gdb(path, commands, core);
    assert.equal(answers.length, commands.length);
    const differences: string[] = [];
    const labels: { readonly thread: number; readonly level: number; readonly name: string; readonly pc: string }[] =
      [];
    let [at, variables, optimizedOut, count, savedRegisters] = [0, 0, 0, 0, 0];
    ours.forEach((list, i) => {
      at++;
      const pc = `0x${threads[i]![8]!.toString(16)}`;
      list.forEach((inFull, level) => {
        let theirs = gdbFrame(answers.slice(at, at + 3));
        at += 3;
        count++;
        variables += inFull.locals.length + inFull.parameters.length;
        optimizedOut += [...inFull.locals, ...inFull.parameters].filter((text) =>
          text.endsWith('<optimized out>'),
        ).length;
        const describe = ({ name, line, locals, parameters }: FrameText) => [
          `${name} at ${line}`,
          ...parameters.map((text) => `argument ${text}`),
          ...locals.map((text) => `local ${text}`),
        ];
        // The line of the innermost is addr2line's to judge (oracle.spec.ts).
        if (level === 0) theirs = { ...theirs, line: inFull.line };
        // `info locals` leaves out constants that the compiler made.
        const made = (text: string) => text.startsWith('__func__ = ') && !theirs.locals.includes(text);
        const own = { ...inFull, locals: inFull.locals.filter((text) => !made(text)) };
        // A label that was optimised away is a variable to `info locals`, and to nothing else.
        const known = own.locals.map(nameOf);
        const locals = theirs.locals.filter((text) => {
          const at = known.indexOf(nameOf(text));
          if (at >= 0) known.splice(at, 1);
          const label = at < 0 && text.endsWith(' = <optimized out>');
          // One with a variable's name cannot be asked for.
          if (label && !own.locals.some((one) => nameOf(one) === nameOf(text)))
            labels.push({ thread: i + 1, level, name: nameOf(text), pc });
          return !label;
        });
        theirs = { ...theirs, locals };
        const [a, b] = [describe(own), describe(theirs).map((text, j) => agreed(text, describe(own)[j] ?? ''))];
        if (a.join('\n') !== b.join('\n')) {
          const [mine, other] = [a.filter((text) => !b.includes(text)), b.filter((text) => !a.includes(text))];
          differences.push(
            `${pc} level ${level} of ${own.name}:\n  ours ${mine.join('\n       ')}\n  gdb  ${other.join('\n       ')}`,
          );
        }
      });
      const cfa = / at (0x[0-9a-f]+):/.exec(answers[at]!)?.[1];
      const saved = /saved eip = (0x[0-9a-f]+)/.exec(answers[at]!)?.[1];
      const homes = savedIn(answers[at]!);
      at++;
      const frame = frames[i]!;
      const caller = frame.caller();
      const ownCfa = `0x${(frame.cfa ?? 0).toString(16)}`;
      const ownSaved = 'end' in caller ? undefined : `0x${caller.pc.toString(16)}`;
      // Assembly without frame information is guessed at by both; and gdb trusts the byte of a RET more than frame information.
      const here = new Uint8Array(1);
      memory(frame.pc, here);
      const guessed = here[0] === 0xc3 || /\.S$/.test(info.map.locate(frame.pc).file ?? '');
      // Nor does gdb say more of a frame whose stack cannot be read.
      const unread = cfa === undefined && ownSaved === undefined;
      if (
        list.length > 0 &&
        !guessed &&
        !unread &&
        (cfa !== ownCfa || (ownSaved !== undefined && saved !== ownSaved))
      ) {
        differences.push(`${pc}: CFA ${ownCfa}, caller ${ownSaved}; gdb has ${cfa} and ${saved}`);
      }
      if (list.length > 0 && !guessed && !unread && !('end' in caller)) {
        const own = Object.entries(Register).flatMap(([name, number]) => {
          const home = caller.homes[number];
          return home?.kind === 'memory' ? [`${name} at 0x${home.address.toString(16)}`] : [];
        });
        savedRegisters += own.length;
        if (own.sort().join() !== homes.join())
          differences.push(`${pc}: saved ${own.join(', ')}; gdb has ${homes.join(', ')}`);
      }
    });
    const questions = labels.flatMap(({ thread, level, name }) => [
      `thread ${thread}`,
      `frame ${level}`,
      `info address ${name}`,
    ]);
    const told = questions.length === 0 ? [] : gdb(path, questions, core);
    labels.forEach(({ name, level, pc }, i) => {
      if (/ is optimized out\.$/.test(told[3 * i + 2]!)) differences.push(`${pc} level ${level}: ${name} is missing`);
    });
    return { frames: count, variables, optimizedOut, savedRegisters, differences };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
