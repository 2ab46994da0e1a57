// Lines of the disassembler in both syntaxes, its structure, names of addresses, and what is no instruction. Every encoding is compared
// with iced-x86 in test/conformance/disassembly.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EBX, ECX, ES, FS } from '../../cpu/state.ts';
import { DecodeResult } from '../decode.ts';
import { opcodeTable } from '../table.ts';
import { Disassembler, type Disassembly } from './disassembler.ts';
import type { Syntax } from './names.ts';

const disassembler = new Disassembler(opcodeTable);
const EIP = 0xc0100000;
interface Options {
  readonly code32?: boolean;
  readonly symbolize?: (address: number) => string | undefined;
}
const disassemble = (hex: string, syntax: Syntax, { code32 = true, symbolize }: Options = {}): Disassembly => {
  const bytes = hex.split(' ').map((b) => parseInt(b, 16));
  return disassembler.disassemble({
    fetch: (i) => bytes[i] ?? -1,
    code32,
    eip: EIP,
    syntax,
    ...(symbolize && { symbolize }),
  });
};

describe('disassembler', () => {
  // prettier-ignore
  const LINES: readonly (readonly [string, string, string])[] = [
    ['8b 44 8b 10', 'mov eax, dword ptr [ebx+ecx*4+0x10]', 'mov 0x10(%ebx,%ecx,4), %eax'],
    ['c7 45 fc 01 00 00 00', 'mov dword ptr [ebp-0x4], 0x1', 'movl $0x1, -0x4(%ebp)'],
    ['80 3d 00 30 10 c0 00', 'cmp byte ptr [0xc0103000], 0x0', 'cmpb $0x0, 0xc0103000'],
    ['83 ec 1c', 'sub esp, 0x1c', 'sub $0x1c, %esp'],
    ['64 a1 14 00 00 00', 'mov eax, dword ptr fs:[0x14]', 'mov %fs:0x14, %eax'],
    ['66 89 c8', 'mov ax, cx', 'mov %cx, %ax'],
    ['67 8b 42 ff', 'mov eax, dword ptr [bp+si-0x1]', 'mov -0x1(%bp,%si), %eax'],
    ['0f b7 06', 'movzx eax, word ptr [esi]', 'movzwl (%esi), %eax'],
    ['98', 'cwde', 'cwtl'],
    ['66 98', 'cbw', 'cbtw'],
    ['66 6a ff', 'pushw 0xffff', 'pushw $0xffff'],
    ['1e', 'push ds', 'push %ds'],
    ['cf', 'iretd', 'iret'],
    ['f3 a5', 'rep movsd', 'rep movsl (%esi), (%edi)'],
    ['f2 ae', 'repne scasb', 'repne scas (%edi), %al'],
    ['65 a5', 'movs dword ptr es:[edi], dword ptr gs:[esi]', 'movsl %gs:(%esi), %es:(%edi)'],
    ['f0 0f b1 0a', 'lock cmpxchg dword ptr [edx], ecx', 'lock cmpxchg %ecx, (%edx)'],
    ['e8 fb 00 00 00', 'call 0xc0100100', 'call 0xc0100100'],
    ['66 e8 fc 00', 'call 0x0100', 'callw 0x0100'],
    ['67 e3 0d', 'jcxz 0xc0100010', 'jcxz 0xc0100010'],
    ['2e 74 0d', 'hint-not-taken je 0xc0100010', 'je,pn 0xc0100010'],
    ['ff 14 85 00 20 10 c0', 'call dword ptr [eax*4-0x3fefe000]', 'call *-0x3fefe000(,%eax,4)'],
    ['ea 00 10 00 00 08 00', 'jmp 0x0008:0x00001000', 'ljmp $0x0008, $0x00001000'],
    ['26 40', 'es inc eax', 'es inc %eax'],
    ['dc e9', 'fsub st(1), st', 'fsubr %st, %st(1)'],
    ['df 6d 08', 'fild qword ptr [ebp+0x8]', 'fildll 0x8(%ebp)'],
    ['0f 6f 04 24', 'movq mm0, qword ptr [esp]', 'movq (%esp), %mm0'],
    ['66 0f 70 c8 1b', 'pshufd xmm1, xmm0, 0x1b', 'pshufd $0x1b, %xmm0, %xmm1'],
    ['f2 0f c2 c1 01', 'cmpltsd xmm0, xmm1', 'cmpltsd %xmm1, %xmm0'],
    ['f2 0f 7c c1', 'haddps xmm0, xmm1', 'haddps %xmm1, %xmm0'],
    ['0f 20 d8', 'mov eax, cr3', 'mov %cr3, %eax'],
    ['0f 01 c1', 'vmcall', 'vmcall'],
    ['66 0f c7 75 f8', 'vmclear qword ptr [ebp-0x8]', 'vmclear -0x8(%ebp)'],
  ];
  for (const [hex, intel, att] of LINES)
    it(intel, () => {
      assert.equal(disassemble(hex, 'intel').text, intel);
      assert.equal(disassemble(hex, 'att').text, att);
      assert.equal(disassemble(hex, 'intel').length, hex.split(' ').length);
    });

  it('16-bit code', () => {
    const text = (hex: string, syntax: Syntax): string => disassemble(hex, syntax, { code32: false }).text;
    assert.equal(text('66 ea 00 00 10 00 08 00', 'intel'), 'jmp 0x0008:0x00100000');
    assert.equal(text('66 ea 00 00 10 00 08 00', 'att'), 'ljmpl $0x0008, $0x00100000');
    assert.equal(text('66 c3', 'intel'), 'retd');
    assert.equal(text('66 c3', 'att'), 'retl');
    assert.equal(text('0f 01 16 00 70', 'intel'), 'lgdt fword ptr [0x7000]');
  });
  it('names of addresses', () => {
    const names = new Map([[0xc0100100, 'start_kernel+0x10'], [0xc0103000, 'jiffies']]); // prettier-ignore
    const options = { symbolize: (address: number) => names.get(address) };
    assert.equal(disassemble('e8 fb 00 00 00', 'intel', options).text, 'call 0xc0100100 <start_kernel+0x10>');
    assert.equal(disassemble('a1 00 30 10 c0', 'intel', options).text, 'mov eax, dword ptr [0xc0103000] <jiffies>');
    assert.equal(disassemble('a1 00 30 10 c0', 'att', options).text, 'mov 0xc0103000 <jiffies>, %eax');
    assert.equal(disassemble('eb 00', 'intel', options).text, 'jmp 0xc0100002');
  });
  it('structure: target, memory operand', () => {
    assert.equal(disassemble('0f 85 fa ff ff ff', 'intel').target, EIP);
    assert.equal(disassemble('ff e0', 'intel').target, undefined);
    const { mnemonic, operands, memory } = disassemble('64 0f b6 44 8b f0', 'intel');
    assert.deepEqual([mnemonic, operands], ['movzx', 'eax, byte ptr fs:[ebx+ecx*4-0x10]']);
    const expected = { segment: FS, base: EBX, index: ECX, scale: 4, displacement: -16, addressSize: 32, bits: 8 };
    assert.deepEqual(memory, expected);
    assert.equal(disassemble('aa', 'intel').memory?.segment, ES);
    assert.equal(disassemble('0f 01 7d 00', 'intel').memory?.bits, 0, 'INVLPG accesses nothing');
    assert.equal(disassemble('89 c8', 'intel').memory, undefined);
  });
  it('what is no instruction', () => {
    const what = (hex: string): unknown => {
      const { result, text, length } = disassemble(hex, 'att');
      return [result, text, length];
    };
    assert.deepEqual(what('0f 04'), [DecodeResult.undefined, '(bad)', 2]);
    assert.deepEqual(what('8e c8'), [DecodeResult.undefined, '(bad)', 2], 'MOV CS');
    assert.deepEqual(what('f0 89 c8'), [DecodeResult.undefined, '(bad)', 3], 'LOCK MOV');
    assert.deepEqual(what('66 '.repeat(15) + '90'), [DecodeResult.tooLong, '(bad: longer than 15 bytes)', 15]);
    assert.deepEqual(what('8b 44'), [DecodeResult.fetchFault, '(bytes not readable)', 2]);
  });
});
