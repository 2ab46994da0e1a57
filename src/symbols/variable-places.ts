// Where a variable is: by its location expression in a frame, and how long its arrays are where only the frame knows. What a variable is, is
// declarations.ts; reading it is value/.
import type { DebugData } from './debug-data.ts';
import type { Declarations, Variable } from './declarations.ts';
import { DW_AT } from './dwarf/constants.ts';
import type { Die } from './dwarf/die.ts';
import { evaluateLocation } from './dwarf/expression.ts';
import { machineOf, type FrameWorld } from './dwarf/frame-machine.ts';
import { expressionAt } from './dwarf/location-lists.ts';
import { OPTIMIZED_OUT, toBytes, unavailable, type Location } from './location-value.ts';
import { sizeOf, stripped, type CType } from './types.ts';
import type { Frame } from './unwind/unwinder.ts';
import { readLocation } from './value/read.ts';

export class VariablePlaces {
  readonly #world: FrameWorld;

  constructor(
    data: DebugData,
    private readonly declarations: Declarations,
    private readonly slide: number,
  ) {
    this.#world = {
      slide,
      functionAt: (address) => data.functionScope((address - slide) >>> 0),
      variableBytes: (die, frame) => {
        const variable = declarations.variable(die, 'local');
        const read = readLocation(this.locate(variable, frame), sizeOf(variable.type), frame);
        return read.ok ? read.bytes : undefined;
      },
    };
  }

  /** @param frame may be left out for globals and statics; memory is then out of reach */
  locate(variable: Variable, frame?: Frame): Location {
    const { die, address } = variable;
    if (address !== undefined) return { kind: 'memory', address };
    const constant = die.holder(DW_AT.const_value);
    const holder = die.holder(DW_AT.location);
    if (holder === undefined) return constant === undefined ? OPTIMIZED_OUT : constantOf(constant, variable.type);
    const at = this.#own(frame?.lookupPc ?? 0);
    const expression = expressionAt(holder, DW_AT.location, at);
    if (expression === undefined || expression.length === 0) return OPTIMIZED_OUT;
    const machine =
      frame === undefined ? { memory: () => 0, register: () => undefined } : machineOf(frame, this.#world);
    return evaluateLocation({ expression, unit: holder.unit, machine, slide: this.slide });
  }

  /** The variable's type with the lengths that only the frame knows. */
  typeIn(variable: Variable, frame: Frame): CType {
    return this.#resolveBounds(variable.type, frame, 0);
  }

  #resolveBounds(type: CType, frame: Frame, depth: number): CType {
    if (depth > 16) return type;
    if (type.kind === 'typedef' || type.kind === 'qualified') {
      const target = this.#resolveBounds(type.target, frame, depth + 1);
      return target === type.target ? type : { ...type, target };
    }
    if (type.kind === 'pointer' && stripped(type.target).kind === 'array') {
      const target = this.#resolveBounds(type.target, frame, depth + 1);
      return target === type.target ? type : { ...type, target };
    }
    if (type.kind !== 'array') return type;
    const element = this.#resolveBounds(type.element, frame, depth + 1);
    const count = type.bound === undefined ? type.count : this.#boundOf(type.bound.subrange, frame);
    return element === type.element && count === type.count ? type : { ...type, element, count };
  }

  #boundOf(subrange: Die, frame: Frame): number | undefined {
    for (const [attribute, more] of [
      [DW_AT.count, 0],
      [DW_AT.upper_bound, 1],
    ] as const) {
      const value = subrange.value(attribute);
      if (value === undefined) continue;
      const other = subrange.reference(attribute);
      const number =
        other !== undefined
          ? this.#numberOf(other, frame)
          : this.#number(expressionAt(subrange, attribute, this.#own(frame.lookupPc)), subrange, frame);
      return number === undefined ? undefined : Math.max(0, number + more);
    }
    return undefined;
  }

  #number(expression: Uint8Array | undefined, die: Die, frame: Frame): number | undefined {
    if (expression === undefined || expression.length === 0) return undefined;
    const machine = machineOf(frame, this.#world);
    const location = evaluateLocation({ expression, unit: die.unit, machine, slide: this.slide });
    if (location.kind === 'memory') return location.address | 0;
    const read = readLocation(location, 4, frame);
    return read.ok ? new DataView(read.bytes.buffer, read.bytes.byteOffset).getInt32(0, true) : undefined;
  }

  #numberOf(die: Die, frame: Frame): number | undefined {
    const variable = this.declarations.variable(die, 'local');
    const read = readLocation(this.locate(variable, frame), 4, frame);
    return read.ok ? new DataView(read.bytes.buffer, read.bytes.byteOffset).getInt32(0, true) : undefined;
  }

  #own(address: number): number {
    return (address - this.slide) >>> 0;
  }
}

function constantOf(die: Die, type: CType): Location {
  const value = die.value(DW_AT.const_value);
  if (value?.kind === 'block') return { kind: 'value', bytes: value.value };
  if (value?.kind === 'string') {
    return { kind: 'value', bytes: new TextEncoder().encode(`${value.value}\0`) };
  }
  if (value?.kind === 'number' || value?.kind === 'section-offset') {
    const exact = value.kind === 'number' ? value.exact : undefined;
    return { kind: 'value', bytes: toBytes(exact ?? BigInt(value.value), Math.max(1, sizeOf(type))) };
  }
  if (value?.kind === 'address') return { kind: 'value', bytes: toBytes(BigInt(value.value), 4) };
  return unavailable('its constant value has a form that is not known');
}
