// Windows of instructions for the Disassembly view: exactly as many as were asked for, with symbols, bytes and source lines.

import { before, from } from '../../listing.ts';
import type { Instruction } from '../../code.ts';
import { MAX_LENGTH } from '../../../machine/isa/decode.ts';
import { memoryOf } from '../../page-tables.ts';
import type { Dap, Handler } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { placeAt, reference } from '../references.ts';

export const disassemble: Handler<'disassemble'> = {
  capabilities: { supportsDisassembleRequest: true },
  answer: (
    session,
    { memoryReference, offset = 0, instructionOffset = 0, instructionCount, resolveSymbols = true },
  ) => {
    const { address: base, pageTable } = placeAt(memoryReference, offset);
    const code = pageTable === undefined ? session.context : codeOf(session, pageTable);
    const wanted: Instruction[] = [];
    if (instructionOffset < 0)
      wanted.push(...before(code, session.guest.symbols, base, -instructionOffset).slice(0, instructionCount));
    const skip = Math.max(0, instructionOffset);
    if (wanted.length < instructionCount)
      wanted.push(...from(code, base, skip + instructionCount - wanted.length).slice(skip));
    let last = '';
    return {
      instructions: wanted.map((instruction) => {
        const [text, key] = shown(session, instruction, resolveSymbols, last);
        last = key;
        return text;
      }),
    };
  },
};

/** In the address space of a task that does not run: flat 32-bit code, as all programs of such systems are. */
const codeOf = (session: DebugSession, pageTable: number): { instruction(address: number): Instruction } => {
  const read = memoryOf(session.guest.target, pageTable);
  return {
    instruction: (address) => {
      const bytes = new Uint8Array(MAX_LENGTH);
      return session.code.decode(address, bytes.subarray(0, read(address, bytes)));
    },
  };
};

/** The instruction, and its place in the source; told only where it is another than `last`. */
const shown = (
  session: DebugSession,
  { address, bytes, text, valid }: Instruction,
  resolve: boolean,
  last: string,
): [Dap.DisassembledInstruction, string] => {
  const place = session.guest.symbols.locate(address);
  const starts = place.function !== undefined && place.offset === 0;
  const key = place.file === undefined || place.line === undefined ? '' : `${place.file}:${place.line}`;
  return [
    {
      address: reference(address),
      instructionBytes: [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
      // The view does not draw symbols: where one starts, its name stands behind the instruction.
      instruction: starts && resolve ? `${text}  ; ${place.function}:` : text,
      ...(resolve && place.function !== undefined ? { symbol: session.subject.nameOf(address)! } : {}),
      ...(key === '' || key === last
        ? {}
        : {
            location: session.source(place.file!),
            line: session.toLine(place.line!),
            column: session.toColumn(place.column ?? 1),
          }),
      ...(valid ? {} : { presentationHint: 'invalid' }),
    },
    key,
  ];
};
