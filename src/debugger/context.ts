// Where the guest stands, for stepping and for expressions: joins registers, frames, instructions and debug data of one guest.

import type { FunctionCode } from '../symbols/debug-info.ts';
import { type ReadMemory, toBytes } from '../symbols/location-value.ts';
import { type CType, sizeOf, stripped } from '../symbols/types.ts';
import type { ValueSource } from '../symbols/value/read.ts';
import type { Value } from '../symbols/value/value.ts';
import type { Scope } from '../symbols/dwarf/scopes.ts';
import { readWord } from '../symbols/unwind/unwinder.ts';
import type { Code, Instruction } from './code.ts';
import type { Execution } from './execution.ts';
import { BUILTIN } from './expression/builtin-types.ts';
import { ExpressionError } from './expression/error.ts';
import { evaluate, type Evaluated, type EvaluationWorld } from './expression/evaluate.ts';
import { parseExpression } from './expression/parser.ts';
import { Names } from './expression/names.ts';
import { type Frame, type Frames, GENERAL } from './frames.ts';
import { code32Of, pcOf } from './guest-state.ts';
import type { DebuggedGuest } from './machine.ts';
import { memoryOf } from './page-tables.ts';
import { registerNamed } from './registers.ts';
import { Refusal, type Saying } from './saying.ts';
import type { StepLine } from './stepping.ts';
import type { BackContext } from './stepping-back.ts';
import type { DebugVcpu } from './target.ts';
import { Trail } from './trail.ts';

/** `$domain`: number of the guest's domain. */
export const DOMAIN = 'domain';
/** May hold an assignment. */
const CHANGES = /\+\+|--|<<=|>>=|(?<![=!<>])=(?!=)/;
/** Sources that have no prologues: every instruction is the programmer's own. */
const ASSEMBLY = /\.(s|asm|nasm|inc)$/i;
export const isAssembly = (file: string): boolean => ASSEMBLY.test(file);

export class GuestContext implements BackContext {
  readonly trail = new Trail();

  constructor(
    readonly guest: DebuggedGuest,
    readonly execution: Execution,
    readonly code: Code,
    private readonly frames: Frames,
  ) {}

  get vcpu(): DebugVcpu {
    return this.guest.target.vcpu;
  }
  get pc(): number {
    return pcOf(this.vcpu);
  }
  get esp(): number {
    return this.vcpu.read('esp');
  }
  /** The guest has moved since the last look. */
  get cfa(): number | undefined {
    this.frames.forget();
    return this.frames.physical?.cfa;
  }
  get frame(): number | undefined {
    const { file } = this.guest.symbols.locate(this.pc);
    return file === undefined || ASSEMBLY.test(file) ? undefined : this.cfa;
  }
  get returnAddress(): number | undefined {
    const { physical } = this.frames;
    return physical?.cfa === undefined ? undefined : readWord(physical.memory, (physical.cfa - 4) >>> 0);
  }

  instruction(address: number): Instruction {
    return this.code.at(address, code32Of(this.vcpu), this.vcpu.read('cs_base'));
  }

  // ---- lines --------------------------------------------------------------------------------------------------------

  line(address: number, into: boolean, within?: Scope): StepLine | undefined {
    const { symbols } = this.guest;
    const span = symbols.lineSpan(address);
    if (span === undefined || span.file === undefined) return undefined;
    const functions = this.functionsAt(address);
    const hidden = this.frames.notEntered(address, functions);
    const visible = functions[hidden];
    const owner = visible === undefined ? undefined : idOf(visible);
    // In a call inlined into the function that is stepped in: passed as a whole.
    const outer = functions.findIndex((one) => idOf(one) === within);
    if (!into && outer > hidden)
      return {
        key: '',
        owner,
        ranges: functions[outer - 1]!.ranges,
        begins: false,
        nobody: true,
        entersInlined: false,
      };
    const call = hidden === 0 ? undefined : functions[hidden - 1]!.call;
    const [file, line] = hidden === 0 ? [span.file, span.line] : [call?.file ?? span.file, call?.line ?? 0];
    const own = hidden === 0 ? [span] : [];
    const inlined = into || visible === undefined ? [] : this.inlinedOn(visible, file, line);
    return {
      key: `${file}:${line}`,
      owner,
      ranges: [...own, ...inlined],
      begins: hidden > 0 || span.begins,
      nobody: line === 0,
      entersInlined: hidden > 0,
    };
  }

  /** Code of the calls that were inlined into a function on one of its lines. */
  private inlinedOn(outer: FunctionCode, file: string, line: number): FunctionCode['ranges'] {
    return this.guest.debug
      .inlinedInto(outer)
      .filter(({ call }) => call?.line === line && call.file === file)
      .flatMap(({ ranges }) => ranges);
  }

  enterInlined(): void {
    this.frames.enterInlined();
  }

  /** Code of the inlined call that the guest stands in, if it is one. */
  get inlinedRanges(): FunctionCode['ranges'] | undefined {
    const functions = this.functionsAt(this.pc);
    const visible = functions[this.frames.notEntered(this.pc, functions)];
    return visible?.inlined === true ? visible.ranges : undefined;
  }

  entryOf(address: number): number {
    return this.guest.symbols.symbol(address)?.address ?? address;
  }
  statements(address: number): readonly number[] {
    const { symbols } = this.guest;
    const symbol = symbols.symbol(address);
    if (symbol === undefined) return [];
    const end = symbol.address + (symbol.size || symbol.limit - symbol.address);
    const lines: number[] = [];
    for (let at = symbol.address; at < end;) {
      const span = symbols.lineSpan(at);
      if (span === undefined) break;
      if (symbols.lineSpan(span.start)?.begins === true) lines.push(span.start);
      at = span.end;
    }
    return lines;
  }

  bodyOf(address: number): number | undefined {
    const { symbols } = this.guest;
    const symbol = symbols.symbol(address);
    const { file } = symbols.locate(address);
    if (symbol === undefined || file === undefined) return undefined;
    return symbol.address !== address || ASSEMBLY.test(file) ? address : symbols.bodyOf(symbol);
  }

  /** Names the function, or the inlined call, that an address belongs to: a line has one breakpoint in each. */
  blockOf(address: number): Scope | number {
    const [innermost] = this.functionsAt(address);
    return innermost === undefined ? (this.guest.symbols.symbol(address)?.address ?? -1) : idOf(innermost);
  }

  /** Line of an address as the user sees it: that of the call where an inlined one begins. */
  visiblePlace(address: number): { readonly file?: string; readonly line?: number } {
    const functions = this.functionsAt(address);
    const hidden = this.frames.notEntered(address, functions);
    return (hidden === 0 ? undefined : functions[hidden - 1]!.call) ?? this.guest.symbols.locate(address);
  }

  private functionsAt(address: number): readonly FunctionCode[] {
    return this.guest.debug.functionsAt(address);
  }

  // ---- expressions --------------------------------------------------------------------------------------------------

  /** The value of a C expression in a frame; left out: where the guest stands. @throws Error with a sentence */
  evaluate(expression: string, frame: Frame = this.frames.top): Value {
    const ask = (): Value => valueOf(evaluate(expression, this.world(frame)));
    // What has begun to change something is not asked again.
    return CHANGES.test(expression) ? this.guest.debug.hurriedly(ask, false) : ask();
  }

  /** The same, but what would change something is refused: for what is asked often, or by itself. @throws Error with a sentence */
  look(expression: string, frame: Frame = this.frames.top): Value {
    const { names, source } = this.world(frame);
    return valueOf(evaluate(expression, { names, source }));
  }

  /** What is wrong with a text that should be a C expression; undefined: it is one. */
  notC(expression: string): Saying | undefined {
    try {
      parseExpression(expression, (kind, name) => this.guest.debug.type(kind, name));
      return undefined;
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      return ['notC', { text: expression, reason: error.message }];
    }
  }

  /** The value as a truth. @throws Error with a sentence */
  truth(expression: string): boolean {
    const result = this.look(`!!(${expression})`);
    if (!result.bytes.ok) throw new Error(result.bytes.reason);
    return result.integer !== 0n;
  }

  /** The address that an expression means: an address, a pointer, a function or an object. @throws Error with a sentence */
  address(expression: string, frame?: Frame): number {
    const text = expression.trim();
    if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return Number(text) >>> 0;
    const value = this.evaluate(text, frame);
    const { kind } = stripped(value.type);
    if (value.address !== undefined && kind !== 'pointer' && kind !== 'base' && kind !== 'enum') return value.address;
    if (value.integer === undefined) throw new Refusal('hasNoAddress', { text });
    return Number(BigInt.asUintN(32, value.integer));
  }

  /** Where the object that an expression names lies in memory. @throws Error with a sentence */
  lvalue(expression: string, frame?: Frame): { readonly address: number; readonly bytes: number } {
    const text = expression.trim();
    if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return { address: Number(text) >>> 0, bytes: 4 };
    const value = this.evaluate(text, frame);
    if (value.address === undefined) throw new Refusal('liesNotInMemory', { text });
    return { address: value.address, bytes: sizeOf(value.type) };
  }

  /** What a frame's names mean. */
  names(frame: Frame, source = this.source(frame)): Names {
    const { debug } = this.guest;
    return new Names(debug, frame.physical, frame.level, source, (name) => this.extraRegister(name, frame));
  }

  /** Where a frame's values are read: memory is its task's. */
  private source({ physical, task }: Frame): ValueSource {
    const memory: ReadMemory = memoryOf(this.guest.target, task?.pageTable);
    return physical ?? { memory, registers: [] };
  }

  private world(frame: Frame): EvaluationWorld {
    const { target } = this.guest;
    const source = this.source(frame);
    // Of its own: what is assigned to a register is there for the rest of the expression.
    const registers = [...source.registers];
    const own = { ...source, registers };
    return {
      names: this.names(frame, own),
      source: own,
      writeMemory: (address, bytes) => {
        this.written = true;
        return memoryOf(target, frame.task?.pageTable, true)(address, bytes) === bytes.length;
      },
      writeRegister: (number, value) => {
        if (!this.writeRegister(frame, number, value >>> 0)) return false;
        this.written = true;
        registers[number] = value >>> 0;
        return true;
      },
    };
  }

  /** What a caller had in a register lies where its callees have saved it. @throws ExpressionError where it is kept nowhere */
  private writeRegister({ physical, task }: Frame, number: number, value: number): boolean {
    const name = [...GENERAL, 'eip', 'eflags'][number];
    const home = physical?.homes[number];
    if (name === undefined) return false;
    if (home === undefined) throw new ExpressionError(`$${name} of this frame follows from others: it is kept nowhere`);
    if (home.kind === 'memory')
      return memoryOf(this.guest.target, task?.pageTable, true)(home.address, toBytes(BigInt(value), 4)) === 4;
    if (task !== undefined)
      throw new ExpressionError(
        `$${name} is the processor's, and ${task.name} ${task.id} does not run: where it is saved is not known`,
      );
    // It may be in another register than that of its name.
    return this.vcpu.write([...GENERAL, 'eip', 'eflags'][home.register]!, value);
  }
  /** An expression has changed the guest. */
  written = false;

  /** Those that are not among DWARF's numbers: segments, control and debug registers, tables. */
  private extraRegister(
    name: string,
    { task }: Frame,
  ): { readonly type: CType; readonly bytes: Uint8Array } | undefined {
    // For conditions of breakpoints that lie in several guests.
    if (name === DOMAIN)
      return { type: BUILTIN['unsigned int'], bytes: toBytes(BigInt(this.guest.target.domain ?? 0), 4) };
    const register = registerNamed(name);
    if (register === undefined || register.bits > 32 || register.group === 'general') return undefined;
    if (task !== undefined) {
      if (register.name === 'cr3' && task.pageTable !== undefined)
        return { type: BUILTIN['unsigned int'], bytes: toBytes(BigInt(task.pageTable), 4) };
      throw new ExpressionError(`$${name} is the processor's, and ${task.name} ${task.id} does not run`);
    }
    return { type: BUILTIN['unsigned int'], bytes: toBytes(BigInt(this.vcpu.read(register.name)), 4) };
  }
}

const valueOf = (result: Evaluated): Value => {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
};

/** Every inlined copy has its own. */
const idOf = ({ scope }: FunctionCode): Scope => scope;
