// The decoder's lengths against objdump over random bytes, the 15-byte limit, prefixes and addressing forms.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DS, ES, FS, SS } from '../cpu/state.ts';
import { DecodeResult, Decoder, NONE } from './decode.ts';
import { opcodeTable } from './table.ts';

const decoder = new Decoder(opcodeTable);
const decode = (bytes: ArrayLike<number>, code32 = true): number => decoder.decode((i) => bytes[i] ?? 0, code32);

const missing = spawnSync('objdump', ['--version']).status === 0 ? undefined : 'objdump is not installed';
const SLOT = 32;
/** Random bytes that start like an instruction more often than not; the rest of the slot is NOPs, so that objdump finds its way back. */
const candidate = fc
  .tuple(
    fc.array(fc.constantFrom(0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0xf2, 0xf3), { maxLength: 2 }),
    fc.constantFrom([], [], [0x0f]),
    fc.array(fc.nat(255), { minLength: 12, maxLength: 12, size: 'max' }),
  )
  .map(([prefixes, escape, rest]) => [...prefixes, ...escape, ...rest]);

/** Length of the instruction in each slot, undefined where objdump sees none or only a prefix. */
const objdump = (slots: readonly (readonly number[])[], code32: boolean): (number | undefined)[] => {
  const image = new Uint8Array(slots.length * SLOT).fill(0x90);
  slots.forEach((slot, i) => image.set(slot, i * SLOT));
  const parent = join(import.meta.dirname, 'out', 'decode');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'spec-'));
  try {
    const file = join(folder, 'code.bin');
    writeFileSync(file, image);
    const args = ['-D', '-b', 'binary', '-m', code32 ? 'i386' : 'i8086', '-z', '--insn-width=16', file];
    const text = execFileSync('objdump', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    const lengths = Array<number | undefined>(slots.length).fill(undefined);
    for (const line of text.split('\n')) {
      const match = /^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t?(.*)$/.exec(line);
      if (match === null) continue;
      const at = parseInt(match[1]!, 16);
      const what = match[3]!.trim();
      const prefixOnly =
        /^((rep[nz]*|repnz|lock|data16|data32|addr16|addr32|[c-gs]s|bnd|notrack|xacquire|xrelease|rex\S*)\s*)*$/.test(
          what,
        );
      if (at % SLOT === 0 && !what.includes('(bad)') && !prefixOnly)
        lengths[at / SLOT] = match[2]!.trim().split(' ').length;
    }
    return lengths;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

describe('instruction lengths', { skip: missing }, () => {
  for (const code32 of [true, false])
    it(`random bytes against objdump, ${code32 ? 32 : 16}-bit code`, () => {
      const slots = fc.sample(candidate, { numRuns: 20000, seed: 51 });
      const lengths = objdump(slots, code32);
      let both = 0;
      const differ: string[] = [];
      slots.forEach((slot, i) => {
        const length = lengths[i];
        // objdump takes FWAIT together with what follows it.
        if (
          length === undefined ||
          slot.includes(0x9b) ||
          decode([...slot, ...Array<number>(16).fill(0x90)], code32) !== DecodeResult.ok
        )
          return;
        both++;
        const hex = slot.map((b) => b.toString(16).padStart(2, '0')).join(' ');
        if (decoder.length !== length)
          differ.push(`${hex}: ${decoder.length} (${decoder.row.mnemonic}), objdump ${length}`);
      });
      assert.deepEqual(differ.slice(0, 20), []);
      assert.ok(both > 8000, `${both} instructions`);
    });
});

describe('decoder', () => {
  it('15 bytes are an instruction, 16 are not', () => {
    for (let prefixes = 0; prefixes < 20; prefixes++) {
      const bytes = [...Array<number>(prefixes).fill(0x66), 0x90, 0x90];
      assert.equal(decode(bytes), prefixes + 1 <= 15 ? DecodeResult.ok : DecodeResult.tooLong, `${prefixes} prefixes`);
      if (prefixes < 15) assert.equal(decoder.length, prefixes + 1);
    }
    // add dword [ebx+ecx*2+disp32], imm32 is 11 bytes long.
    for (const [prefixes, result] of [[4, DecodeResult.ok], [5, DecodeResult.tooLong]] as const) {
      const bytes = [...Array<number>(prefixes).fill(0x3e), 0x81, 0x84, 0x4b, 1, 2, 3, 4, 5, 6, 7, 8];
      assert.equal(decode(bytes), result);
    } // prettier-ignore
  });
  it('a byte that cannot be fetched stops it wherever it is; nothing behind the instruction is asked for', () => {
    const bytes = [0x66, 0x81, 0x84, 0x4b, 1, 2, 3, 4, 5, 6];
    for (let limit = 0; limit < bytes.length; limit++) {
      const asked: number[] = [];
      const fetch = (i: number): number => (asked.push(i), i < limit ? bytes[i]! : -1);
      assert.equal(decoder.decode(fetch, true), DecodeResult.fetchFault, `${limit} bytes`);
      assert.deepEqual([asked.length, decoder.length], [limit + 1, limit + 1]);
    }
    assert.equal(
      decoder.decode((i) => bytes[i] ?? -1, true),
      DecodeResult.ok,
    );
    assert.equal(decoder.length, bytes.length);
  });
  it('prefixes: the last segment wins, sizes toggle once, REP and LOCK', () => {
    assert.equal(decode([0x26, 0x64, 0x66, 0x66, 0x8b, 0x03]), DecodeResult.ok);
    assert.deepEqual([decoder.segment, decoder.operandSize, decoder.addressSize], [FS, 16, 32]);
    assert.equal(decode([0x66, 0x67, 0x8b, 0x02], false), DecodeResult.ok);
    assert.deepEqual([decoder.segment, decoder.operandSize, decoder.addressSize, decoder.base], [DS, 32, 32, 2]);
    assert.equal(decode([0xf3, 0xf2, 0xa6]), DecodeResult.ok);
    assert.equal(decoder.rep, 0xf2);
    assert.equal(decode([0xf0, 0x01, 0x03]), DecodeResult.ok);
    for (const bad of [[0xf0, 0x01, 0xc3], [0xf0, 0x8b, 0x03], [0xf0, 0x90], [0xf0, 0x39, 0x03]]) assert.equal(decode(bad), DecodeResult.undefined, bad.join()); // prettier-ignore
  });
  it('registers that do not exist, and register operands where memory is meant, are undefined: helpers need not ask', () => {
    const undefinedAt = (...opcode: number[]): number[] =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((reg) => {
        const result = decode([...opcode, 0xc0 | (reg << 3)]);
        assert.ok(result === DecodeResult.ok || result === DecodeResult.undefined);
        return result === DecodeResult.undefined;
      });
    assert.deepEqual(undefinedAt(0x8e), [1, 6, 7], 'MOV to CS, segment registers 6 and 7');
    assert.deepEqual(undefinedAt(0x8c), [6, 7]);
    for (const opcode of [0x20, 0x22]) assert.deepEqual(undefinedAt(0x0f, opcode), [1, 5, 6, 7], 'CR1, CR5 to CR7');
    for (const opcode of [0x21, 0x23]) assert.deepEqual(undefinedAt(0x0f, opcode), []);

    const memoryOnly = [
      ...[[0x62], [0xc4], [0xc5], [0x0f, 0xb2], [0x0f, 0xb4], [0x0f, 0xb5]].map((opcode) => ({
        opcode,
        reg: 0,
        rm: 0,
      })),
      // SGDT, LGDT, LIDT, INVLPG, with register operands that are no instruction of their own.
      ...[0, 2, 3, 7].map((reg) => ({ opcode: [0x0f, 0x01], reg, rm: 5 })),
      // VMPTRLD, VMCLEAR, VMXON, VMPTRST.
      ...[[0x0f], [0x66, 0x0f], [0xf3, 0x0f]].map((start) => ({ opcode: [...start, 0xc7], reg: 6, rm: 0 })),
      { opcode: [0x0f, 0xc7], reg: 7, rm: 0 },
    ];
    for (const { opcode, reg, rm } of memoryOnly) {
      const name = opcode.map((byte) => byte.toString(16)).join(' ');
      assert.equal(decode([...opcode, (reg << 3) | 3]), DecodeResult.ok, name);
      assert.equal(decode([...opcode, 0xc0 | (reg << 3) | rm]), DecodeResult.undefined, name);
    }
    // SIDT with a register operand is MONITOR and MWAIT, CLFLUSH is SFENCE.
    for (const rm of [2, 3, 4, 5, 6, 7]) assert.equal(decode([0x0f, 0x01, 0xc8 | rm]), DecodeResult.undefined);
    assert.equal(decode([0x0f, 0xae, 0xf8]), DecodeResult.ok);
    assert.equal(decoder.row.mnemonic, 'sfence');
  });
  it('addresses: SIB without base or index, EBP and ESP in SS, 16-bit forms', () => {
    const operand = (...bytes: number[]): unknown => {
      assert.equal(decode([...bytes, 0, 0, 0, 0]), DecodeResult.ok);
      return [decoder.base, decoder.index, decoder.scale, decoder.displacement | 0, decoder.segment];
    };
    assert.deepEqual(operand(0x8b, 0x04, 0x25, 0x78, 0x56, 0x34, 0x12), [NONE, NONE, 0, 0x12345678, DS]);
    assert.deepEqual(operand(0x8b, 0x44, 0x24, 0xfc), [4, NONE, 0, -4, SS]);
    assert.deepEqual(operand(0x8b, 0x44, 0xe4, 0x80), [4, NONE, 0, -128, SS], 'the scale of no index is none');
    assert.deepEqual(operand(0x8b, 0x45, 0x08), [5, NONE, 0, 8, SS]);
    assert.deepEqual(operand(0x8b, 0x04, 0x6b), [3, 5, 1, 0, DS], 'EBP as index stays in DS');
    assert.deepEqual(operand(0x8b, 0x05, 1, 0, 0, 0), [NONE, NONE, 0, 1, DS]);
    assert.deepEqual(operand(0x26, 0x8b, 0x45, 0), [5, NONE, 0, 0, ES]);
    assert.deepEqual(operand(0x67, 0x8b, 0x42, 0xff), [5, 6, 0, -1, SS]);
    assert.deepEqual(operand(0x67, 0x8b, 0x06, 0x34, 0x92), [NONE, NONE, 0, 0x9234, DS]);
    assert.deepEqual(operand(0x67, 0x8b, 0x46, 0x10), [5, NONE, 0, 16, SS]);
  });
});
