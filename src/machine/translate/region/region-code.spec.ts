// What regions know while they are emitted (shared TLB lookups, bytes of registers, carries that INC keeps, tables of jumps) changes nothing: each
// program runs in both tiers, and registers, flags, memory and faults are the same.

import { describe, it } from 'node:test';
import type { BareProcessor } from '../../../../test/support/bare-processor.ts';
import { CODE, entryOf, same, word } from '../../../../test/support/both-tiers.ts';
import { EAX, EBX, ECX, EDI, EDX, ESI, ESP } from '../../cpu/state.ts';

const TABLE = 0x8f00;

/** mov eax, [ebx]; add eax, [ebx+4]; mov [ebx+8], eax; add ebx, edx; jmp to the start */
const SHARED = [0x8b, 0x03, 0x03, 0x43, 0x04, 0x89, 0x43, 0x08, 0x01, 0xd3, 0xeb, 0xf4];
/** mov eax, [ebx+4]; mov ecx, ebx; add ebx, 4; add eax, [ebx-4]; mov ebx, [ecx]; add esi, eax; jmp to the start */
const LIST = [0x8b, 0x43, 0x04, 0x89, 0xd9, 0x83, 0xc3, 0x04, 0x03, 0x43, 0xfc, 0x8b, 0x19, 0x01, 0xc6, 0xeb, 0xef];
/** push eax; push ecx; mov edx, [esp+4]; add [esp], edx; pop ecx; pop eax; inc eax; add esp, esi; jmp to the start */
const STACK = [0x50, 0x51, 0x8b, 0x54, 0x24, 4, 0x01, 0x14, 0x24, 0x59, 0x58, 0x40, 0x01, 0xf4, 0xeb, 0xf0];

describe('regions and the threaded tier agree', () => {
  for (const [what, pages] of [
    ['in two pages', {}],
    ['in an absent page', { absent: [0x9000] }],
    ['in a read-only page', { readOnly: [0x9000] }],
  ] as const) {
    it(`on accesses near each other ${what}`, () => {
      for (let start = 0x8fe0; start < 0x9000; start++)
        same({ code: SHARED, registers: { [EBX]: start - 64, [EDX]: 1 }, ...pages });
    });
    it(`on a list ${what}`, () => {
      // Nodes that lie apart, some of them over the edge of two pages.
      const prepare = ({ memory }: BareProcessor): void => {
        for (let at = 0x6001; at < 0xa000; at += 0x3ff) memory.write32(at, at + 0x3ff);
      };
      same({ code: LIST, registers: { [EBX]: 0x6001 }, prepare, ...pages });
    });
    it(`on a stack ${what}`, () => {
      for (const step of [-1, 1, 4, -4])
        same({ code: STACK, registers: { [ESP]: 0x9000 - 40 * step, [EAX]: 5, [ECX]: 7, [ESI]: step }, ...pages });
    });
    it(`on a table ${what}`, () => {
      // movzx ecx, al; mov edx, [ecx*4+table]; xor esi, edx; movzx edx, byte [ecx+8fc0h]; add al, dl; inc eax; jmp to the start
      const code = [
        0x0f,
        0xb6,
        0xc8,
        0x8b,
        0x14,
        0x8d,
        word(TABLE),
        0x31,
        0xd6,
        0x0f,
        0xb6,
        0x91,
        word(0x8fc0),
        0x00,
        0xd0,
      ];
      same({ code: [...code, 0x40, 0xeb, 0xe8], registers: { [EAX]: 3 }, ...pages });
    });
  }
  it('on a page that a store moves, as its translation was dropped only for stores', () => {
    // mov dword [edi], 9003h; invlpg [ebx]; mov edx, [esi]; mov eax, [ebx]; mov dword [edi], 0a003h; mov [esi], ecx; add eax, [ebx+4]; add ebp, eax; jmp to the start
    const code = [
      ...[
        0xc7,
        0x07,
        ...word(0x9003),
        0x0f,
        0x01,
        0x3b,
        0x8b,
        0x16,
        0x8b,
        0x03,
        0xc7,
        0x07,
        ...word(0xa003),
        0x89,
        0x0e,
      ],
      ...[0x03, 0x43, 0x04, 0x01, 0xc5, 0xeb, 0xe4],
    ];
    same({ code, registers: { [EBX]: 0x9010, [ESI]: 0x9100, [EDI]: entryOf(0x9000), [ECX]: 0x1234 } });
  });
  it('on carries that INC and DEC keep', () => {
    // add eax, edx; inc ecx; mov ebp, [ebx]; dec esi; adc edi, 0; add ebx, 4; jmp to the start
    const carry = [0x01, 0xd0, 0x41, 0x8b, 0x2b, 0x4e, 0x83, 0xd7, 0, 0x83, 0xc3, 4, 0xeb, 0xf2];
    // The same with nothing that sets CF inside the loop: mov ebp, [ebx]; inc ecx; lea ebx, [ebx+4]; jnz to the start; inc edi; jmp to the start
    const kept = [0x8b, 0x2b, 0x41, 0x8d, 0x5b, 4, 0x75, 0xf8, 0x47, 0xeb, 0xf5];
    for (const code of [carry, kept, [0xf9, 0x90, ...kept], [0x39, 0xc0, ...kept]])
      for (const edx of [1, 0x7fffffff, -1])
        same({
          code,
          registers: { [EBX]: 0x8000, [EAX]: 0x80000000, [EDX]: edx, [ECX]: -100 },
          absent: [0x9000],
          instructions: 5000,
        });
  });
  it('on flags in a loop of one node, at a fault in any of its turns', () => {
    // start: mov ecx, 7 | turn: mov eax, [ebx]; add ebx, 4; a step; the end of the turn, with jnz to it | inc edi; jmp to the start
    const steps = [
      [0x01, 0xc6], // add esi, eax
      [0xc1, 0xc0, 3], // rol eax, 3
      [0xd3, 0xe0], // shl eax, cl
      [0x31, 0xc6], // xor esi, eax
      [0xd1, 0xd8], // rcr eax, 1
      [0xd1, 0xf8, 0x11, 0xc6], // sar eax, 1; adc esi, eax
      [],
    ];
    const ends = [
      [0x49], // dec ecx
      [0x83, 0xe9, 1, 0x83, 0xf9, 0], // sub ecx, 1; cmp ecx, 0
      [0x49, 0x85, 0xc9], // dec ecx; test ecx, ecx
    ];
    for (const step of steps)
      for (const end of ends)
        for (const first of [0x8f00, 0x8fe4]) {
          const turn = [0x8b, 0x03, 0x83, 0xc3, 4, ...step, ...end];
          const loop = [...turn, 0x75, 256 - turn.length - 2, 0x47];
          const code = [0xb9, ...word(7), ...loop, 0xeb, 256 - loop.length - 7];
          same({ code, registers: { [EBX]: first - 4000, [ESI]: 1 }, absent: [0x9000], instructions: 4000 });
        }
  });
  it('on bytes of registers', () => {
    // add al, ah; mov ah, bl; xchg al, ah; movzx ecx, al; add cl, ch; mov [edi], eax; lea ebx, [ebx+eax]; inc bl; mov dl, ah; add esi, edx; jmp
    const code = [
      0x00, 0xe0, 0x88, 0xdc, 0x86, 0xc4, 0x0f, 0xb6, 0xc8, 0x00, 0xe9, 0x89, 0x07, 0x8d, 0x1c, 0x03, 0xfe, 0xc3,
    ];
    same({
      code: [...code, 0x88, 0xe2, 0x01, 0xd6, 0xeb, 0xe8],
      registers: { [EAX]: 0x1234, [EBX]: 0x77, [EDI]: 0x8000 },
    });
  });
  it('on a pointer whose low byte changes beside a copy of it, with a slow path between', () => {
    // start: mov esi, ebx; mov bl, al; mov ebp, [edi]; mov edx, [esi]; add edx, [esi+4]; add ecx, edx; mov ecx, [ebx]; add ecx, [ebx+4]; add al, 4; jmp to the start
    const code = [0x89, 0xde, 0x88, 0xc3, 0x8b, 0x2f, 0x8b, 0x16, 0x03, 0x56, 4, 0x01, 0xd1, 0x8b, 0x0b, 0x03, 0x4b, 4];
    // EDI is in one page, or over the border of two.
    for (const edi of [0x8f00, 0x8ffe])
      same({ code: [...code, 0x04, 4, 0xeb, 0xea], registers: { [EBX]: 0x6010, [EDI]: edi, [EAX]: 0x22 } });
  });
  it('on jumps and calls through a table, which changes', () => {
    // start: inc eax; mov ecx, eax; and ecx, 3; jmp [ecx*4+table] | four ways, 16 bytes each: add esi, n; jmp start | the fourth calls the first
    // of two functions by a second table, and changes both tables.
    const way = (n: number, at: number): number[] => [0x83, 0xc6, n, 0xe9, ...word(CODE - (at + 8))];
    const at = [0x1040, 0x1050, 0x1060, 0x1070];
    const start = [0x40, 0x89, 0xc1, 0x83, 0xe1, 3, 0xff, 0x24, 0x8d, ...word(TABLE)];
    // mov ebx, [8f20h]; xchg ebx, [8f24h]; mov [8f20h], ebx; mov edx, [table]; xchg edx, [table+4]; mov [table], edx; mov ecx, esi;
    // and ecx, 1; call [ecx*4+8f20h]; jmp start
    const changes = [
      ...[0x8b, 0x1d, ...word(0x8f20), 0x87, 0x1d, ...word(0x8f24), 0x89, 0x1d, ...word(0x8f20)],
      ...[0x8b, 0x15, ...word(TABLE), 0x87, 0x15, ...word(TABLE + 4), 0x89, 0x15, ...word(TABLE)],
      ...[0x89, 0xf1, 0x83, 0xe1, 1, 0xff, 0x14, 0x8d, ...word(0x8f20)],
    ];
    same({
      code: start,
      registers: { [ESP]: 0xf000 },
      prepare: (machine) => {
        at.slice(0, 3).forEach((address, i) => machine.load(address, way(i + 1, address)));
        machine.load(at[3]!, [...changes, 0xe9, ...word(CODE - (at[3]! + changes.length + 5))]);
        at.forEach((address, i) => machine.memory.write32(TABLE + 4 * i, address));
        machine.load(0x3000, [0x83, 0xc7, 5, 0xc3]); // add edi, 5; ret
        machine.load(0x4000, [0x31, 0xc7, 0xc3]); // xor edi, eax; ret
        machine.memory.write32(0x8f20, 0x3000);
        machine.memory.write32(0x8f24, 0x4000);
      },
      instructions: 3000,
    });
  });
  it('on returns to what was pushed, and on jumps to what a register got, right or changed between', () => {
    // start: inc eax; push 1040h; mov ecx, eax; and ecx, esi; add [esp], ecx; ret | 1040h and behind: three NOPs; mov edi, 1080h; sub edi, ecx;
    // call edi; add ebp, edi; push eax; pop ecx; jmp to the start | 107dh and behind: three times inc edx; push 10a0h; xor [esp], ebx; ret
    // | 10a0h: ret; ret, for EBX of 1 the second
    for (const mask of [0, 1, 3])
      for (const flip of [0, 1])
        same({
          code: [0x40, 0x68, ...word(0x1040), 0x89, 0xc1, 0x21, 0xf1, 0x01, 0x0c, 0x24, 0xc3],
          registers: { [ESP]: 0xf000, [ESI]: mask, [EBX]: flip },
          prepare: (machine) => {
            machine.load(0x1040, [0x90, 0x90, 0x90, 0xbf, ...word(0x1080), 0x29, 0xcf, 0xff, 0xd7, 0x01, 0xfd]);
            machine.load(0x104e, [0x50, 0x59, 0xe9, ...word(CODE - 0x1055)]);
            machine.load(0x107d, [0x42, 0x42, 0x42, 0x68, ...word(0x10a0), 0x31, 0x1c, 0x24, 0xc3]);
            machine.load(0x10a0, [0xc3, 0xc3]);
          },
          instructions: 3000,
        });
  });
});
