// What entries of the debug data declare, as a debugger speaks of it: functions with their code, variables, places in the source. Where a variable
// is in a frame is variable-places.ts. Addresses are slid to where the program runs.
import type { DebugData } from './debug-data.ts';
import { DW_AT, DW_TAG } from './dwarf/constants.ts';
import type { Die } from './dwarf/die.ts';
import type { Range } from './dwarf/ranges.ts';
import type { Scope } from './dwarf/scopes.ts';
import type { CType, EnumType } from './types.ts';

export interface SourcePosition {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1; absent where the compiler gives none. */
  readonly column?: number;
}

/** A function as code: the compiled one, or an inlined copy. */
export interface FunctionCode {
  readonly name: string;
  /** All its code, of an inlined one that of this copy. */
  readonly ranges: readonly Range[];
  readonly entry: number | undefined;
  readonly inlined: boolean;
  /** Of an inlined one: where in the function around it the call stands. */
  readonly call: SourcePosition | undefined;
  readonly declared: SourcePosition | undefined;
  readonly type: CType;
  readonly scope: Scope;
}

export interface Variable {
  readonly name: string;
  readonly kind: 'parameter' | 'local' | 'static' | 'global';
  /** Variable-length arrays have no count in it: see `typeIn`. */
  readonly type: CType;
  readonly declared: SourcePosition | undefined;
  readonly die: Die;
  /** Of one that this unit only declares: where the symbol table has it, where the program runs. */
  readonly address?: number;
}

/** A lexical block, or the outermost of a function, with what is declared in it. */
export interface VariableScope {
  readonly ranges: readonly Range[];
  readonly variables: readonly Variable[];
}

export class Declarations {
  constructor(
    private readonly data: DebugData,
    private readonly slide: number,
  ) {}

  functionCode(scope: Scope): FunctionCode {
    const { die } = scope;
    const entry = die.unit.entryOf(die);
    const types = this.data.types;
    return {
      name: die.name ?? '<unnamed>',
      ranges: this.#slid(scope.ranges),
      entry: entry === undefined ? undefined : (entry + this.slide) >>> 0,
      inlined: scope.kind === 'inlined',
      call:
        scope.kind === 'inlined' ? this.#position(die, DW_AT.call_file, DW_AT.call_line, DW_AT.call_column) : undefined,
      declared: this.#declared(die),
      get type() {
        return types.functionType(die);
      },
      scope,
    };
  }

  variableScope(scope: Scope): VariableScope {
    // The compiler's own, like the size of an array, have no name.
    const shown = scope.variables.filter(
      (die) =>
        die.name !== undefined &&
        !(die.flag(DW_AT.declaration) || (die.flag(DW_AT.external) && !die.has(DW_AT.location))),
    );
    return {
      ranges: this.#slid(scope.ranges),
      variables: shown.map((die) => this.variable(die, 'local')),
    };
  }

  /** @param address of one that is only declared here */
  variable(die: Die, kind: 'local' | 'global', address?: number): Variable {
    const types = this.data.types;
    const parameter = die.tag === DW_TAG.formal_parameter;
    const location = die.holder(DW_AT.location)?.block(DW_AT.location);
    const fixed = kind === 'local' && location?.[0] === 0x03;
    let type: CType | undefined;
    return {
      name: die.name ?? '<unnamed>',
      kind: parameter ? 'parameter' : fixed ? 'static' : kind,
      get type() {
        return (type ??= types.typeOf(die));
      },
      declared: this.#declared(die),
      die,
      ...(address === undefined ? {} : { address }),
    };
  }

  /** The type that an enumerator belongs to. */
  enumOf(enumerator: Die): EnumType | undefined {
    const holders = (enumerator.unit.root?.children() ?? []).filter(({ tag }) => tag === DW_TAG.enumeration_type);
    const holder = holders.findLast(({ offset }) => offset < enumerator.offset);
    const type = holder === undefined ? undefined : this.data.types.read(holder);
    return type?.kind === 'enum' ? type : undefined;
  }

  #slid(ranges: readonly Range[]): Range[] {
    return ranges.map(({ start, end }) => {
      const moved = (start + this.slide) >>> 0;
      return { start: moved, end: moved + end - start };
    });
  }

  #declared(die: Die): SourcePosition | undefined {
    const holder = die.holder(DW_AT.decl_line);
    return holder === undefined ? undefined : this.#position(holder, DW_AT.decl_file, DW_AT.decl_line, undefined);
  }

  #position(die: Die, file: number, line: number, column: number | undefined): SourcePosition | undefined {
    const holder = die.holder(file);
    const number = holder?.number(file);
    const at = die.number(line);
    if (holder === undefined || number === undefined || at === undefined) return undefined;
    const root = (holder.unit.skeleton ?? holder.unit).root;
    const path = this.data.lines.path(root?.number(DW_AT.stmt_list), number);
    const where = column === undefined ? undefined : die.number(column);
    return path === undefined
      ? undefined
      : { file: path, line: at, ...(where !== undefined && where > 0 && { column: where }) };
  }
}
