// What names mean in an expression: locals of the frame, globals, functions, enumerators, registers, types. Joins debug data and a frame
// for evaluate.ts; one object a frame and inline level.
import type { Variable } from '../../symbols/debug-info.ts';
import type { ProgramInfo } from '../../symbols/program.ts';
import type { CType } from '../../symbols/types.ts';
import { Register, type Frame } from '../../symbols/unwind/unwinder.ts';
import { Value } from '../../symbols/value/value.ts';
import { sizeOf, VOID } from '../../symbols/types.ts';
import type { ValueSource } from '../../symbols/value/read.ts';
import { BUILTIN } from './builtin-types.ts';
import { ExpressionError } from './error.ts';

/** Registers that are no part of a frame's ten: segment registers, control registers and what else the machine can tell. */
export type ExtraRegister = (name: string) => { readonly type: CType; readonly bytes: Uint8Array } | undefined;

export class Names {
  constructor(
    private readonly info: ProgramInfo,
    private readonly frame: Frame | undefined,
    /** Which of the functions at the frame's address: 0 is the innermost inlined one. */
    private readonly level: number,
    private readonly source: ValueSource,
    private readonly extra: ExtraRegister = () => undefined,
  ) {}

  get #near(): number | undefined {
    return this.frame?.lookupPc;
  }

  /** @throws ExpressionError, as all below */
  value(name: string): Value {
    const near = this.#near;
    const meaning = this.info.meaning(name, near, this.level);
    switch (meaning?.kind) {
      case 'variable':
        return this.variable(meaning.variable);
      case 'function':
        return new Value(meaning.code.type, { kind: 'memory', address: meaning.code.entry ?? 0 }, this.source);
      case 'enumerator':
        return Value.ofInteger(meaning.type, meaning.value, this.source);
      case undefined:
        break;
    }
    const symbol = this.info.map.symbol(name);
    // Of a symbol without debug data only the address is known; data counts as int, as C's oldest rule has it.
    if (symbol?.kind === 'function') {
      const type: CType = { kind: 'function', result: BUILTIN.int, parameters: [], variadic: false, prototyped: true };
      return new Value(type, { kind: 'memory', address: symbol.address }, this.source);
    }
    if (symbol !== undefined) return new Value(BUILTIN.int, { kind: 'memory', address: symbol.address }, this.source);
    throw new ExpressionError(`there is no "${name}" here: no variable, function or enumerator has that name`);
  }

  /** The value of a variable in the frame, its type completed with the lengths of arrays that only the frame knows. */
  variable(variable: Variable): Value {
    const type = this.frame === undefined ? variable.type : this.info.typeIn(variable, this.frame);
    return new Value(type, this.info.locate(variable, this.frame), this.source);
  }

  scoped(scope: string, isFile: boolean, name: string): Value {
    const variable = isFile ? this.info.globalIn(scope, name) : this.info.staticIn(scope, name);
    if (variable !== undefined) return this.variable(variable);
    throw new ExpressionError(`there is no "${name}" in ${isFile ? `the file "${scope}"` : `the function "${scope}"`}`);
  }

  type(kind: 'struct' | 'union' | 'enum' | 'typedef', name: string): CType | undefined {
    // A variable hides a type of its name, as in C.
    if (kind === 'typedef' && this.info.hidesType(name, this.#near, this.level)) return undefined;
    return this.info.type(kind, name, this.#near);
  }

  register(name: string): Value {
    const extra = this.extra(name);
    if (extra !== undefined) return Value.of(extra.type, extra.bytes, this.source);
    const full = ALIASES[name] ?? name;
    const number = (Register as Readonly<Record<string, number>>)[full];
    if (number !== undefined) {
      return new Value(registerType(full), { kind: 'register', register: number }, this.source);
    }
    const part = PARTS[name];
    if (part !== undefined) {
      const value = new Value(BUILTIN.int, { kind: 'register', register: part.register }, this.source);
      const type = part.bits === 16 ? BUILTIN.short : BUILTIN['signed char'];
      const whole = value.integer;
      if (whole === undefined) throw new ExpressionError(`$${name} is not known in this frame`);
      return Value.ofInteger(type, BigInt.asUintN(part.bits, whole >> BigInt(part.shift)), this.source);
    }
    throw new ExpressionError(`there is no register "$${name}"`);
  }
}

const ALIASES: Readonly<Record<string, string>> = { pc: 'eip', sp: 'esp', fp: 'ebp' };

/** EIP points to code, ESP and EBP to data; the others are numbers. */
function registerType(name: string): CType {
  const code: CType = { kind: 'function', result: VOID, parameters: [], variadic: false, prototyped: false };
  if (name === 'eip') return { kind: 'pointer', size: sizeOf(BUILTIN.int), target: code };
  return name === 'esp' || name === 'ebp' ? { kind: 'pointer', size: 4, target: VOID } : BUILTIN.int;
}

interface RegisterPart {
  readonly register: number;
  readonly bits: 8 | 16;
  readonly shift: 0 | 8;
}

const PARTS: Readonly<Record<string, RegisterPart>> = Object.fromEntries(
  ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'].flatMap((name, register): [string, RegisterPart][] => {
    const word: [string, RegisterPart] = [name, { register, bits: 16, shift: 0 }];
    if (register > 3) return name === 'sp' ? [] : [word];
    const letter = name[0]!;
    return [word, [`${letter}l`, { register, bits: 8, shift: 0 }], [`${letter}h`, { register, bits: 8, shift: 8 }]];
  }),
);
