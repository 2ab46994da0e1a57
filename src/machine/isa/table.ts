// The instruction table: all families together. The one place where an encoding is looked up from. Not semantics.

import { Vector } from '../cpu/cpu.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Cr0 } from '../cpu/state.ts';
import { arithmetic } from './arithmetic.ts';
import { controlRows } from './control.ts';
import { OpcodeTable } from './decode.ts';
import { logicRows } from './logic.ts';
import { hard, type Row } from './row.ts';
import { simdLaneRows } from './simd-lanes.ts';
import { simdMoveRows } from './simd-moves.ts';
import { shiftRows } from './shift.ts';
import { sseFloatRows } from './sse-float-rows.ts';
import { stringRows } from './string-rows.ts';
import { systemRows } from './system-rows.ts';
import { transferRows } from './transfer.ts';
import { x87Rows } from './x87-rows.ts';

/** Stand-ins for what cannot be decoded or may not run now. They are in no opcode map. */
export const unavailable = {
  invalid: hard('(bad)', '00', '', (cpu) => cpu.raise(Vector.UD))[0]!,
  tooLong: hard('(bad)', '00', '', (cpu) => cpu.raise(Vector.GP, 0))[0]!,
  /** CR0.EM or CR0.TS set: #NM. */
  fpu: hard('(fpu)', '00', '', (cpu) => cpu.raise(Vector.NM))[0]!,
  /** SDM vol. 3, 12.1: CR0.EM makes MMX instructions undefined. */
  mmx: hard('(mmx)', '00', '', (cpu: Cpu) => cpu.raise(cpu.s.cr0 & Cr0.EM ? Vector.UD : Vector.NM))[0]!,
  /** SDM vol. 3, table 13-1: CR0.EM or CR4.OSFXSR decide #UD before CR0.TS gives #NM. */
  sse: hard('(sse)', '00', '', (cpu: Cpu) =>
    cpu.raise(cpu.s.cr0 & Cr0.EM || (cpu.s.cr4 & 0x200) === 0 ? Vector.UD : Vector.NM),
  )[0]!,
} as const;

export const rows: readonly Row[] = [
  ...arithmetic,
  ...logicRows,
  ...shiftRows,
  ...transferRows,
  ...controlRows,
  ...stringRows,
  ...simdLaneRows,
  ...simdMoveRows,
  ...systemRows,
  ...x87Rows,
  ...sseFloatRows,
];

export const opcodeTable = new OpcodeTable(rows);
