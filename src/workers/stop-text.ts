// The sentences that say why a guest died: the chain of exceptions, addresses with their source lines. Not when it stops.

import type { Cpu } from '../machine/cpu/cpu.ts';
import { EXCEPTION_NAMES } from '../machine/vmx/qualification.ts';
import type { CodeMap } from '../symbols/program.ts';
import { formatLocation } from '../symbols/location.ts';

/** Puts the source line before the address of "at 0x..." in a detail line; unknown addresses stay numbers. */
export const symbolise = (symbols: CodeMap, line: string): string =>
  line.replace(/\bat (0x[0-9a-f]+)/, (text, address: string) => {
    const location = symbols.locate(Number(address));
    return location.function === undefined ? text : `at ${formatLocation(location)} ${address}`;
  });

/** The events of the processor's last shutdown, in order, one a line. */
export const exceptionChain = (cpu: Cpu): string[] =>
  (cpu.tripleFault?.chain ?? []).map((event) => {
    const error = event.errorCode === undefined ? '' : ` (error code 0x${event.errorCode.toString(16)})`;
    return `${EXCEPTION_NAMES[event.vector] ?? `vector ${event.vector}`}${error} at 0x${event.eip.toString(16)}`;
  });
