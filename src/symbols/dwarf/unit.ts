// One unit of .debug_info or .debug_types (DWARF 5, 7.5.1): its header, its first entry, and the bases from which its indices count.
// A unit of a .dwo file takes addresses through its skeleton in the linked file (DWARF 5, 7.3.2; before version 5: GNU's extension).
import type { AbbreviationTable } from './abbreviations.ts';
import { DW_AT, DW_UT } from './constants.ts';
import { Die } from './die.ts';
import type { UnitFormat } from './forms.ts';
import { Reader } from './reader.ts';
import { readRanges, type Range } from './ranges.ts';
import type { DebugSections } from './sections.ts';
import type { Units } from './units.ts';

export interface UnitHeader {
  readonly section: 'info' | 'types';
  /** Of the unit, of its first entry and of its end, in its section. */
  readonly offset: number;
  readonly firstEntry: number;
  readonly end: number;
  readonly format: UnitFormat;
  /** One of DW_UT. */
  readonly type: number;
  /** Offset of its table in .debug_abbrev. */
  readonly abbreviations: number;
  /** What names a type unit, or ties a skeleton and its .dwo file together. */
  readonly signature: bigint | undefined;
  /** Of the type in a type unit, from the start of the unit. */
  readonly typeOffset: number | undefined;
}

export class Unit {
  readonly section: 'info' | 'types';
  readonly offset: number;
  readonly firstEntry: number;
  readonly end: number;
  readonly format: UnitFormat;
  readonly bytes: Uint8Array;
  #abbreviations: AbbreviationTable | undefined;
  #bases: Bases | undefined;

  constructor(
    readonly owner: Units,
    readonly header: UnitHeader,
    /** Of a unit in a .dwo file: the unit of the linked file that names it. */
    readonly skeleton: Unit | undefined,
  ) {
    ({ section: this.section, offset: this.offset, firstEntry: this.firstEntry, end: this.end } = header);
    this.format = header.format;
    this.bytes = owner.sections.get(header.section);
  }

  get sections(): DebugSections {
    return this.owner.sections;
  }

  get abbreviations(): AbbreviationTable {
    return (this.#abbreviations ??= this.owner.abbreviations.at(this.header.abbreviations, this.format));
  }

  /** Undefined where the unit is damaged. */
  get root(): Die | undefined {
    return Die.at(this, this.firstEntry);
  }

  /** The unit that has the entries: of a skeleton the one in the .dwo file, where there is one. */
  get full(): Unit {
    return this.owner.splitOf(this) ?? this;
  }

  get bases(): Bases {
    return (this.#bases ??= readBases(this));
  }

  stringAt(index: number): string {
    const { offsetSize } = this.format;
    const entry = new Reader(this.sections.get('str_offsets'), this.bases.strings + index * offsetSize);
    const offset = entry.unsigned(offsetSize);
    return entry.overrun ? '' : this.sections.string('str', offset);
  }

  addressAt(index: number): number {
    const home = this.skeleton ?? this;
    const { addressSize } = home.format;
    return new Reader(home.sections.get('addr'), home.bases.addresses + index * addressSize).unsigned(addressSize);
  }

  /** Code of an entry: DW_AT_ranges, or DW_AT_low_pc to DW_AT_high_pc. In the file's own addresses. */
  rangesOf(die: Die): Range[] {
    const list = die.value(DW_AT.ranges);
    if (list?.kind === 'list-index' || list?.kind === 'section-offset' || list?.kind === 'number') {
      const old = this.skeleton !== undefined && this.format.version < 5;
      const sections = old ? this.skeleton!.sections : this.sections;
      return readRanges(sections, this.format, list.value + (old ? this.bases.oldRanges : 0), {
        lowPc: this.bases.lowPc,
        base: this.bases.ranges,
        indexed: list.kind === 'list-index',
        addressAt: (index) => this.addressAt(index),
      });
    }
    const low = die.address(DW_AT.low_pc);
    if (low === undefined) return [];
    const length = die.number(DW_AT.high_pc);
    const high = length === undefined ? die.address(DW_AT.high_pc) : low + length;
    return high !== undefined && high > low ? [{ start: low, end: high }] : [];
  }

  /** DW_AT_low_pc alone, the first of its ranges, or nothing. */
  entryOf(die: Die): number | undefined {
    return die.address(DW_AT.low_pc) ?? this.rangesOf(die)[0]?.start;
  }
}

interface Bases {
  readonly strings: number;
  readonly addresses: number;
  readonly ranges: number;
  readonly locations: number;
  /** What DW_AT_ranges of a .dwo file counts from before version 5. */
  readonly oldRanges: number;
  /** What offsets in range and location lists count from. */
  readonly lowPc: number;
}

function readBases(unit: Unit): Bases {
  const { root, skeleton, format } = unit;
  const number = (attribute: number) => root?.number(attribute);
  // A .dwo file has one contribution to each section: it begins behind the header, and needs no attribute to say so.
  const split =
    skeleton !== undefined || unit.header.type === DW_UT.split_compile || unit.header.type === DW_UT.split_type;
  const behindHeader = split && format.version >= 5;
  const listsHeader = behindHeader ? (format.offsetSize === 4 ? 12 : 20) : 0;
  const stringsHeader = behindHeader ? (format.offsetSize === 4 ? 8 : 16) : 0;
  const low = root?.value(DW_AT.low_pc);
  const addresses = number(DW_AT.addr_base) ?? number(DW_AT.GNU_addr_base) ?? 0;
  // DW_AT_low_pc may itself be an index, which is counted from the base just found.
  const lowIndexed = (index: number) =>
    new Reader(unit.sections.get('addr'), addresses + index * format.addressSize).unsigned(format.addressSize);
  return {
    strings: number(DW_AT.str_offsets_base) ?? stringsHeader,
    addresses,
    ranges: number(DW_AT.rnglists_base) ?? listsHeader,
    locations: number(DW_AT.loclists_base) ?? listsHeader,
    oldRanges: skeleton?.root?.number(DW_AT.GNU_ranges_base) ?? 0,
    lowPc:
      skeleton?.bases.lowPc ??
      (low?.kind === 'address' ? low.value : low?.kind === 'address-index' ? lowIndexed(low.value) : 0),
  };
}
