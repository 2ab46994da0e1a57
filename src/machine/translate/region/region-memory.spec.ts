// Memory that a region reaches over branches and loops by what it has looked up before: random programs of accesses through registers that stay or move, with
// jumps over some, loops around some, translations that are dropped, move or are missing on the way, come to the same in both tiers.

import { describe, it } from 'node:test';
import { Random } from '../../../../test/fuzz/random.ts';
import { entryOf, same, word } from '../../../../test/support/both-tiers.ts';
import type { BareProcessor } from '../../../../test/support/bare-processor.ts';
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP } from '../../cpu/state.ts';

const PROGRAMS = 240;
/** Bases of addresses; EAX and EDX are data, ECX counts. */
const BASES = [EBX, EBP, ESI, EDI] as const;
const DATA = [EAX, EDX] as const;
const FIRST_PAGE = 5;
const PAGES = 8;
const STACK = 0xff80;

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)]!;

/** Pages that bases point to at first. */
let based: readonly number[] = [];

/** A page of data gets another frame of the data, and its translation is dropped. */
const remap = (random: Random): number[] => {
  const page = pick(random, based);
  const frame = FIRST_PAGE + random.below(PAGES);
  // mov dword [entry], frame; invlpg [page]
  return [0xc7, 0x05, ...word(entryOf(page << 12)), ...word((frame << 12) | 3), 0x0f, 0x01, 0x3d, ...word(page << 12)];
};
/** mov base, imm32; mov bl, imm8; mov bh, imm8: to somewhere in the data. */
const moveTo = (random: Random): number[] => {
  const makers: (() => number[])[] = [
    () => [0xb8 | pick(random, BASES), ...word((FIRST_PAGE << 12) + random.below(PAGES << 12))],
    () => [0xb0 | EBX, random.below(256)],
    () => [0xb4 | EBX, (FIRST_PAGE << 4) + random.below(PAGES << 4)],
  ];
  return pick(random, makers)();
};
const access = (random: Random): number[] => {
  const modrm = (reg: number): number[] => [0x40 | (reg << 3) | pick(random, BASES), random.below(20) * 2];
  const data = pick(random, DATA);
  const makers: (() => number[])[] = [
    () => [0x8b, ...modrm(data)],
    () => [0x8b, ...modrm(data)],
    () => [0x89, ...modrm(data)],
    () => [0x01, ...modrm(data)],
    () => [0x03, ...modrm(data)],
    () => [0x66, 0x8b, ...modrm(data)],
    () => [0x66, 0x89, ...modrm(data)],
    () => [0x8a, ...modrm(data)],
    () => [0x88, ...modrm(data)],
    () => [0xff, ...modrm(0)],
    () => [0x83, ...modrm(7), random.below(256)],
    // mov eax, [absolute]
    () => [0xa1, ...word((FIRST_PAGE << 12) + random.below(PAGES << 12))],
    () => [0x50 | data, 0x58 | data],
  ];
  return pick(random, makers)();
};
const other = (random: Random): number[] => {
  const makers: (() => number[])[] = [
    // add base, imm8; lea base, [base+disp8]; mov bl, 0x40 and the like; xchg of two bases
    () => [0x83, 0xc0 | pick(random, BASES), pick(random, [4, 8, 0xfc, 1])],
    () => {
      const base = pick(random, BASES);
      return [0x8d, 0x40 | (base << 3) | base, pick(random, [2, 12, 0xf8])];
    },
    () => moveTo(random),
    () => [0x87, 0xc0 | (pick(random, BASES) << 3) | pick(random, BASES)],
    () => [0x69, 0xc0 | (EAX << 3) | EDX, ...word(random.u32())],
    () => [0x0f, 0x01, 0x38 | pick(random, [EBX, ESI, EDI])],
    // mov eax, cr3; mov cr3, eax
    () => [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
    () => remap(random),
    // fld1; fldpi; fpatan, which call functions
    () => [0xd9, 0xe8, 0xd9, 0xeb, 0xd9, 0xf3],
  ];
  return pick(random, makers)();
};
const piecesOf = (random: Random, count: number, depth: number): number[] => {
  const code: number[] = [];
  for (let left = count; left > 0; left--) {
    const kind = random.below(12);
    if (kind < 7) code.push(...access(random));
    else if (kind < 8) code.push(...other(random));
    else if (kind < 10 || depth === 0) {
      const skipped = piecesOf(random, random.between(1, 3), 0);
      if (random.below(3) === 0) skipped.push(...remap(random));
      if (random.below(4) === 0) skipped.push(...moveTo(random));
      // test al, 1 or test dl, 2, and a jump over some, now and then to others that are then jumped over
      const test = pick(random, [
        [0xa8, 1],
        [0xf6, 0xc2, 2],
      ]);
      if (random.below(2) === 0) code.push(...test, pick(random, [0x74, 0x75]), skipped.length, ...skipped);
      else {
        const otherwise = piecesOf(random, random.between(1, 2), 0);
        const around = [0xeb, otherwise.length];
        code.push(...test, 0x74, skipped.length + around.length, ...skipped, ...around, ...otherwise);
      }
    } else {
      const body = piecesOf(random, random.between(1, 4), depth - 1);
      // push ecx; mov ecx, turns; body; dec ecx; jnz body; pop ecx
      if (body.length < 100)
        code.push(0x51, 0xb9, ...word(random.between(1, 9)), ...body, 0x49, 0x75, 256 - body.length - 3, 0x59);
    }
  }
  return code;
};

describe('memory over branches and loops', () => {
  for (let part = 0; part < 4; part++)
    it(`is the same in both tiers, part ${part + 1}`, () => {
      for (let seed = part; seed < PROGRAMS; seed += 4) {
        const random = new Random(seed);
        const address = (): number => {
          const page = (FIRST_PAGE + random.below(PAGES)) << 12;
          // Often so near a page's end that some of what is accessed is behind it.
          return page + (random.below(2) === 0 ? 4096 - random.below(48) : random.below(4000));
        };
        const addresses = BASES.map(address);
        based = addresses.map((at) => at >>> 12);
        const body = piecesOf(random, random.between(4, 12), 2);
        const code = [...body, 0xe9, ...word(-(body.length + 5))];
        const registers = {
          ...Object.fromEntries(BASES.map((base, i) => [base, addresses[i]!])),
          [EAX]: random.u32() | 0,
          [EDX]: random.u32() | 0,
          [ECX]: 0,
          [ESP]: STACK,
        };
        const page = (): number[] => (random.below(3) === 0 ? [(FIRST_PAGE + random.below(PAGES)) << 12] : []);
        const absent = page();
        const readOnly = page().filter((at) => at !== absent[0]);
        const moved = page();
        same({
          code,
          registers,
          absent,
          readOnly,
          prepare: ({ memory }) => {
            for (const at of moved)
              if (at !== absent[0] && at !== readOnly[0]) memory.write32(entryOf(at), ((FIRST_PAGE + 2) << 12) | 3);
          },
          instructions: 701,
          ...(random.below(3) > 0 ? { before: 900 } : {}),
        });
      }
    });
  const loop = (...code: number[]): number[] => [...code, 0xeb, 256 - code.length - 2];
  it('goes by the register as a byte of it was changed on one of two ways', () => {
    // mov bh, 0x61; inc eax; test al, 1; mov edx, [ebx]; mov ecx, [ebx+4]; jz; mov bh, 0x72; add edi, [ebx]; add edi, [ebx+4]
    const before = [0xb7, 0x61, 0x40, 0xa8, 1, 0x8b, 0x13, 0x8b, 0x4b, 4, 0x74, 2, 0xb7, 0x72];
    const code = loop(...before, 0x03, 0x3b, 0x03, 0x7b, 4);
    same({ code, registers: { [EBX]: 0x6100, [ESP]: STACK }, before: 300, instructions: 397 });
  });
  it('goes by the register as a constant was changed on one of two ways', () => {
    // inc eax; test al, 1; mov esi, 0x7000; jz; mov esi, 0x8000; add edx, [esi]; add [esi+8], edx
    const before = [0x40, 0xa8, 1, 0xbe, ...word(0x7000), 0x74, 5, 0xbe, ...word(0x8000)];
    const code = loop(...before, 0x03, 0x16, 0x01, 0x56, 8);
    const prepare = ({ memory }: BareProcessor): void => memory.write32(entryOf(0x8000), 0x9003);
    same({ code, registers: { [ESP]: STACK }, before: 300, instructions: 397, prepare });
  });
});
