// Instructions that set, keep, change or read flags, and that have bytes and words of registers, in any order and with jumps between them: random loops come to
// the same in both tiers, whatever the form in which the region tier has flags and registers at the places where it is left.

import { describe, it } from 'node:test';
import { Random } from '../../../../test/fuzz/random.ts';
import { same } from '../../../../test/support/both-tiers.ts';
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI } from '../../cpu/state.ts';

const PROGRAMS = 400;
/** Of instructions between the loop's start and its end, at most. */
const LONGEST = 14;
/** ModRM digits: EBX is the pointer, and ESP is left alone. AL CL DL AH CH DH. */
const REGISTERS = [EAX, ECX, EDX, EBP, ESI, EDI] as const;
const BYTES = [0, 1, 2, 4, 5, 6] as const;
/** lea ebx, [ebx+4] */
const STEP = [0x8d, 0x5b, 4];

const instructionOf = (random: Random): number[] => {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const size = pick([8, 8, 16, 32, 32]);
  const wide = size === 8 ? 0 : 1;
  const prefix = size === 16 ? [0x66] : [];
  const register = (): number => pick<number>(size === 8 ? BYTES : REGISTERS);
  const both = (reg = register(), rm = register()): number => 0xc0 | (reg << 3) | rm;
  const word = size === 8 ? 32 : size;
  const wordPrefix = word === 16 ? [0x66] : [];
  const words = (): number => 0xc0 | (pick(REGISTERS) << 3) | pick(REGISTERS);
  /** [ebx], in a page whose neighbour is absent. */
  const memory = (reg: number): number => (reg << 3) | EBX;
  const byte = (): number => random.below(256);
  const alu = random.below(8) * 8;
  const makers: (() => number[])[] = [
    () => [...prefix, alu | wide, both()],
    () => [...prefix, alu | wide, both()],
    () => [...prefix, alu | 2 | wide, memory(register())],
    () => [...prefix, alu | wide, memory(register())],
    () => [...prefix, size === 8 ? 0x80 : 0x83, both(alu >> 3), byte()],
    () => [...prefix, 0xfe | wide, both(random.below(2))],
    () => [...wordPrefix, 0x40 | (random.below(2) << 3) | pick(REGISTERS)],
    () => [...prefix, 0xc0 | wide, both(random.below(8)), random.below(40)],
    () => [...prefix, 0xd0 | wide, both(random.below(8))],
    () => [...prefix, 0xd2 | wide, both(random.below(8))],
    () => [...wordPrefix, 0x0f, pick([0xa4, 0xac]), words(), random.below(34)],
    () => [...wordPrefix, 0x0f, pick([0xa5, 0xad]), words()],
    () => [...wordPrefix, 0x0f, 0xba, both(4 + random.below(4), pick(REGISTERS)), byte()],
    () => [...wordPrefix, 0x0f, pick([0xa3, 0xab, 0xb3, 0xbb]), words()],
    () => [...wordPrefix, 0x0f, 0xba, memory(4 + random.below(4)), byte()],
    () => [...wordPrefix, 0x0f, pick([0xbc, 0xbd]), words()],
    () => [0x0f, 0x90 | random.below(16), 0xc0 | pick(BYTES)],
    () => [0x0f, 0x90 | random.below(16), 0xc0 | pick(BYTES)],
    () => [...wordPrefix, 0x0f, 0x40 | random.below(16), words()],
    () => [pick([0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0xd6, 0x98, 0x99, 0x27, 0x2f, 0x37, 0x3f])],
    () => [...wordPrefix, pick([0x98, 0x99])],
    () => [pick([0xd4, 0xd5]), 10],
    () => [...wordPrefix, 0x0f, 0xaf, words()],
    () => [...prefix, 0xf6 | wide, both(pick([2, 3, 4, 5]))],
    () => [...prefix, 0x84 | wide, both()],
    () => [...prefix, 0x0f, 0xc0 | wide, both()],
    () => [...prefix, 0x0f, 0xb0 | wide, both()],
    () => [...prefix, 0x0f, 0xb0 | wide, memory(register())],
    () => [...prefix, 0x86 | wide, both()],
    () => [...prefix, 0x88 | wide, both()],
    () => [...prefix, 0x88 | wide, memory(register())],
    () => [...prefix, 0x8a | wide, memory(register())],
    () => [0xb0 | pick(BYTES), byte()],
    () => [...wordPrefix, 0x0f, pick([0xb6, 0xbe]), 0xc0 | (pick(REGISTERS) << 3) | pick(BYTES)],
    () => [0x0f, pick([0xb7, 0xbf]), words()],
    () => [0x8d, 0x44 | (pick(REGISTERS) << 3), (pick(REGISTERS) << 3) | pick(REGISTERS), 1],
  ];
  return pick(makers)();
};

const programOf = (random: Random): number[] => {
  const code: number[] = [];
  for (let left = random.between(3, LONGEST); left > 0; left--) {
    const instruction = instructionOf(random);
    // A conditional jump over it now and then.
    if (random.below(5) === 0) code.push(0x70 | random.below(16), instruction.length);
    code.push(...instruction);
  }
  code.push(...STEP);
  // Some loops end by a condition: the code behind them turns back to the start, too.
  if (random.below(3) === 0) code.push(0x70 | random.below(16), 256 - code.length - 2);
  return [...code, 0xeb, 256 - code.length - 2];
};

/** They set all flags: add, adc, sub, sbb, and, inc, dec, shl, shr, imul, shld eax; add al; dec ah; inc ax; sahf. */
const SETTING = [
  ...[
    [0x01, 0xc8],
    [0x11, 0xc8],
    [0x29, 0xc8],
    [0x19, 0xc8],
    [0x21, 0xc8],
    [0x40],
    [0x48],
    [0xc1, 0xe0, 3],
    [0xd1, 0xe8],
  ],
  ...[[0x0f, 0xaf, 0xc1], [0x0f, 0xa4, 0xc8, 7], [0x00, 0xc8], [0xfe, 0xcc], [0x66, 0x40], [0x9e]],
];
/** They change some of them: bt, stc, cmc, rol, ror, rcl, rcr eax, inc, dec edx, shl eax by CL, bsf. */
const CHANGING = [
  ...[[0x0f, 0xa3, 0xc8], [0xf9], [0xf5], [0xc1, 0xc0, 5], [0xd1, 0xc8], [0xd1, 0xd0], [0xc0, 0xdc, 3], [0x42], [0x4a]],
  ...[[0xd3, 0xe0], [0x0f, 0xbc, 0xd0], []],
];

describe('instructions in any order', () => {
  for (const [set, setting] of SETTING.entries())
    it(`agree on flags that ${Buffer.from(setting).toString('hex')} sets and others change`, () => {
      for (const [at, first] of CHANGING.entries())
        for (const second of [CHANGING[(set + at) % CHANGING.length]!, []]) {
          // setting; first; second; mov ebp, [ebx]; lahf; lea ecx, [ecx+ebp+1]; setcc dl; lea ebx, [ebx+4]; jmp to the start
          const reading = [0x8b, 0x2b, 0x9f, 0x8d, 0x4c, 0x29, 1, 0x0f, 0x90 | ((set + at) & 15), 0xc2];
          const code = [...setting, ...first, ...second, ...reading, ...STEP];
          const registers = { [EAX]: 0x7ffffff0, [ECX]: -3, [EDX]: 14, [EBX]: 0x8fc0 };
          same({ code: [...code, 0xeb, 256 - code.length - 2], registers, absent: [0x9000], instructions: 97 });
        }
    });
  for (let part = 0; part < 4; part++)
    it(`leave the same flags, registers and memory, part ${part + 1}`, () => {
      for (let seed = part; seed < PROGRAMS; seed += 4) {
        const random = new Random(seed);
        const code = programOf(random);
        const registers = Object.fromEntries(REGISTERS.map((register) => [register, random.u32() | 0]));
        // The fault comes after some turns, at any of the accesses.
        const before = 4 * random.between(8, 60) + random.below(4);
        same({ code, registers: { ...registers, [EBX]: 0x9000 - before }, absent: [0x9000], instructions: 97 });
      }
    });
});
