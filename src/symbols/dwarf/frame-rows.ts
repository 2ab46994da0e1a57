// Runs the instructions of a CIE and an FDE up to an address (DWARF 5, 6.4.2 and 6.4.3): how the frame's CFA and the caller's registers are
// found there. Damage ends the instructions early; what they said before stays.
import type { Fde } from './frame-table.ts';
import { Reader } from './reader.ts';

export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly expression: Uint8Array };

export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'same' }
  /** Saved at CFA + offset. */
  | { readonly kind: 'offset'; readonly offset: number }
  /** Is CFA + offset. */
  | { readonly kind: 'value-offset'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  /** Saved where the expression says. */
  | { readonly kind: 'expression'; readonly expression: Uint8Array }
  | { readonly kind: 'value-expression'; readonly expression: Uint8Array };

export interface FrameRow {
  readonly cfa: CfaRule | undefined;
  readonly rules: ReadonlyMap<number, RegisterRule>;
}

const DW_CFA = {
  nop: 0x00,
  set_loc: 0x01,
  advance_loc1: 0x02,
  advance_loc2: 0x03,
  advance_loc4: 0x04,
  offset_extended: 0x05,
  restore_extended: 0x06,
  undefined: 0x07,
  same_value: 0x08,
  register: 0x09,
  remember_state: 0x0a,
  restore_state: 0x0b,
  def_cfa: 0x0c,
  def_cfa_register: 0x0d,
  def_cfa_offset: 0x0e,
  def_cfa_expression: 0x0f,
  expression: 0x10,
  offset_extended_sf: 0x11,
  def_cfa_sf: 0x12,
  def_cfa_offset_sf: 0x13,
  val_offset: 0x14,
  val_offset_sf: 0x15,
  val_expression: 0x16,
  GNU_window_save: 0x2d,
  GNU_args_size: 0x2e,
  GNU_negative_offset_extended: 0x2f,
  advance_loc: 0x40,
  offset: 0x80,
  restore: 0xc0,
} as const;

const MAX_REMEMBERED = 256;

/** The rules that hold before the instruction at `address`. */
export function rowAt(fde: Fde, address: number): FrameRow {
  const state = new State(fde, address);
  state.run(fde.cie.instructions);
  state.initial = new Map(state.rules);
  state.run(fde.instructions);
  return state;
}

class State implements FrameRow {
  cfa: CfaRule | undefined;
  rules = new Map<number, RegisterRule>();
  initial: ReadonlyMap<number, RegisterRule> = new Map();
  #location: number;
  readonly #remembered: { cfa: CfaRule | undefined; rules: Map<number, RegisterRule> }[] = [];

  constructor(
    private readonly fde: Fde,
    private readonly address: number,
  ) {
    this.#location = fde.start;
  }

  run(instructions: Uint8Array): void {
    const reader = new Reader(instructions);
    while (reader.more && this.#location <= this.address) {
      if (!this.#step(reader, reader.u8())) return;
    }
  }

  /** False where nothing after the instruction counts: it is beyond the address, or not known. */
  #step(reader: Reader, byte: number): boolean {
    const { codeAlignment, dataAlignment, addressSize } = this.fde.cie;
    const advance = (count: number): boolean => {
      this.#location += count * codeAlignment;
      return this.#location <= this.address;
    };
    const set = (register: number, rule: RegisterRule): boolean => {
      if (!reader.overrun) this.rules.set(register, rule);
      return !reader.overrun;
    };
    const saved = (register: number, factored: number): boolean =>
      set(register, { kind: 'offset', offset: factored * dataAlignment });
    const setCfa = (register: number, offset: number): boolean => {
      if (!reader.overrun) this.cfa = { kind: 'register', register, offset };
      return !reader.overrun;
    };
    const cfaOffset = (offset: number): boolean => this.cfa?.kind === 'register' && setCfa(this.cfa.register, offset);
    const restore = (register: number): boolean => {
      const rule = this.initial.get(register);
      if (rule === undefined) this.rules.delete(register);
      else this.rules.set(register, rule);
      return true;
    };
    const low = byte & 0x3f;
    if ((byte & 0xc0) === DW_CFA.advance_loc) return advance(low);
    if ((byte & 0xc0) === DW_CFA.offset) return saved(low, reader.uleb());
    if ((byte & 0xc0) === DW_CFA.restore) return restore(low);
    switch (byte) {
      case DW_CFA.nop:
      case DW_CFA.GNU_window_save:
        return true;
      case DW_CFA.set_loc:
        this.#location = reader.unsigned(addressSize);
        return this.#location <= this.address;
      case DW_CFA.advance_loc1:
        return advance(reader.u8());
      case DW_CFA.advance_loc2:
        return advance(reader.u16());
      case DW_CFA.advance_loc4:
        return advance(reader.u32());
      case DW_CFA.offset_extended:
        return saved(reader.uleb(), reader.uleb());
      case DW_CFA.offset_extended_sf:
        return saved(reader.uleb(), reader.sleb());
      case DW_CFA.GNU_negative_offset_extended:
        return saved(reader.uleb(), -reader.uleb());
      case DW_CFA.restore_extended:
        return restore(reader.uleb());
      case DW_CFA.undefined:
        return set(reader.uleb(), { kind: 'undefined' });
      case DW_CFA.same_value:
        return set(reader.uleb(), { kind: 'same' });
      case DW_CFA.register:
        return set(reader.uleb(), { kind: 'register', register: reader.uleb() });
      case DW_CFA.remember_state:
        if (this.#remembered.length >= MAX_REMEMBERED) return false;
        this.#remembered.push({ cfa: this.cfa, rules: new Map(this.rules) });
        return true;
      case DW_CFA.restore_state: {
        const state = this.#remembered.pop();
        if (state === undefined) return false;
        ({ cfa: this.cfa, rules: this.rules } = state);
        return true;
      }
      case DW_CFA.def_cfa:
        return setCfa(reader.uleb(), reader.uleb());
      case DW_CFA.def_cfa_sf:
        return setCfa(reader.uleb(), reader.sleb() * dataAlignment);
      case DW_CFA.def_cfa_register: {
        const register = reader.uleb();
        return this.cfa?.kind === 'register' && setCfa(register, this.cfa.offset);
      }
      case DW_CFA.def_cfa_offset:
        return cfaOffset(reader.uleb());
      case DW_CFA.def_cfa_offset_sf:
        return cfaOffset(reader.sleb() * dataAlignment);
      case DW_CFA.def_cfa_expression:
        this.cfa = { kind: 'expression', expression: reader.block(reader.uleb()) };
        return !reader.overrun;
      case DW_CFA.expression:
        return set(reader.uleb(), { kind: 'expression', expression: reader.block(reader.uleb()) });
      case DW_CFA.val_expression:
        return set(reader.uleb(), { kind: 'value-expression', expression: reader.block(reader.uleb()) });
      case DW_CFA.val_offset:
        return set(reader.uleb(), { kind: 'value-offset', offset: reader.uleb() * dataAlignment });
      case DW_CFA.val_offset_sf:
        return set(reader.uleb(), { kind: 'value-offset', offset: reader.sleb() * dataAlignment });
      case DW_CFA.GNU_args_size:
        reader.skipLeb();
        return true;
      default:
        return false;
    }
  }
}
