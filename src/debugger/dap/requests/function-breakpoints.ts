// Breakpoints on functions by name, and on what else can be written in their place, as in gdb: `*0xC0100000`, `name+0x12`, `file.c:function`,
// `file.c:25`. In C they lie behind the prologue, in assembly on the label itself. Of several functions with one name each has one.

import { at } from '../../execution.ts';
import { reasonOf } from '../../saying.ts';
import type { Handler } from '../protocol.ts';
import { type Placement, setGroup } from '../placing.ts';
import { reference } from '../references.ts';
import type { DebugSession } from '../session.ts';
import { placeOnLine } from './source-breakpoints.ts';

export const setFunctionBreakpoints: Handler<'setFunctionBreakpoints'> = {
  capabilities: { supportsFunctionBreakpoints: true },
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(session, 'function', 'function', breakpoints, (wanted) => place(session, wanted.name.trim())),
  }),
};

const place = (session: DebugSession, name: string): Placement => {
  if (name === '') return { name, spots: session.tell('giveFunction') };
  const found = addressesOf(session, name);
  if (typeof found === 'string') return { name, spots: found };
  const [first] = found;
  const { file, line } = session.context.visiblePlace(first!);
  return {
    name,
    spots: found.map(at),
    answer: {
      instructionReference: reference(first!),
      ...(file === undefined ? {} : { source: session.source(file) }),
      ...(line === undefined ? {} : { line: session.toLine(line) }),
      ...(found.length === 1 ? {} : { message: session.tell('severalPlaces', { count: found.length }) }),
    },
  };
};

/** Where it is, or why it is nowhere. */
const addressesOf = (session: DebugSession, name: string): readonly number[] | string => {
  const expression =
    /^\*\s*(.+)$/s.exec(name)?.[1] ?? (/^(0x[0-9a-f]+|.+\+0x[0-9a-f]+)$/i.test(name) ? name : undefined);
  if (expression !== undefined) return addressOf(session, expression);
  const inFile = /^(.+\.\w+):{1,2}(\w+)$/.exec(name);
  if (inFile !== null && /^\d+$/.test(inFile[2]!))
    return placeOnLine(session, inFile[1]!, { line: session.toLine(Number(inFile[2])) });
  const functions = functionsNamed(session, inFile?.[2] ?? name, inFile?.[1]);
  if (functions.length > 0) return functions.map((address) => session.context.bodyOf(address) ?? address);
  return inFile === null
    ? elsewhere(session, name)
    : session.tell('noFunctionInFile', { image: session.machine.image, name: inFile[2]!, file: inFile[1]! });
};

const addressOf = (session: DebugSession, expression: string): readonly number[] | string => {
  const sum = /^(\w+)\+(0x[0-9a-f]+)$/i.exec(expression);
  const symbol = sum === null ? undefined : session.machine.symbols.symbol(sum[1]!);
  if (symbol !== undefined) return [(symbol.address + Number(sum![2])) >>> 0];
  if (/^0x[0-9a-f]+$/i.test(expression))
    return Number(expression) < 2 ** 32 ? [Number(expression)] : session.tell('outsideMemory', { text: expression });
  try {
    return [session.context.address(expression)];
  } catch (error) {
    return session.tell('isNoAddress', { text: expression, reason: reasonOf(error) });
  }
};

/** Entries of the functions of that name; static ones of several files may share it. */
const functionsNamed = (session: DebugSession, name: string, file: string | undefined): readonly number[] => {
  const { symbols } = session.machine;
  const isSought = (address: number): boolean => {
    const { file: of } = symbols.locate(address);
    return file === undefined || (of !== undefined && symbols.matchFiles(file).includes(of));
  };
  return symbols
    .functionsNamed(name)
    .map(({ address }) => address)
    .filter(isSought);
};

/** In a kernel that has not come up, in a module, or nowhere. */
const elsewhere = (session: DebugSession, name: string): readonly number[] | string => {
  const { symbols, image, guestSymbols } = session.machine;
  const loaded = session.os.moduleFunction(name)?.is;
  if (loaded !== undefined) return [session.context.bodyOf(loaded.address) ?? loaded.address];
  if (symbols.symbol(name) !== undefined) return session.tell('isData', { name });
  if (guestSymbols.awaited) return session.tell('awaitsKernel', { name });
  return session.tell(session.os.awareness?.moduleStart === undefined ? 'noFunction' : 'noFunctionYet', {
    image,
    name,
  });
};
