// Breakpoints in source lines: setBreakpoints and breakpointLocations. A line without code gives its breakpoint to the next one that has
// some; a file that the guest's line table does not name is said to be none of it.

import type { LinePlace } from '../../../symbols/dwarf/line-index.ts';
import { at } from '../../execution.ts';
import type { Part } from '../../saying.ts';
import { type Placement, setGroup } from '../placing.ts';
import type { Dap, Handler } from '../protocol.ts';
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
    return {
      breakpoints: setGroup(session, 'source', `source ${path}`, breakpoints, (wanted) => {
        const name = `${path.slice(path.lastIndexOf('/') + 1)}:${session.fromLine(wanted.line)}`;
        const placed = place(session, path, wanted);
        return typeof placed === 'string'
          ? { name, spots: placed }
          : { name, ...lying(session, source, wanted, placed) };
      }),
    };
  },
};

const lying = (
  session: DebugSession,
  source: Dap.Source,
  wanted: Dap.SourceBreakpoint,
  { line, column, addresses }: Placed,
): Omit<Placement, 'name'> => ({
  spots: addresses.map(at),
  answer: {
    source,
    line: session.toLine(line),
    ...(column === undefined ? {} : { column: session.toColumn(column) }),
    instructionReference: session.subject.reference(addresses[0]!),
    ...(line === session.fromLine(wanted.line)
      ? {}
      : { message: session.tell('lineMoved', { line: wanted.line, moved: session.toLine(line) }) }),
  },
});

/** Addresses of a line, for a breakpoint that is written as `file:line`. */
export const placeOnLine = (
  session: DebugSession,
  path: string,
  wanted: Dap.SourceBreakpoint,
): readonly number[] | string => {
  const placed = place(session, path, wanted);
  return typeof placed === 'string' ? placed : placed.addresses;
};

/** Where the breakpoint comes to lie, or why it cannot be placed. */
const place = (session: DebugSession, path: string, { line, column }: Dap.SourceBreakpoint): Placed | string => {
  const { symbols, image } = session.guest;
  if (!symbols.hasLines) return session.tell('noLineTable', { image });
  if (symbols.matchFiles(path).length === 0)
    return session.tell('noCodeOfFile', { image, waiting: waiting(session, path) });
  const wanted = session.fromLine(line);
  const places = symbols.statements(path, wanted, wanted + FARTHEST);
  const first = places[0]?.line;
  if (first === undefined) return session.tell('noCodeNear', { line, count: FARTHEST });
  const onLine = places.filter((found) => found.line === first);
  const wantedColumn = column === undefined || first !== wanted ? undefined : session.fromColumn(column);
  const chosen = wantedColumn === undefined ? onLine : onLine.filter((found) => found.column >= wantedColumn);
  if (chosen.length === 0) return session.tell('noStatement', { line, column: column ?? 0 });
  const columnAt = wantedColumn === undefined ? undefined : Math.min(...chosen.map((found) => found.column));
  const begins = columnAt === undefined ? chosen : chosen.filter((found) => found.column === columnAt);
  const addresses = firstOfEach(session, begins);
  // Behind a prologue it is another line's.
  const place = session.context.visiblePlace(addresses[0]!);
  const sameFile = place.file !== undefined && symbols.matchFiles(path).includes(place.file);
  return { line: (sameFile ? place.line : undefined) ?? first, column: columnAt, addresses };
};

/** Where a module that is loaded later may have the file. The module of a single file is called like it. */
const waiting = (session: DebugSession, path: string): Part => {
  const { modules } = session.guest.guestSymbols;
  if (modules === undefined || session.os.awareness?.moduleStart === undefined) return '';
  const name = /([^/\\]+)\.[^.]*$/.exec(path)?.[1]?.replaceAll('-', '_') ?? '';
  const loaded = session.os.modules().find((module) => module.name === name);
  const state = loaded === undefined ? undefined : modules.state(loaded);
  if (state?.kind === 'missing') return ['moduleHasNoData', { name, reason: state.reason }];
  return loaded === undefined && modules.has(name) ? ['moduleNotLoaded', { name }] : ['soughtInModules'];
};

/** A line compiled in parts stops once a pass: at the first part in each function, behind the prologue where the line begins one. */
const firstOfEach = (session: DebugSession, places: readonly LinePlace[]): number[] => {
  const lowest = new Map<unknown, number>();
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
    for (const place of session.guest.symbols.statements(source.path ?? source.name ?? '', from, to)) {
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
