// Breakpoints in source lines: setBreakpoints and breakpointLocations. A line without code gives its breakpoint to the next one that has
// some; a file that the guest's line table does not name is said to be none of it.

import type { LinePlace } from '../../../symbols/dwarf/line-index.ts';
import { hitTest } from '../../breakpoints.ts';
import { at } from '../../execution.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';

/** Lines that a breakpoint may be moved down by: over a comment or a declaration, not into the next function. */
const FARTHEST = 40;

interface Placed {
  readonly line: number;
  readonly column: number | undefined;
  readonly addresses: readonly number[];
}

export const setBreakpoints: Handler<'setBreakpoints'> = {
  capabilities: {
    supportsConditionalBreakpoints: true,
    supportsHitConditionalBreakpoints: true,
    supportsLogPoints: true,
  },
  answer: (session, { source, breakpoints = [] }) => {
    const path = source.path ?? source.name ?? '';
    const found = breakpoints.map((wanted) => ({ wanted, placed: place(session, path, wanted) }));
    const set = session.book.replace(
      `source ${path}`,
      found.map(({ wanted, placed }) => ({
        kind: 'source',
        name: `${path.slice(path.lastIndexOf('/') + 1)}:${session.fromLine(wanted.line)}`,
        spots: typeof placed === 'string' || badHit(wanted) ? [] : placed.addresses.map(at),
        condition: given(wanted.condition),
        hitCondition: given(wanted.hitCondition),
        logMessage: given(wanted.logMessage),
      })),
    );
    session.execution.arm();
    return {
      breakpoints: found.map(({ wanted, placed }, index) => {
        const { id } = set[index]!;
        if (typeof placed === 'string') return { id, verified: false, message: placed, reason: 'failed' };
        if (badHit(wanted)) return { id, verified: false, message: badHitText(wanted), reason: 'failed' };
        return {
          id,
          verified: true,
          source,
          line: session.toLine(placed.line),
          ...(placed.column === undefined ? {} : { column: session.toColumn(placed.column) }),
          instructionReference: reference(placed.addresses[0]!),
          ...(placed.line === session.fromLine(wanted.line)
            ? {}
            : { message: `Line ${wanted.line} has no code; moved to line ${session.toLine(placed.line)}.` }),
        };
      }),
    };
  },
};

/** Where the breakpoint comes to lie, or why it cannot be placed. */
const place = (session: DebugSession, path: string, { line, column }: Dap.SourceBreakpoint): Placed | string => {
  const { symbols, image } = session.machine;
  if (!symbols.hasLines)
    return `${image} has no line table: compile it with -g, or give an ELF file that has one as its symbols.`;
  if (symbols.matchFiles(path).length === 0) return `No code of ${image} comes from this file.`;
  const wanted = session.fromLine(line);
  const places = symbols.statements(path, wanted, wanted + FARTHEST);
  const first = places[0]?.line;
  if (first === undefined) return `Line ${line} has no code, and none of the ${FARTHEST} lines behind it does.`;
  const onLine = places.filter((found) => found.line === first);
  const wantedColumn = column === undefined || first !== wanted ? undefined : session.fromColumn(column);
  const chosen = wantedColumn === undefined ? onLine : onLine.filter((found) => found.column >= wantedColumn);
  if (chosen.length === 0) return `No statement begins on line ${line} at column ${column} or behind it.`;
  const columnAt = wantedColumn === undefined ? undefined : Math.min(...chosen.map((found) => found.column));
  const begins = columnAt === undefined ? chosen : chosen.filter((found) => found.column === columnAt);
  const addresses = firstOfEach(session, begins);
  // Behind a prologue it is another line's.
  const place = session.context.visiblePlace(addresses[0]!);
  const sameFile = place.file !== undefined && symbols.matchFiles(path).includes(place.file);
  return { line: (sameFile ? place.line : undefined) ?? first, column: columnAt, addresses };
};

/** A line compiled in parts stops once a pass: at the first part in each function, behind the prologue where the line begins one. */
const firstOfEach = (session: DebugSession, places: readonly LinePlace[]): number[] => {
  const lowest = new Map<number, number>();
  for (const { address } of places) {
    const block = session.context.blockOf(address);
    lowest.set(block, Math.min(address, lowest.get(block) ?? Infinity));
  }
  return [...new Set([...lowest.values()].map((address) => session.context.bodyOf(address) ?? address))];
};

export const breakpointLocations: Handler<'breakpointLocations'> = {
  capabilities: { supportsBreakpointLocationsRequest: true },
  answer: (session, { source, line, endLine, column, endColumn }) => {
    const [from, to] = [session.fromLine(line), session.fromLine(endLine ?? line)];
    const seen = new Set<string>();
    const breakpoints: Dap.BreakpointLocation[] = [];
    for (const place of session.machine.symbols.statements(source.path ?? source.name ?? '', from, to)) {
      const found = { line: session.toLine(place.line), column: session.toColumn(place.column) };
      if (column !== undefined && place.line === from && found.column < column) continue;
      if (endColumn !== undefined && place.line === to && found.column > endColumn) continue;
      const key = `${found.line}:${found.column}`;
      if (!seen.has(key)) breakpoints.push(found);
      seen.add(key);
    }
    return { breakpoints };
  },
};

export const given = (text: string | undefined): string | undefined =>
  text === undefined || text.trim() === '' ? undefined : text;
export const badHit = ({ hitCondition }: { readonly hitCondition?: string }): boolean =>
  given(hitCondition) !== undefined && hitTest(hitCondition!) === undefined;
export const badHitText = ({ hitCondition }: { readonly hitCondition?: string }): string =>
  `"${hitCondition}" is no hit count: give a number, or one behind ==, >=, >, <=, < or % (every so many).`;
export const reference = (address: number): string => `0x${(address >>> 0).toString(16).padStart(8, '0')}`;
/** The address of a reference. @throws Refusal */
export const addressOf = (text: string, offset = 0): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value)) throw new Refusal(`"${text}" is no address.`);
  return (value + offset) >>> 0;
};
