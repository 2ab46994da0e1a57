// Breakpoints on functions by name. In C they lie behind the prologue, in assembly on the label itself.

import { at } from '../../execution.ts';
import type { Handler } from '../protocol.ts';
import { type Placement, setGroup } from '../placing.ts';
import { reference } from '../references.ts';
import type { DebugSession } from '../session.ts';

export const setFunctionBreakpoints: Handler<'setFunctionBreakpoints'> = {
  capabilities: { supportsFunctionBreakpoints: true },
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(session, 'function', 'function', breakpoints, (wanted) => place(session, wanted.name)),
  }),
};

const place = (session: DebugSession, name: string): Placement => {
  const { symbols, image, guestSymbols } = session.machine;
  const symbol = symbols.symbol(name.trim());
  const numeric = /^\*?(0x[0-9a-f]+)$/i.exec(name.trim());
  const loaded = symbol === undefined ? session.os.moduleFunction(name.trim())?.is : undefined;
  if (symbol === undefined && loaded === undefined && numeric === null) {
    const spots = guestSymbols.awaited
      ? `${name} is looked for when the kernel has come up.`
      : session.os.awareness?.moduleStart === undefined
        ? `${image} has no function ${name}.`
        : `${image} has no function ${name}; it is looked for in each module that is loaded.`;
    return { name, spots };
  }
  const start = symbol?.address ?? loaded?.address;
  const address = start === undefined ? Number(numeric![1]) : (session.context.bodyOf(start) ?? start);
  const { file, line } = session.context.visiblePlace(address);
  return {
    name,
    spots: [at(address)],
    answer: {
      instructionReference: reference(address),
      ...(file === undefined ? {} : { source: session.source(file) }),
      ...(line === undefined ? {} : { line: session.toLine(line) }),
    },
  };
};
