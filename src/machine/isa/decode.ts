// The instruction decoder: bytes to (row, operands). Not execution: translate/blocks.ts turns the result into entries.
// SDM vol. 2, ch. 2 (instruction format) and appendix A (opcode maps).

import { CS, DS, ES, FS, GS, SS } from '../cpu/state.ts';
import type { Row } from './row.ts';

/** Longest instruction (SDM vol. 2, 2.3.11); one more byte is #GP(0). */
export const MAX_LENGTH = 15;
/** "No register" for base and index. */
export const NONE = 8;

/** All rows by map, opcode: the candidates that the prefixes and ModRM choose from. */
export class OpcodeTable {
  private readonly maps: (readonly Row[] | undefined)[][] = [[], [], [], []];

  constructor(readonly rows: readonly Row[]) {
    for (const row of rows) {
      const map = this.maps[row.map]!;
      map[row.opcode] = [...(map[row.opcode] ?? []), row];
    }
    // Rows that demand a prefix are tried before those that do not.
    for (const map of this.maps)
      for (const [opcode, list] of map.entries())
        if (list !== undefined)
          map[opcode] = [...list].sort(
            (a, b) => b.prefix - a.prefix || b.fixedModrm - a.fixedModrm || b.digit - a.digit,
          );
  }
  candidates(map: number, opcode: number): readonly Row[] | undefined {
    return this.maps[map]![opcode];
  }
}

/** What decoding can answer besides an instruction. */
export const DecodeResult = {
  ok: 0,
  /** No such instruction: #UD. */
  undefined: 1,
  /** Longer than 15 bytes: #GP(0). */
  tooLong: 2,
  /** A byte could not be fetched (`fetch` returned a negative number). */
  fetchFault: 3,
} as const;

/** One decoder, its fields overwritten by each `decode`. */
export class Decoder {
  row!: Row;
  length = 0;
  operandSize: 16 | 32 = 32;
  addressSize: 16 | 32 = 32;
  modrm = 0;
  /** Memory operand. */
  memory = false;
  base = NONE;
  index = NONE;
  scale = 0;
  displacement = 0;
  segment = DS;
  /** The segment-override prefix (the last one), -1 if there is none. */
  override = -1;
  /** Immediates, sign-extended to 32 bits as the encoding says. */
  immediate = 0;
  immediate2 = 0;
  rep = 0;
  lock = false;
  private fetch: (i: number) => number = () => -1;
  /** Bytes asked for so far, and the DecodeResult if one could not be had. */
  private at = 0;
  private failure: number = DecodeResult.ok;

  constructor(private readonly table: OpcodeTable) {}

  get mod(): number {
    return this.modrm >> 6;
  }
  get reg(): number {
    return (this.modrm >> 3) & 7;
  }
  get rm(): number {
    return this.modrm & 7;
  }

  /**
   * Decodes one instruction. @param fetch byte at position i of the instruction, or negative if it cannot be had
   * @param code32 CS.D. Returns a DecodeResult; the fields hold the instruction if it is `ok`; `length` always holds the bytes asked for.
   */
  decode(fetch: (i: number) => number, code32: boolean): number {
    let byte = 0;
    this.fetch = fetch;
    this.at = 0;
    this.failure = DecodeResult.ok;

    let operand = code32 ? 32 : 16;
    let address = code32 ? 32 : 16;
    let override = -1;
    let operandPrefix = false;
    this.rep = 0;
    this.lock = false;
    prefixes: for (;;) {
      byte = this.next();
      if (this.failure !== 0) return this.finish(this.failure);
      switch (byte) {
        case 0x26:
          override = ES;
          break;
        case 0x2e:
          override = CS;
          break;
        case 0x36:
          override = SS;
          break;
        case 0x3e:
          override = DS;
          break;
        case 0x64:
          override = FS;
          break;
        case 0x65:
          override = GS;
          break;
        case 0x66:
          operandPrefix = true;
          break;
        case 0x67:
          address = code32 ? 16 : 32;
          break;
        case 0xf0:
          this.lock = true;
          break;
        case 0xf2:
          this.rep = 0xf2;
          break;
        case 0xf3:
          this.rep = 0xf3;
          break;
        default:
          break prefixes;
      }
    }
    if (operandPrefix) operand = code32 ? 16 : 32;
    this.operandSize = operand as 16 | 32;
    this.addressSize = address as 16 | 32;

    let map = 0;
    if (byte === 0x0f) {
      map = 1;
      byte = this.next();
      if (byte === 0x38 || byte === 0x3a) {
        map = byte === 0x38 ? 2 : 3;
        byte = this.next();
      }
    }
    if (this.failure !== 0) return this.finish(this.failure);
    const candidates = this.table.candidates(map, byte);
    if (candidates === undefined) return this.finish(DecodeResult.undefined);

    this.modrm = 0;
    this.memory = false;
    this.base = NONE;
    this.index = NONE;
    this.scale = 0;
    this.displacement = 0;
    this.segment = DS;
    if (candidates[0]!.modrm) {
      this.modrm = this.next();
      // MOV to and from CR and DR ignore ModRM.mod (SDM vol. 2, MOV—Move to/from Control Registers).
      const systemMove = map === 1 && byte >= 0x20 && byte <= 0x23;
      if (this.mod !== 3 && !systemMove) this.decodeAddress(address);
      if (this.failure !== 0) return this.finish(this.failure);
    }

    const row = this.choose(candidates, operandPrefix);
    const valid =
      row !== undefined && !(this.lock && !(row.lockable && (this.memory || row.operands.some((o) => o.kind === 'O'))));
    if (valid) this.row = row;
    // Processors fetch all of an instruction before they find that it is none: its opcode says how long it would have been.
    const shape = row ?? candidates[0]!;

    this.immediate = 0;
    this.immediate2 = 0;
    let first = true;
    const { operands } = shape;
    for (let k = 0; k < operands.length; k++) {
      const { kind, bits } = operands[k]!;
      const width = bits > 0 ? bits : operand;
      let value: number;
      switch (kind) {
        case 'I':
        case 'J':
        case 'Is': {
          const size = kind === 'Is' ? 8 : width;
          value = size === 8 ? (this.next() << 24) >> 24 : size === 16 ? (this.next16() << 16) >> 16 : this.next32();
          break;
        }
        case 'A':
          this.immediate = operand === 16 ? this.next16() : this.next32();
          this.immediate2 = this.next16();
          continue;
        case 'O':
          this.memory = true;
          this.displacement = address === 16 ? this.next16() : this.next32();
          continue;
        case 'X':
          this.memory = true;
          this.base = 3;
          continue;
        default:
          continue;
      }
      if (first) this.immediate = value;
      else this.immediate2 = value;
      first = false;
    }
    this.override = override;
    if (override >= 0) this.segment = override;
    return this.finish(this.failure || (valid ? DecodeResult.ok : DecodeResult.undefined));
  }

  private finish(result: number): number {
    this.length = this.at;
    return result;
  }

  /** Nothing is asked for behind a byte that cannot be had: that would be another fault. */
  private next(): number {
    if (this.failure !== 0) return 0;
    if (this.at >= MAX_LENGTH) {
      this.failure = DecodeResult.tooLong;
      return 0;
    }
    const value = this.fetch(this.at++);
    if (value < 0) {
      this.failure = DecodeResult.fetchFault;
      return 0;
    }
    return value;
  }
  private next16(): number {
    return this.next() | (this.next() << 8);
  }
  private next32(): number {
    return this.next() | (this.next() << 8) | (this.next() << 16) | (this.next() << 24);
  }

  private choose(candidates: readonly Row[], operandPrefix: boolean): Row | undefined {
    const mandatory = this.rep !== 0 ? this.rep : operandPrefix ? 0x66 : 0;
    for (let k = 0; k < candidates.length; k++) {
      const row = candidates[k]!;
      if (row.prefix !== -1 && row.prefix !== mandatory) continue;
      if (row.fixedModrm >= 0 && row.fixedModrm !== this.modrm) continue;
      if (row.digit >= 0 && row.digit !== this.reg) continue;
      if (row.onlySize !== 0 && row.onlySize !== this.operandSize) continue;
      if (row.modrm && !this.fits(row)) continue;
      return row;
    }
    return undefined;
  }
  /** ModRM.mod against memory-only and register-only operands. */
  private fits(row: Row): boolean {
    if (row.fixedModrm >= 0) return true;
    const { operands } = row;
    for (let k = 0; k < operands.length; k++) {
      const { kind, bits } = operands[k]!;
      if ((kind === 'M' || kind === 'H') && !this.memory) return false;
      if ((kind === 'R' || kind === 'U' || (kind === 'N' && bits === 64)) && this.memory) return false;
      // No segment registers 6 and 7; CS isn't loaded by MOV (SDM vol. 2, MOV).
      if (kind === 'S' && (this.reg > 5 || (this.reg === CS && operands[0]!.kind === 'S'))) return false;
      // Only CR0, CR2, CR3 and CR4 exist (SDM vol. 2, MOV—Move to/from Control Registers).
      if (kind === 'C' && (this.reg > 4 || this.reg === 1)) return false;
    }
    return true;
  }

  /** SDM vol. 2, tables 2-1 (16-bit) and 2-2, 2-3 (32-bit, SIB). */
  private decodeAddress(size: number): void {
    this.memory = true;
    const mod = this.mod;
    const rm = this.rm;
    if (size === 16) {
      const bases = [3, 3, 5, 5, 6, 7, 5, 3];
      const indices = [6, 7, 6, 7, NONE, NONE, NONE, NONE];
      this.base = bases[rm]!;
      this.index = indices[rm]!;
      if (mod === 0 && rm === 6) {
        this.base = NONE;
        this.displacement = this.next16();
      } else if (mod === 1) this.displacement = (this.next() << 24) >> 24;
      else if (mod === 2) this.displacement = (this.next16() << 16) >> 16;
      if (this.base === 5) this.segment = SS;
      return;
    }
    if (rm === 4) {
      const sib = this.next();
      this.scale = sib >> 6;
      this.index = ((sib >> 3) & 7) === 4 ? NONE : (sib >> 3) & 7;
      this.base = sib & 7;
      if (this.index === NONE) this.scale = 0;
      if (this.base === 5 && mod === 0) {
        this.base = NONE;
        this.displacement = this.next32();
      }
    } else if (rm === 5 && mod === 0) {
      this.displacement = this.next32();
    } else this.base = rm;
    if (mod === 1) this.displacement = (this.next() << 24) >> 24;
    else if (mod === 2) this.displacement = this.next32();
    if (this.base === 4 || this.base === 5) this.segment = SS;
  }
}
