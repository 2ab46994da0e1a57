// All units of one file: the headers of .debug_info and .debug_types, the unit that holds an entry, type units by signature, and the
// .dwo files that skeleton units name. Not what the entries mean. Damaged units are left out; `problems` says which.
import { parseElf } from '../../machine/elf.ts';
import { joinPath } from '../paths.ts';
import { lastAtOrBelow } from '../search.ts';
import { Abbreviations } from './abbreviations.ts';
import { DW_AT, DW_UT } from './constants.ts';
import { Die } from './die.ts';
import { Reader } from './reader.ts';
import { DebugSections } from './sections.ts';
import { Unit, type UnitHeader } from './unit.ts';

/** Gives the bytes of a .dwo file, or undefined where it is not to be had. @param path joined with the compilation directory */
export type SupplyFile = (path: string) => Uint8Array | undefined;

export class Units {
  /** Of .debug_info, in file order. */
  readonly units: readonly Unit[];
  readonly abbreviations: Abbreviations;
  /** Damage that was met, a sentence each; grows as more is read. */
  readonly problems: string[] = [];
  readonly #starts: Uint32Array;
  readonly #split = new Map<Unit, Unit | undefined>();
  #signatures: Map<bigint, Unit> | undefined;
  #typeUnits: readonly Unit[] | undefined;

  constructor(
    readonly sections: DebugSections,
    private readonly supply: SupplyFile = () => undefined,
    /** For a .dwo file: the unit of the linked file that names it. */
    private readonly skeleton?: Unit,
  ) {
    this.abbreviations = new Abbreviations(sections);
    this.units = this.#readHeaders('info');
    this.#starts = Uint32Array.from(this.units, (unit) => unit.offset);
  }

  /** The unit of .debug_info that holds an offset. */
  unitAt(offset: number): Unit | undefined {
    const unit = this.units[lastAtOrBelow(this.#starts, offset)];
    return unit !== undefined && offset < unit.end ? unit : undefined;
  }

  /** The entry at an offset of .debug_info. */
  entryAt(offset: number): Die | undefined {
    const unit = this.unitAt(offset);
    return unit === undefined ? undefined : Die.at(unit, offset);
  }

  /** The type of the type unit of that signature. */
  typeBySignature(signature: bigint): Die | undefined {
    if (this.#signatures === undefined) {
      this.#signatures = new Map();
      for (const unit of [...this.units, ...this.typeUnits]) {
        const { typeOffset, signature: own } = unit.header;
        if (typeOffset !== undefined && own !== undefined && !this.#signatures.has(own))
          this.#signatures.set(own, unit);
      }
    }
    const unit = this.#signatures.get(signature);
    return unit === undefined ? undefined : Die.at(unit, unit.offset + unit.header.typeOffset!);
  }

  /** Of .debug_types, where version 4 has its type units. */
  get typeUnits(): readonly Unit[] {
    return (this.#typeUnits ??= this.#readHeaders('types'));
  }

  /** The unit of a .dwo file that a skeleton stands for; undefined for other units, and where the file is missing. */
  splitOf(unit: Unit): Unit | undefined {
    if (this.skeleton !== undefined) return undefined;
    if (this.#split.has(unit)) return this.#split.get(unit);
    // Set first: a damaged file that names itself must not be opened again.
    this.#split.set(unit, undefined);
    const root = unit.root;
    const name = root?.string(DW_AT.dwo_name) ?? root?.string(DW_AT.GNU_dwo_name);
    if (root === undefined || name === undefined) return undefined;
    const path = joinPath(root.string(DW_AT.comp_dir) ?? '', name);
    const bytes = this.supply(path);
    if (bytes === undefined) {
      this.problems.push(`${path} is missing: types and variables of that unit are in it`);
      return undefined;
    }
    const parsed = parseElf(bytes);
    if (!parsed.ok) {
      this.problems.push(`${path}: ${parsed.reason}`);
      return undefined;
    }
    const split = new Units(new DebugSections(parsed.elf, '.dwo'), this.supply, unit);
    const found = split.units.find(({ header }) => header.type !== DW_UT.split_type && header.type !== DW_UT.type);
    const id = (found?.header.signature ?? idOf(found?.root)) as bigint | undefined;
    const wanted = unit.header.signature ?? idOf(root);
    if (found === undefined || (id !== undefined && wanted !== undefined && id !== wanted)) {
      this.problems.push(`${path} does not belong to this file: its identification differs. Build both together`);
      return undefined;
    }
    this.#split.set(unit, found);
    return found;
  }

  #readHeaders(section: 'info' | 'types'): Unit[] {
    const units: Unit[] = [];
    const reader = new Reader(this.sections.get(section));
    while (reader.more) {
      const start = reader.position;
      const { end, offsetSize, damaged } = reader.unitLength();
      // An empty unit is padding.
      if (end === reader.position && !damaged) continue;
      const header = readHeader(new Reader(reader.bytes, reader.position, end), section, start, offsetSize);
      if (header !== undefined) units.push(new Unit(this, header, this.skeleton));
      if (header === undefined || damaged) {
        this.problems.push(`the unit at 0x${start.toString(16)} of .debug_${section} is damaged`);
      }
      if (damaged) break;
      reader.position = end;
    }
    return units;
  }
}

/** GNU's identification before version 5. */
function idOf(root: Die | undefined): bigint | undefined {
  const value = root?.value(DW_AT.GNU_dwo_id);
  return value?.kind === 'number' ? BigInt.asUintN(64, value.exact ?? BigInt(value.value)) : undefined;
}

function readHeader(
  reader: Reader,
  section: 'info' | 'types',
  offset: number,
  offsetSize: 4 | 8,
): UnitHeader | undefined {
  const version = reader.u16();
  if (version < 2 || version > 5) return undefined;
  const plain = section === 'types' ? DW_UT.type : DW_UT.compile;
  const type = version >= 5 ? reader.u8() : plain;
  const first = version >= 5 ? reader.u8() : reader.unsigned(offsetSize);
  const second = version >= 5 ? reader.unsigned(offsetSize) : reader.u8();
  const [addressSize, abbreviations] = version >= 5 ? [first, second] : [second, first];
  const isType = type === DW_UT.type || type === DW_UT.split_type;
  const hasId = isType || type === DW_UT.skeleton || type === DW_UT.split_compile;
  const signature = hasId ? reader.u64Exact() : undefined;
  const typeOffset = isType ? reader.unsigned(offsetSize) : undefined;
  if (reader.overrun || addressSize < 1 || addressSize > 8) return undefined;
  const format = { version, addressSize, offsetSize };
  const { position: firstEntry, end } = reader;
  return { section, offset, firstEntry, end, format, type, abbreviations, signature, typeOffset };
}
