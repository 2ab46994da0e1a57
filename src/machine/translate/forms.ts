// Which forms the rows of the instruction table have, and where each lies in the table of entry functions: prologues first, then forms, in
// the order of the rows. Not their code (threaded-image.ts) and not the table (threaded-module.ts).

import type { Row, Semantics } from '../isa/row.ts';
import { type Form, MemoryKind } from './form.ts';
import { immediateBytes } from './immediates.ts';

const REPEATS = [0, 0xf2, 0xf3] as const;
const EITHER = [false, true] as const;
const UNLIMITED = [false] as const;
/** Numbers that `number` can give. */
const FORMS_OF_A_ROW = 256;

/** The number of a form among those of its row. */
const number = (
  size: number,
  memory: number,
  genericStack: boolean,
  limitedCode: boolean,
  addressSize: number,
  repeat: number,
): number =>
  (size === 16 ? 1 : 0) +
  memory * 2 +
  (genericStack ? 8 : 0) +
  (addressSize === 16 ? 16 : 0) +
  (limitedCode ? 32 : 0) +
  (repeat === 0xf2 ? 64 : repeat === 0xf3 ? 128 : 0);

const memoryKinds = (row: Row): readonly number[] => {
  for (const { kind } of row.operands) {
    if (kind === 'X') return [MemoryKind.ea];
    if (kind === 'O') return [MemoryKind.base, MemoryKind.ea];
    if (kind === 'M') return [MemoryKind.base, MemoryKind.indexed, MemoryKind.ea];
    if (kind === 'E' || kind === 'W' || kind === 'Q')
      return [MemoryKind.none, MemoryKind.base, MemoryKind.indexed, MemoryKind.ea];
  }
  return [MemoryKind.none];
};

const hasBothSizes = (row: Row): boolean => {
  if (row.onlySize !== 0) return false;
  if (row.sized) return true;
  for (const { bits, kind } of row.operands) if (bits === 0 || bits === -1 || kind === 'J') return true;
  return false;
};
/** The row's size to look a form up by: rows without 16-bit forms answer with 32. */
export const formSize = (row: Row, operandSize: 16 | 32): 16 | 32 =>
  hasBothSizes(row) ? operandSize : row.onlySize === 16 ? 16 : 32;

const hasAddressSizes = (row: Row): boolean => {
  for (const { kind } of row.operands) if (kind === 'Y') return true;
  return false;
};

/** The forms of a row, in the order of their slots. */
const formsOf = (row: Row, visit: (form: Form) => void): void => {
  const sizes = hasBothSizes(row) ? ([32, 16] as const) : [formSize(row, 32)];
  const addressSizes = hasAddressSizes(row) ? ([32, 16] as const) : ([32] as const);
  for (const size of sizes)
    for (const memory of memoryKinds(row))
      for (const genericStack of row.stack ? EITHER : UNLIMITED)
        for (const limitedCode of row.near ? EITHER : UNLIMITED)
          for (const addressSize of addressSizes)
            for (const repeat of row.string ? REPEATS : ([0] as const))
              visit({ row, size, memory, genericStack, limitedCode, addressSize, repeat });
};

/** A row of one's own with nothing but these semantics, for what is no row of the table. */
const bareRow = (row: Row, semantics: Semantics): Row => ({ ...row, operands: [], memoryOperand: -1, semantics });

const PROLOGUE_FORMS = [16, 32].flatMap((size) =>
  EITHER.map((genericStack) => ({
    size: size as 16 | 32,
    memory: MemoryKind.none,
    genericStack,
    limitedCode: false,
    addressSize: 32 as const,
    repeat: 0,
  })),
);

/** All forms of the table's rows in the order of their slots: prologues, then the rows' own. */
export const visitForms = (rows: readonly Row[], visit: (form: Form) => void): void => {
  for (const [prologue, row] of prologuesOf(rows))
    for (const form of PROLOGUE_FORMS) visit({ ...form, row: bareRow(row, prologue) });
  for (const row of rows) if (row.semantics !== undefined) formsOf(row, visit);
};

/** The different prologues, each with the first row that has it. */
const prologuesOf = (rows: readonly Row[]): ReadonlyMap<Semantics, Row> => {
  const found = new Map<Semantics, Row>();
  for (const row of rows)
    if (row.semantics !== undefined && row.prologue !== undefined && !found.has(row.prologue))
      found.set(row.prologue, row);
  return found;
};

export class FormSlots {
  private readonly indexOf = new Map<Row, number>();
  private readonly slots: Uint16Array;
  private readonly prologues = new Map<Semantics, number>();
  /** See immediates.ts, by slot. */
  readonly immediateBytes: Uint8Array;

  /** @param first slot of the first form that `visitForms` visits */
  constructor(rows: readonly Row[], first: number) {
    let next = first;
    for (const prologue of prologuesOf(rows).keys()) {
      this.prologues.set(prologue, next);
      next += PROLOGUE_FORMS.length;
    }
    // Zero is a slot too, but that of a micro-operation.
    this.slots = new Uint16Array(rows.length * FORMS_OF_A_ROW);
    const immediates: number[] = [];
    rows.forEach((row, index) => {
      this.indexOf.set(row, index * FORMS_OF_A_ROW);
      if (row.semantics === undefined) return;
      formsOf(row, ({ size, memory, genericStack, limitedCode, addressSize, repeat }) => {
        const of = number(size, memory, genericStack, limitedCode, addressSize, repeat);
        immediates[next] = immediateBytes(row, size);
        this.slots[index * FORMS_OF_A_ROW + of] = next++;
      });
    });
    this.immediateBytes = Uint8Array.from(immediates, (bytes) => bytes ?? 0);
  }

  /** Table slot of a form; throws if the table lacks it: a bug of ours. */
  slot(
    row: Row,
    size: 16 | 32,
    memory: number,
    genericStack: boolean,
    limitedCode: boolean,
    addressSize: 16 | 32,
    repeat: number,
  ): number {
    const of = number(
      size,
      memory,
      row.stack && genericStack,
      row.near && limitedCode,
      addressSize === 16 && hasAddressSizes(row) ? 16 : 32,
      row.string ? repeat : 0,
    );
    const slot = this.slots[this.indexOf.get(row)! + of]!;
    if (slot === 0) throw new Error(`no form of ${row.mnemonic} for size ${size}, memory ${memory}`);
    return slot;
  }

  /** Table slot of the row's prologue. */
  prologueSlot(row: Row, size: 16 | 32, genericStack: boolean): number {
    return this.prologues.get(row.prologue!)! + (size === 32 ? 2 : 0) + (genericStack ? 1 : 0);
  }
}
