// Where the guest stands, for stepping and for expressions: joins registers, frames, instructions and debug data of one machine.

import type { FunctionCode } from '../symbols/debug-info.ts';
import type { Scope } from '../symbols/dwarf/scopes.ts';
import { readWord } from '../symbols/unwind/unwinder.ts';
import type { Code, Instruction } from './code.ts';
import type { Execution } from './execution.ts';
import type { Frame, Frames } from './frames.ts';
import { code32Of, pcOf } from './guest-state.ts';
import type { DebuggedMachine } from './machine.ts';
import type { StepContext, StepLine } from './stepping.ts';
import type { DebugVcpu } from './target.ts';

/** Sources that have no prologues: every instruction is the programmer's own. */
const ASSEMBLY = /\.(s|asm|nasm|inc)$/i;
export const isAssembly = (file: string): boolean => ASSEMBLY.test(file);

export interface Evaluated {
  readonly text: string;
  readonly truth: boolean;
}

export class GuestContext implements StepContext {
  constructor(
    private readonly machine: DebuggedMachine,
    readonly execution: Execution,
    readonly code: Code,
    private readonly frames: Frames,
  ) {}

  get vcpu(): DebugVcpu {
    return this.machine.target.vcpus[0]!;
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
  get returnAddress(): number | undefined {
    const { physical } = this.frames;
    return physical?.cfa === undefined ? undefined : readWord(physical.memory, (physical.cfa - 4) >>> 0);
  }

  instruction(address: number): Instruction {
    return this.code.at(address, code32Of(this.vcpu), this.vcpu.read('cs_base'));
  }

  // ---- lines --------------------------------------------------------------------------------------------------------

  line(address: number, into: boolean, within?: number): StepLine | undefined {
    const { symbols } = this.machine;
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
    const { debug } = this.machine;
    if (debug === undefined) return [];
    return inlinedScopes(outer.scope).flatMap((scope) => {
      const start = scope.ranges[0]?.start;
      if (start === undefined) return [];
      const code = debug.functionsAt((start + debug.slide) >>> 0).find((one) => one.scope === scope);
      return code?.call?.line === line && code.call.file === file ? code.ranges : [];
    });
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

  bodyOf(address: number): number | undefined {
    const { symbols } = this.machine;
    const symbol = symbols.symbol(address);
    const { file } = symbols.locate(address);
    if (symbol === undefined || file === undefined) return undefined;
    return symbol.address !== address || ASSEMBLY.test(file) ? address : symbols.bodyOf(symbol);
  }

  /** Names the function, or the inlined call, that an address belongs to: a line has one breakpoint in each. */
  blockOf(address: number): number {
    const [innermost] = this.functionsAt(address);
    return innermost === undefined ? (this.machine.symbols.symbol(address)?.address ?? -1) : idOf(innermost);
  }

  /** Line of an address as the user sees it: that of the call where an inlined one begins. */
  visiblePlace(address: number): { readonly file?: string; readonly line?: number } {
    const functions = this.functionsAt(address);
    const hidden = this.frames.notEntered(address, functions);
    return (hidden === 0 ? undefined : functions[hidden - 1]!.call) ?? this.machine.symbols.locate(address);
  }

  private functionsAt(address: number): readonly FunctionCode[] {
    return this.machine.debug?.functionsAt(address) ?? [];
  }

  // ---- expressions --------------------------------------------------------------------------------------------------

  /** The address that an expression means. @throws Error with a sentence */
  address(expression: string): number {
    return this.lvalue(expression, undefined).address;
  }

  /** Where the object that an expression names lies in memory. @throws Error with a sentence */
  lvalue(expression: string, _frame: Frame | undefined): { readonly address: number; readonly bytes: number } {
    const text = expression.trim();
    if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return { address: Number(text) >>> 0, bytes: 4 };
    const symbol = this.machine.symbols.symbol(text);
    if (symbol !== undefined) return { address: symbol.address, bytes: symbol.size || 4 };
    throw new Error(`"${text}" is neither an address nor a symbol`);
  }

  evaluate(expression: string, _frame: Frame | undefined): Evaluated {
    throw new Error(`"${expression}" cannot be told without debug data`);
  }
}

/** The calls inlined directly into a scope, those in its blocks too. */
const inlinedScopes = (scope: Scope): Scope[] =>
  scope.children.flatMap((child) => (child.kind === 'inlined' ? [child] : inlinedScopes(child)));

/** Of the entry that describes it: every inlined copy has its own. */
const idOf = ({ scope }: FunctionCode): number => scope.die.offset;
