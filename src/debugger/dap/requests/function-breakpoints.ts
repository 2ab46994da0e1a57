// Breakpoints on functions by name, and on what else can be written in their place, as in gdb: `*0xC0100000`, `name+0x12`, `file.c:function`,
// `file.c:25`. In C they lie behind the prologue, in assembly on the label itself, in an inlined copy where that begins. Of several functions or copies with
// one name each has one.

import { at } from '../../execution.ts';
import { reasonOf } from '../../saying.ts';
import type { Handler } from '../protocol.ts';
import { type Placement, setGroup } from '../placing.ts';
import type { DebugSession } from '../session.ts';
import { placeOnLine } from './source-breakpoints.ts';

export const setFunctionBreakpoints: Handler<'setFunctionBreakpoints'> = {
  capabilities: { supportsFunctionBreakpoints: true },
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(session, 'function', 'function', breakpoints, (wanted) => place(session, wanted.name.trim())),
  }),
};

/** Where it is; `inlined`: a function, and how many of the places are inlined copies of it. */
interface Places {
  readonly addresses: readonly number[];
  readonly inlined?: { readonly name: string; readonly count: number };
}

const place = (session: DebugSession, name: string): Placement => {
  if (name === '') return { name, spots: session.tell('giveFunction') };
  const found = placesOf(session, name);
  if (typeof found === 'string') return { name, spots: found };
  const { addresses, inlined } = found;
  const [first] = addresses;
  // In a copy the guest will stand in the function, not at its call.
  const isCopy = inlined?.count === addresses.length;
  const { file, line } = isCopy ? session.guest.symbols.locate(first!) : session.context.visiblePlace(first!);
  const message = messageOf(session, found);
  return {
    name,
    spots: addresses.map(at),
    inlined: inlined?.name,
    answer: {
      instructionReference: session.subject.reference(first!),
      ...(file === undefined ? {} : { source: session.source(file) }),
      ...(line === undefined ? {} : { line: session.toLine(line) }),
      ...(message === undefined ? {} : { message }),
    },
  };
};

const messageOf = (session: DebugSession, { addresses, inlined }: Places): string | undefined => {
  const count = addresses.length;
  if (inlined === undefined) return count === 1 ? undefined : session.tell('severalPlaces', { count });
  if (inlined.count < count)
    return session.tell('compiledAndInlined', { count, compiled: count - inlined.count, inlined: inlined.count });
  return count === 1 ? session.tell('inlinedOnce') : session.tell('onlyInlined', { count });
};

/** Where it is, or why it is nowhere. */
const placesOf = (session: DebugSession, name: string): Places | string => {
  const plain = (addresses: readonly number[] | string): Places | string =>
    typeof addresses === 'string' ? addresses : { addresses };
  const expression =
    /^\*\s*(.+)$/s.exec(name)?.[1] ?? (/^(0x[0-9a-f]+|.+\+0x[0-9a-f]+)$/i.test(name) ? name : undefined);
  if (expression !== undefined) return plain(addressOf(session, expression));
  const inFile = /^(.+\.\w+):{1,2}(\w+)$/.exec(name);
  if (inFile !== null && /^\d+$/.test(inFile[2]!))
    return plain(placeOnLine(session, inFile[1]!, { line: session.toLine(Number(inFile[2])) }));
  const wanted = inFile?.[2] ?? name;
  const compiled = functionsNamed(session, wanted, inFile?.[1]).map(
    (address) => session.context.bodyOf(address) ?? address,
  );
  const isSought = soughtIn(session, inFile?.[1]);
  const inlined = session.guest.debug.inlinedEntries(wanted).filter(isSought);
  const addresses = [...new Set([...compiled, ...inlined])];
  const count = addresses.length - new Set(compiled).size;
  if (addresses.length > 0) return count === 0 ? { addresses } : { addresses, inlined: { name: wanted, count } };
  return inFile === null
    ? plain(elsewhere(session, name))
    : session.tell('noFunctionInFile', { image: session.guest.image, name: inFile[2]!, file: inFile[1]! });
};

const addressOf = (session: DebugSession, expression: string): readonly number[] | string => {
  const sum = /^(\w+)\+(0x[0-9a-f]+)$/i.exec(expression);
  const symbol = sum === null ? undefined : session.guest.symbols.symbol(sum[1]!);
  if (symbol !== undefined) return [(symbol.address + Number(sum![2])) >>> 0];
  if (/^0x[0-9a-f]+$/i.test(expression))
    return Number(expression) < 2 ** 32 ? [Number(expression)] : session.tell('outsideMemory', { text: expression });
  try {
    return [session.context.address(expression)];
  } catch (error) {
    return session.tell('isNoAddress', { text: expression, reason: reasonOf(error) });
  }
};

/** Entries of the functions of that name; static ones of several files may share it, and the compiler may have made one anew for some callers. */
const functionsNamed = (session: DebugSession, name: string, file: string | undefined): readonly number[] => {
  const { symbols, debug } = session.guest;
  const named = symbols.functionsNamed(name).map(({ address }) => address);
  const copies = debug.functionsNamed(name).flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  return [...new Set([...named, ...copies])].filter(soughtIn(session, file));
};

/** Whether the code at an address comes from a file; left out: from any. */
const soughtIn = (session: DebugSession, file: string | undefined): ((address: number) => boolean) => {
  if (file === undefined) return () => true;
  const { symbols } = session.guest;
  const files = new Set(symbols.matchFiles(file));
  return (address) => {
    const { file: of } = symbols.locate(address);
    return of !== undefined && files.has(of);
  };
};

/** In a kernel that has not come up, in a module, or nowhere. */
const elsewhere = (session: DebugSession, name: string): readonly number[] | string => {
  const { symbols, image, guestSymbols } = session.guest;
  const loaded = session.os.moduleFunction(name)?.is;
  if (loaded !== undefined) return [session.context.bodyOf(loaded.address) ?? loaded.address];
  if (symbols.symbol(name) !== undefined) return session.tell('isData', { name });
  if (guestSymbols.awaited) return session.tell('awaitsKernel', { name });
  return session.tell(session.os.awareness?.moduleStart === undefined ? 'noFunction' : 'noFunctionYet', {
    image,
    name,
  });
};
