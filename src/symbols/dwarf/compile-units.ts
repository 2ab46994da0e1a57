// What the first entries of the compile units say: name, compilation directory, line table and address ranges (DWARF 5, 3.1).
// Read when the file is opened; all else of a unit is read when it is asked for.
import { DW_AT, DW_LANG_Mips_Assembler } from './constants.ts';
import type { Range } from './ranges.ts';
import type { Unit } from './unit.ts';
import type { Units } from './units.ts';

export interface CompileUnit {
  readonly unit: Unit;
  readonly name: string | undefined;
  readonly compilationDirectory: string | undefined;
  /** Offset of its table in .debug_line. */
  readonly lineTable: number | undefined;
  readonly ranges: readonly Range[];
  /** False if code may lie outside `ranges`: units without any, and assembly, of which old tools give the first section only. */
  readonly complete: boolean;
}

/** In file order; type units are none. */
export function readCompileUnits({ units, problems }: Units): CompileUnit[] {
  const found: CompileUnit[] = [];
  for (const unit of units) {
    if (unit.header.typeOffset !== undefined) continue;
    const { root } = unit;
    if (root === undefined) {
      problems.push(`the unit at 0x${unit.offset.toString(16)} of .debug_info is damaged`);
      continue;
    }
    const ranges = unit.rangesOf(root);
    found.push({
      unit,
      name: root.string(DW_AT.name),
      compilationDirectory: root.string(DW_AT.comp_dir),
      lineTable: root.number(DW_AT.stmt_list),
      ranges,
      complete: ranges.length > 0 && root.number(DW_AT.language) !== DW_LANG_Mips_Assembler,
    });
  }
  return found;
}
