// Address ranges of a unit: .debug_ranges (DWARF 4, 2.17.3) and .debug_rnglists (DWARF 5, 7.25).
import type { UnitFormat } from './forms.ts';
import { Reader } from './reader.ts';
import type { DebugSections } from './sections.ts';

/** [start, end), unsigned. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface RangeBases {
  /** DW_AT_low_pc of the unit: what offsets count from. */
  readonly lowPc: number;
  /** DW_AT_rnglists_base, for lists given by index. */
  readonly base: number;
  readonly indexed: boolean;
  readonly addressAt: (index: number) => number;
}

const DW_RLE = {
  end_of_list: 0,
  base_addressx: 1,
  startx_endx: 2,
  startx_length: 3,
  offset_pair: 4,
  base_address: 5,
  start_end: 6,
  start_length: 7,
} as const;

/** The non-empty ranges of the list at `offset` (or of that index), as far as it is readable. */
export function readRanges(sections: DebugSections, unit: UnitFormat, offset: number, bases: RangeBases): Range[] {
  const ranges = unit.version >= 5 ? readLists(sections, unit, offset, bases) : readOld(sections, unit, offset, bases);
  return ranges.filter((range) => range.end > range.start);
}

function readOld(sections: DebugSections, unit: UnitFormat, offset: number, bases: RangeBases): Range[] {
  const reader = new Reader(sections.get('ranges'), offset);
  const selector = unit.addressSize === 8 ? 2 ** 64 : 2 ** (8 * unit.addressSize) - 1;
  const ranges: Range[] = [];
  let base = bases.lowPc;
  while (reader.more) {
    const [start, end] = [reader.unsigned(unit.addressSize), reader.unsigned(unit.addressSize)];
    if (reader.overrun || (start === 0 && end === 0)) break;
    if (start >= selector) base = end;
    else ranges.push({ start: base + start, end: base + end });
  }
  return ranges;
}

function readLists(sections: DebugSections, unit: UnitFormat, offset: number, bases: RangeBases): Range[] {
  const bytes = sections.get('rnglists');
  if (bases.indexed) {
    offset = bases.base + new Reader(bytes, bases.base + offset * unit.offsetSize).unsigned(unit.offsetSize);
  }
  const reader = new Reader(bytes, offset);
  const ranges: Range[] = [];
  const address = () => reader.unsigned(unit.addressSize);
  const indexed = () => bases.addressAt(reader.uleb());
  const add = (start: number, end: number) => ranges.push({ start, end });
  const addLength = (start: number, length: number) => add(start, start + length);
  let base = bases.lowPc;
  while (reader.more) {
    const kind = reader.u8();
    if (kind === DW_RLE.base_addressx) base = indexed();
    else if (kind === DW_RLE.startx_endx) add(indexed(), indexed());
    else if (kind === DW_RLE.startx_length) addLength(indexed(), reader.uleb());
    else if (kind === DW_RLE.offset_pair) add(base + reader.uleb(), base + reader.uleb());
    else if (kind === DW_RLE.base_address) base = address();
    else if (kind === DW_RLE.start_end) add(address(), address());
    else if (kind === DW_RLE.start_length) addLength(address(), reader.uleb());
    // The end, or damage: nothing after it can be read.
    else break;
  }
  return ranges;
}
