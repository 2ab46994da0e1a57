// The guest's instructions as a debugger needs them: text, length, and where control goes behind each. Decoded from guest memory by the
// decoder the processor uses. Not stepping (stepping.ts) and not the protocol's windows of instructions (disassembly.ts).

import { DecodeResult, MAX_LENGTH } from '../machine/isa/decode.ts';
import { type CodeToDisassemble, Disassembler, type Disassembly } from '../machine/isa/disassemble/disassembler.ts';
import type { Syntax } from '../machine/isa/disassemble/names.ts';
import { opcodeTable } from '../machine/isa/table.ts';
import type { DebugGuest } from './target.ts';

export type Flow =
  /** Goes on behind itself. */
  | 'next'
  /** CALL and INT n: comes back behind itself. */
  | 'call'
  /** A jump to `target`; conditional ones go on behind themselves too. */
  | 'jump'
  | 'branch'
  /** Where to, only executing it tells: indirect and far jumps. */
  | 'elsewhere'
  /** RET, IRET, SYSEXIT. */
  | 'return';

export interface Instruction {
  readonly address: number;
  readonly length: number;
  readonly bytes: Uint8Array;
  /** With the names of what it refers to: they are looked up when it is asked for, which in cold debug data takes longer than a step. */
  readonly text: string;
  readonly valid: boolean;
  readonly flow: Flow;
  /** Where a direct call, jump or branch goes. */
  readonly target: number | undefined;
}

export class Code {
  private readonly disassembler = new Disassembler(opcodeTable);
  syntax: Syntax = 'intel';

  constructor(
    private readonly target: () => DebugGuest,
    private readonly symbolize: (address: number) => string | undefined,
  ) {}

  /** The instruction at a linear address; invalid, of one byte, where nothing can be read. @param base CS.base */
  at(address: number, code32 = true, base = 0): Instruction {
    const bytes = new Uint8Array(MAX_LENGTH);
    const mapped = this.target().readMemory(address, bytes);
    return this.decode(address, bytes.subarray(0, mapped), code32, base);
  }

  decode(address: number, fetched: Uint8Array, code32 = true, base = 0): Instruction {
    const { disassembler, symbolize } = this;
    const code: CodeToDisassemble = {
      fetch: (i) => fetched[i] ?? -1,
      code32,
      eip: (address - base) >>> 0,
      syntax: this.syntax,
    };
    const found = disassembler.disassemble(code);
    const valid = found.result === DecodeResult.ok;
    const length = valid ? found.length : 1;
    const bytes = fetched.slice(0, length);
    return {
      address,
      length,
      bytes,
      get text() {
        const named = { ...code, symbolize: (target: number) => symbolize((target + base) >>> 0) };
        return disassembler.disassemble(named).text;
      },
      valid,
      flow: valid ? flowOf(found) : 'elsewhere',
      target: found.target === undefined ? undefined : (found.target + base) >>> 0,
    };
  }
}

const flowOf = ({ mnemonic, target }: Disassembly): Flow => {
  // AT&T names end in sizes: callw, ljmpl, retl.
  if (/^l?call/.test(mnemonic)) return 'call';
  if (mnemonic === 'int') return 'call';
  if (/^(l?ret|iret|sysexit|vmresume|vmlaunch)/.test(mnemonic)) return 'return';
  if (/^l?jmp/.test(mnemonic)) return target === undefined ? 'elsewhere' : 'jump';
  if (/^(sysenter|syscall|rsm)/.test(mnemonic)) return 'elsewhere';
  return target === undefined ? 'next' : 'branch';
};
