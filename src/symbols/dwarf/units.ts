// The compile units of .debug_info, first entry only: compilation directory, line table and address ranges (DWARF 5, 3.1 and 7.5).
// Not the tree of entries below: types and variables are not read here.
import { DW_FORM_IMPLICIT_CONST, readForm, type FormValue, type UnitFormat } from './forms.ts';
import { Reader } from './reader.ts';
import { readRanges, type Range } from './ranges.ts';
import type { DebugSections } from './sections.ts';

export interface CompileUnit {
  readonly name: string | undefined;
  readonly compilationDirectory: string | undefined;
  /** Offset of its table in .debug_line. */
  readonly lineTable: number;
  readonly ranges: readonly Range[];
  /** False if code may lie outside `ranges`: units without any, and assembly, of which old tools give the first section only. */
  readonly complete: boolean;
}

const DW_AT = {
  name: 0x03,
  stmt_list: 0x10,
  low_pc: 0x11,
  high_pc: 0x12,
  language: 0x13,
  comp_dir: 0x1b,
  ranges: 0x55,
  str_offsets_base: 0x72,
  addr_base: 0x73,
  rnglists_base: 0x74,
  GNU_addr_base: 0x2133,
} as const;

const DW_LANG_Mips_Assembler = 0x8001;

const DW_UT = { type: 0x02, skeleton: 0x04, split_compile: 0x05, split_type: 0x06 } as const;

/** All units with a line table, in file order. Damaged ones are left out; `problems` says which. */
export function readCompileUnits(sections: DebugSections, problems: string[]): CompileUnit[] {
  const units: CompileUnit[] = [];
  const info = new Reader(sections.get('info'));
  while (info.more) {
    const start = info.position;
    const { end, offsetSize, damaged } = info.unitLength();
    // An empty unit is padding.
    if (end === info.position) continue;
    const unit = readRoot(new Reader(info.bytes, info.position, end), offsetSize, sections);
    if (unit === 'damaged' || damaged) problems.push(`the unit at 0x${start.toString(16)} of .debug_info is damaged`);
    if (typeof unit === 'object') units.push(unit);
    if (damaged) break;
    info.position = end;
  }
  return units;
}

function readRoot(
  reader: Reader,
  offsetSize: 4 | 8,
  sections: DebugSections,
): CompileUnit | 'damaged' | 'no-line-table' {
  const version = reader.u16();
  if (version < 2 || version > 5) return 'damaged';
  const type = version >= 5 ? reader.u8() : 0;
  const first = version >= 5 ? reader.u8() : reader.unsigned(offsetSize);
  const second = version >= 5 ? reader.unsigned(offsetSize) : reader.u8();
  const [addressSize, abbreviations] = version >= 5 ? [first, second] : [second, first];
  if (type === DW_UT.skeleton || type === DW_UT.split_compile) reader.skip(8);
  if (type === DW_UT.type || type === DW_UT.split_type) reader.skip(8 + offsetSize);
  const format: UnitFormat = { version, addressSize, offsetSize };
  const values = readAttributes(reader, format, abbreviations, sections);
  if (values === undefined) return 'damaged';

  const offset = (attribute: number): number | undefined => {
    const value = values.get(attribute);
    return value?.kind === 'section-offset' || value?.kind === 'number' ? value.value : undefined;
  };
  const lineTable = offset(DW_AT.stmt_list);
  if (lineTable === undefined) return 'no-line-table';

  const addressBase = offset(DW_AT.addr_base) ?? offset(DW_AT.GNU_addr_base) ?? 0;
  const addressAt = (index: number): number =>
    new Reader(sections.get('addr'), addressBase + index * addressSize).unsigned(addressSize);
  const stringsBase = offset(DW_AT.str_offsets_base) ?? 0;
  const string = (attribute: number): string | undefined => {
    const value = values.get(attribute);
    if (value?.kind === 'string') return value.value;
    if (value?.kind !== 'string-index') return undefined;
    const entry = new Reader(sections.get('str_offsets'), stringsBase + value.value * offsetSize);
    return sections.string('str', entry.unsigned(offsetSize));
  };
  const address = (attribute: number): number | undefined => {
    const value = values.get(attribute);
    if (value?.kind === 'address') return value.value;
    return value?.kind === 'address-index' ? addressAt(value.value) : undefined;
  };

  const low = address(DW_AT.low_pc);
  const highNumber = offset(DW_AT.high_pc);
  const high = address(DW_AT.high_pc) ?? (highNumber === undefined ? undefined : (low ?? 0) + highNumber);
  const list = values.get(DW_AT.ranges);
  const ranges =
    list !== undefined && list.kind !== 'skipped' && typeof list.value === 'number'
      ? readRanges(sections, format, list.value, {
          lowPc: low ?? 0,
          base: offset(DW_AT.rnglists_base) ?? 0,
          indexed: list.kind === 'list-index',
          addressAt,
        })
      : low !== undefined && high !== undefined && high > low
        ? [{ start: low, end: high }]
        : [];
  return {
    name: string(DW_AT.name),
    compilationDirectory: string(DW_AT.comp_dir),
    lineTable,
    ranges,
    complete: ranges.length > 0 && offset(DW_AT.language) !== DW_LANG_Mips_Assembler,
  };
}

/** The attributes of the first entry; undefined if its abbreviation or a form is damaged. */
function readAttributes(
  reader: Reader,
  format: UnitFormat,
  abbreviations: number,
  sections: DebugSections,
): Map<number, FormValue> | undefined {
  const values = new Map<number, FormValue>();
  const code = reader.uleb();
  if (code === 0) return reader.overrun ? undefined : values;
  const declaration = new Reader(sections.get('abbrev'), abbreviations);
  for (let known = declaration.uleb(); known !== code; known = declaration.uleb()) {
    if (known === 0) return undefined;
    skipDeclaration(declaration);
  }
  declaration.uleb(); // tag
  declaration.u8(); // has children
  while (declaration.more) {
    const [attribute, form] = [declaration.uleb(), declaration.uleb()];
    const implicit = form === DW_FORM_IMPLICIT_CONST ? declaration.sleb() : 0;
    if (attribute === 0 && form === 0) return reader.overrun ? undefined : values;
    const value = readForm(form, implicit, reader, format, sections);
    if (value === undefined) return undefined;
    values.set(attribute, value);
  }
  return undefined;
}

function skipDeclaration(reader: Reader): void {
  reader.uleb();
  reader.u8();
  while (reader.more) {
    const [attribute, form] = [reader.uleb(), reader.uleb()];
    if (form === DW_FORM_IMPLICIT_CONST) reader.sleb();
    if (attribute === 0 && form === 0) return;
  }
}
