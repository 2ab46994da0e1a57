// Location lists: which expression holds at an address. .debug_loc of versions 2 to 4 (DWARF 4, 2.6.2), its form in .dwo files of that time
// (GNU's extension), and .debug_loclists (DWARF 5, 7.7.3). Addresses are the file's own.
import type { Die } from './die.ts';
import { Reader } from './reader.ts';
import type { Range } from './ranges.ts';
import type { Unit } from './unit.ts';

export interface LocationEntry extends Range {
  readonly expression: Uint8Array;
}

const DW_LLE = {
  end_of_list: 0,
  base_addressx: 1,
  startx_endx: 2,
  startx_length: 3,
  offset_pair: 4,
  default_location: 5,
  base_address: 6,
  start_end: 7,
  start_length: 8,
  GNU_view_pair: 9,
} as const;

/**
 * The expression of an attribute (DW_AT_location, DW_AT_frame_base ...) at an address. Undefined: the attribute is missing; empty:
 * there is none at that address.
 */
export function expressionAt(die: Die, attribute: number, address: number): Uint8Array | undefined {
  const value = die.value(attribute);
  if (value === undefined) return undefined;
  if (value.kind === 'block') return value.value;
  const entries = locationList(die, attribute);
  const here = entries.find(({ start, end }) => address >= start && address < end);
  return here?.expression ?? new Uint8Array(0);
}

/** All entries of a list that hold somewhere; empty where the attribute is no list. A default location holds everywhere. */
export function locationList(die: Die, attribute: number): LocationEntry[] {
  const value = die.value(attribute);
  const { unit } = die;
  if (value?.kind !== 'section-offset' && value?.kind !== 'list-index' && value?.kind !== 'number') return [];
  const entries: LocationEntry[] = [];
  const add = (start: number, end: number, expression: Uint8Array) => {
    if (end > start) entries.push({ start, end, expression });
  };
  if (unit.format.version < 5) {
    const reader = new Reader(unit.sections.get('loc'), value.value);
    if (unit.skeleton === undefined) readOld(unit, reader, add);
    else readOldSplit(unit, reader, add);
    return entries;
  }
  const bytes = unit.sections.get('loclists');
  const { offsetSize } = unit.format;
  const base = unit.bases.locations;
  const offset =
    value.kind === 'list-index'
      ? base + new Reader(bytes, base + value.value * offsetSize).unsigned(offsetSize)
      : value.value;
  readLists(unit, new Reader(bytes, offset), add);
  return entries;
}

type Add = (start: number, end: number, expression: Uint8Array) => void;

function readOld(unit: Unit, reader: Reader, add: Add): void {
  const size = unit.format.addressSize;
  const selector = size === 8 ? 2 ** 64 : 2 ** (8 * size) - 1;
  let base = unit.bases.lowPc;
  while (reader.more) {
    const [start, end] = [reader.unsigned(size), reader.unsigned(size)];
    if (reader.overrun || (start === 0 && end === 0)) return;
    if (start >= selector) base = end;
    else add(base + start, base + end, reader.block(reader.u16()));
  }
}

function readOldSplit(unit: Unit, reader: Reader, add: Add): void {
  let base = unit.bases.lowPc;
  while (reader.more) {
    const kind = reader.u8();
    if (kind === 1) {
      base = unit.addressAt(reader.uleb());
      continue;
    }
    let [start, end] = [0, 0];
    if (kind === 2) [start, end] = [unit.addressAt(reader.uleb()), unit.addressAt(reader.uleb())];
    else if (kind === 3) {
      start = unit.addressAt(reader.uleb());
      end = start + reader.u32();
    } else if (kind === 4) [start, end] = [base + reader.u32(), base + reader.u32()];
    else return;
    add(start, end, reader.block(reader.u16()));
  }
}

function readLists(unit: Unit, reader: Reader, add: Add): void {
  const address = () => reader.unsigned(unit.format.addressSize);
  const indexed = () => unit.addressAt(reader.uleb());
  const expression = () => reader.block(reader.uleb());
  const addLength = (start: number, length: number) => add(start, start + length, expression());
  const addPair = (start: number, end: number) => add(start, end, expression());
  let base = unit.bases.lowPc;
  while (reader.more) {
    const kind = reader.u8();
    if (kind === DW_LLE.base_addressx) base = indexed();
    else if (kind === DW_LLE.startx_endx) addPair(indexed(), indexed());
    else if (kind === DW_LLE.startx_length) addLength(indexed(), reader.uleb());
    else if (kind === DW_LLE.offset_pair) addPair(base + reader.uleb(), base + reader.uleb());
    else if (kind === DW_LLE.default_location) addPair(0, 2 ** 32);
    else if (kind === DW_LLE.base_address) base = address();
    else if (kind === DW_LLE.start_end) addPair(address(), address());
    else if (kind === DW_LLE.start_length) addLength(address(), reader.uleb());
    else if (kind === DW_LLE.GNU_view_pair) {
      reader.skipLeb();
      reader.skipLeb();
    } else return;
  }
}
