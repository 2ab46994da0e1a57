// Compares the decoder and the disassembler with iced-x86, encoding by encoding: length, validity, text in both syntaxes. Not the encodings
// (encodings.ts), nor the differences that are allowed (differences.ts).

import * as iced from 'iced-x86';
import { DecodeResult } from '../../../src/machine/isa/decode.ts';
import { Disassembler } from '../../../src/machine/isa/disassemble/disassembler.ts';
import { opcodeTable } from '../../../src/machine/isa/table.ts';
import { LATER, TEXTS, type TextDifference } from './differences.ts';
import { SLOT } from './encodings.ts';

/** 0F 0D and 0F 18 to 1F are hint NOPs before instructions were put there; the same for prefixes of BSF, BSR and WBINVD. */
const OPTIONS =
  iced.DecoderOptions.ForceReservedNop |
  iced.DecoderOptions.NoWbnoinvd |
  iced.DecoderOptions.NoMPFX_0FBC |
  iced.DecoderOptions.NoMPFX_0FBD;
/** The PREFETCHh of SSE, which ForceReservedNop takes away. */
const PREFETCHES: ReadonlySet<iced.Code> = new Set([
  iced.Code.Prefetchnta_m8,
  iced.Code.Prefetcht0_m8,
  iced.Code.Prefetcht1_m8,
  iced.Code.Prefetcht2_m8,
]);

const PREFETCH_SPACE: ReadonlySet<iced.Code> = new Set([
  iced.Code.Reservednop_rm16_r16_0F18,
  iced.Code.Reservednop_rm32_r32_0F18,
]);

const formatter = (syntax: iced.FormatterSyntax): iced.Formatter => {
  const f = new iced.Formatter(syntax);
  f.hexPrefix = '0x';
  f.hexSuffix = '';
  f.uppercaseHex = false;
  f.smallHexNumbersInDecimal = false;
  f.spaceAfterOperandSeparator = true;
  f.memorySizeOptions = iced.MemorySizeOptions.Always;
  f.showUselessPrefixes = true;
  f.showBranchSize = false;
  f.masmAddDsPrefix32 = false;
  return f;
};
const SYNTAXES = ['intel', 'att'] as const;
/** Addresses of 16-bit code stay below 64 KiB. */
const FIRST_EIP = 0x1000;

export class Comparison {
  encodings = 0;
  instructions = 0;
  readonly differences: string[] = [];
  private readonly unusedLater = new Set(Object.keys(LATER));
  private readonly unusedTexts = new Set(TEXTS);
  private readonly ours = new Disassembler(opcodeTable);
  private readonly formatters = {
    intel: formatter(iced.FormatterSyntax.Masm),
    att: formatter(iced.FormatterSyntax.Gas),
  };
  private readonly applicable = new Map<string, readonly TextDifference[]>();
  private readonly instruction = new iced.Instruction();

  /** `code`: one encoding in each slot. */
  compare(code: Uint8Array, codeSize: 16 | 32): void {
    const decoder = new iced.Decoder(codeSize, code, OPTIONS);
    decoder.ip = BigInt(FIRST_EIP);
    let eip = FIRST_EIP;
    for (let at = 0; at < code.length; at += SLOT) {
      decoder.position = at;
      decoder.decodeOut(this.instruction);
      this.one(code, at, codeSize, eip);
      eip += this.instruction.length;
    }
    decoder.free();
  }
  unused(): string[] {
    return [...this.unusedLater, ...[...this.unusedTexts].map((t) => `${t.syntax} ${t.pattern}`)];
  }

  private one(code: Uint8Array, at: number, codeSize: 16 | 32, eip: number): void {
    this.encodings++;
    const theirs = this.instruction;
    const place = { fetch: (i: number) => code[at + i]!, code32: codeSize === 32, eip };
    const ours = this.ours.disassemble({ ...place, syntax: 'intel' });
    const valid = ours.result === DecodeResult.ok;
    const report = (what: string): void => {
      const bytes = [...code.subarray(at, at + Math.max(ours.length, theirs.length))];
      const hex = bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ');
      this.differences.push(`${codeSize}-bit ${hex}: ${what}`);
    };
    if (theirs.isInvalid || !valid) {
      if (theirs.isInvalid !== !valid && (valid || !this.later()))
        report(valid ? `${ours.text}, iced: invalid` : `invalid, iced: ${this.describe()}`);
      return;
    }
    this.instructions++;
    if (ours.length !== theirs.length) return report(`${ours.length} bytes, iced: ${theirs.length}`);
    for (const syntax of SYNTAXES) {
      const text = syntax === 'intel' ? ours.text : this.ours.disassemble({ ...place, syntax }).text;
      const expected = this.theirText(syntax, codeSize, code.subarray(at, at + SLOT));
      if (text !== expected) report(`${text}, iced: ${expected}`);
    }
  }

  /** What iced found is listed as later than the modelled processor. */
  private later(): boolean {
    const i = this.instruction;
    const keys = [
      `encoding ${iced.EncodingKind[i.encoding]!}`,
      ...Array.from(i.cpuidFeatures(), (feature) => iced.CpuidFeature[feature]!),
      iced.Code[i.code]!,
    ];
    const key = keys.find((k) => LATER[k] !== undefined);
    if (key === undefined) return false;
    this.unusedLater.delete(key);
    return true;
  }
  private describe(): string {
    const i = this.instruction;
    const features = Array.from(i.cpuidFeatures(), (feature) => iced.CpuidFeature[feature]!);
    return `${iced.Code[i.code]!} (${iced.EncodingKind[i.encoding]!}; ${features.join(', ')})`;
  }
  private theirText(syntax: 'intel' | 'att', codeSize: 16 | 32, bytes: Uint8Array): string {
    const { code } = this.instruction;
    const format = this.formatters[syntax];
    const prefetch = PREFETCH_SPACE.has(code) ? this.prefetch(bytes, codeSize, format) : undefined;
    let text = prefetch ?? format.format(this.instruction);
    for (const difference of this.differencesOf(syntax, codeSize, code)) {
      const changed = text.replace(difference.pattern, difference.text);
      if (changed !== text) this.unusedTexts.delete(difference);
      text = changed;
    }
    return text;
  }
  /** The differences that can concern a code, looked up once for each. */
  private differencesOf(syntax: 'intel' | 'att', codeSize: 16 | 32, code: iced.Code): readonly TextDifference[] {
    const key = `${syntax} ${codeSize} ${code}`;
    let list = this.applicable.get(key);
    if (list === undefined) {
      const name = iced.Code[code]!;
      list = TEXTS.filter(
        (t) =>
          (t.syntax === 'both' || t.syntax === syntax) &&
          (t.codeSize ?? codeSize) === codeSize &&
          (t.code === undefined || t.code.test(name)),
      );
      this.applicable.set(key, list);
    }
    return list;
  }
  private prefetch(bytes: Uint8Array, codeSize: number, format: iced.Formatter): string | undefined {
    const decoder = new iced.Decoder(codeSize, bytes, iced.DecoderOptions.None);
    const instruction = decoder.decode();
    const text = PREFETCHES.has(instruction.code) ? format.format(instruction) : undefined;
    instruction.free();
    decoder.free();
    return text;
  }
}
