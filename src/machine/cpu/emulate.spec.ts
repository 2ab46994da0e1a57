// Processor.emulate, the hypervisor's instruction emulator: every form that stores has the same effect through the callbacks as when it
// runs directly, asks before a read-modify-write, and changes nothing when it is refused.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { NO_VMX } from '../vmx/hooks.ts';
import { EBX, ECX, EDI, ESI, ESP, StateLayout } from './state.ts';
import type { LinearAccess } from './linear-access.ts';

const CODE = 0x1000;
const DATA = 0x8000;
const STACK = 0xb000;
const BORDER = 0x9000;
const RAM = 1 << 16;

/** [ebx+disp8], the register field free. */
const MEM = 0x43;
interface Form {
  readonly name: string;
  /** Opcode with prefixes; then ModRM unless `plain`; then immediate bytes. */
  readonly opcode: readonly number[];
  /** /digit; undefined: any register. */
  readonly digit?: number;
  readonly plain?: true;
  readonly immediate?: number;
  /** It reads what it writes. */
  readonly modifies?: true;
}
const sizes = (
  name: string,
  low: readonly number[],
  rest: Omit<Form, 'name' | 'opcode'> = {},
  wideImmediate = false,
): Form[] => {
  const wide = [...low.slice(0, -1), low.at(-1)! + 1];
  const immediate = rest.immediate;
  return [
    { ...rest, name: `${name} m8`, opcode: low },
    {
      ...rest,
      name: `${name} m16`,
      opcode: [0x66, ...wide],
      ...(wideImmediate ? { immediate: 2 } : { immediate: immediate ?? 0 }),
    },
    {
      ...rest,
      name: `${name} m32`,
      opcode: wide,
      ...(wideImmediate ? { immediate: 4 } : { immediate: immediate ?? 0 }),
    },
  ];
};
const modifies = true;
const forms: readonly Form[] = [
  ...sizes('mov', [0x88]),
  ...sizes('mov imm', [0xc6], { digit: 0, immediate: 1 }, true),
  ...sizes('xchg', [0x86], { modifies }),
  ...sizes('cmpxchg', [0x0f, 0xb0], { modifies }),
  ...sizes('lock cmpxchg', [0xf0, 0x0f, 0xb0], { modifies }),
  { name: 'cmpxchg8b', opcode: [0x0f, 0xc7], digit: 1, modifies },
  { name: 'lock cmpxchg8b', opcode: [0xf0, 0x0f, 0xc7], digit: 1, modifies },
  ...sizes('xadd', [0x0f, 0xc0], { modifies }),
  ...['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor'].flatMap((name, i) => sizes(name, [i << 3], { modifies })),
  ...['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor'].flatMap((name, digit) => sizes(`${name} imm`, [0x80], { digit, immediate: 1, modifies }, true)),
  ...sizes('lock or', [0xf0, 0x08], { modifies }),
  ...['inc', 'dec'].flatMap((name, digit) => sizes(name, [0xfe], { digit, modifies })),
  ...['not', 'neg'].flatMap((name, i) => sizes(name, [0xf6], { digit: 2 + i, modifies })),
  ...['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'].flatMap((name, digit) => sizes(`${name} imm`, [0xc0], { digit, immediate: 1, modifies })),
  ...sizes('shl cl', [0xd2], { digit: 4, modifies }),
  ...(['bts', 'btr', 'btc'] as const).flatMap((name, i) => [
    { name: `${name} imm`, opcode: [0x0f, 0xba], digit: 5 + i, immediate: 1, modifies } as const,
    { name: `lock ${name} imm m16`, opcode: [0xf0, 0x66, 0x0f, 0xba], digit: 5 + i, immediate: 1, modifies } as const,
  ]),
  { name: 'shld', opcode: [0x0f, 0xa4], immediate: 1, modifies },
  { name: 'shrd', opcode: [0x0f, 0xac], immediate: 1, modifies },
  { name: 'setz', opcode: [0x0f, 0x94], digit: 0 },
  { name: 'setb', opcode: [0x0f, 0x92], digit: 0 },
  { name: 'pop m32', opcode: [0x8f], digit: 0 },
  { name: 'push m32', opcode: [0xff], digit: 6 },
  { name: 'push r32', opcode: [0x51], plain: true },
  { name: 'push r16', opcode: [0x66, 0x51], plain: true },
  { name: 'push imm', opcode: [0x68], plain: true, immediate: 4 },
  { name: 'pushf', opcode: [0x9c], plain: true },
  { name: 'stosb', opcode: [0xaa], plain: true },
  { name: 'stosw', opcode: [0x66, 0xab], plain: true },
  { name: 'stosd', opcode: [0xab], plain: true },
  { name: 'movsb', opcode: [0xa4], plain: true },
  { name: 'movsw', opcode: [0x66, 0xa5], plain: true },
  { name: 'movsd', opcode: [0xa5], plain: true },
  { name: 'movd', opcode: [0x0f, 0x7e] },
  { name: 'movq mmx', opcode: [0x0f, 0x7f] },
  { name: 'movntq', opcode: [0x0f, 0xe7] },
  { name: 'movd xmm', opcode: [0x66, 0x0f, 0x7e] },
  { name: 'movq xmm', opcode: [0x66, 0x0f, 0xd6] },
  { name: 'movdqu', opcode: [0xf3, 0x0f, 0x7f] },
  { name: 'movups', opcode: [0x0f, 0x11] },
  { name: 'movss', opcode: [0xf3, 0x0f, 0x11] },
  { name: 'movsd xmm', opcode: [0xf2, 0x0f, 0x11] },
  { name: 'movlps', opcode: [0x0f, 0x13] },
  { name: 'movnti', opcode: [0x0f, 0xc3] },
]; // prettier-ignore

interface Setup {
  readonly registers: readonly number[];
  readonly flags: number;
  readonly address: number;
  readonly displacement: number;
  readonly reg: number;
  readonly immediate: readonly number[];
  readonly fill: number;
}
const word = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(0, 1, -1, 0x7fffffff, -(2 ** 31), 0x80),
);
const setup: fc.Arbitrary<Setup> = fc.record({
  registers: fc.array(word, { minLength: 8, maxLength: 8, size: 'max' }),
  flags: fc.nat(0xfff).map((f) => (f & 0x8d5) | 2 | (f & 0x400)),
  // Inside a page, or over the border of two.
  address: fc.oneof(fc.integer({ min: DATA, max: BORDER - 32 }), fc.integer({ min: BORDER - 17, max: BORDER })),
  displacement: fc.integer({ min: -128, max: 127 }),
  reg: fc.nat(7),
  immediate: fc.array(fc.nat(255), { minLength: 4, maxLength: 4, size: 'max' }),
  fill: fc.nat(0xffffffff),
});

describe('emulated stores', () => {
  const machine = new BareProcessor(RAM);
  const { cpu, memory, processor } = machine;
  const s = cpu.s;
  const mode = { ...NO_VMX, nonRoot: false };
  before(() => {
    cpu.vmx = mode;
  });
  const image = memory.ram.slice();

  const prepare = (form: Form, c: Setup): number => {
    const words = new Uint32Array(image.buffer, DATA, 0x4000 / 4);
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e3779b1) ^ c.fill;
    image.fill(0, CODE, CODE + 16);
    const modrm = form.plain ? [] : [MEM | ((form.digit ?? c.reg) << 3), c.displacement & 0xff];
    const bytes = [...form.opcode, ...modrm, ...c.immediate.slice(0, form.immediate ?? 0)];
    image.set(bytes, CODE);
    return bytes.length;
  };
  const place = (c: Setup): void => {
    memory.ram.set(image);
    processor.forgetCode(CODE >>> 12);
    c.registers.forEach((value, i) => s.setGpr(i, value));
    s.setGpr(EBX, c.address - c.displacement);
    s.setGpr(EDI, c.address);
    s.setGpr(ESI, BORDER + 0x800);
    s.setGpr(ESP, STACK);
    if (c.registers[0]! & 1) s.setGpr(0, memory.ram[c.address]! | (memory.ram[c.address + 1]! << 8) | (memory.ram[c.address + 2]! << 16) | (memory.ram[c.address + 3]! << 24)); // prettier-ignore
    for (let i = 0; i < 64; i++) s.u32[(StateLayout.fpuRegisters >> 2) + i] = i % 4 < 2 ? Math.imul(i + 3, c.fill) : 0;
    for (let i = 0; i < 32; i++) s.u32[(StateLayout.xmm >> 2) + i] = Math.imul(i + 7, c.fill ^ 0x1234567);
    s.set(StateLayout.fpuTop, 0);
    s.set(StateLayout.fpuTags, 0);
    s.set(StateLayout.fpuStatus, 0);
    s.eflags = c.flags;
    s.eip = CODE;
    cpu.clearFault();
    machine.faults.length = 0;
  };
  const registers = (): unknown => [
    Array.from({ length: 8 }, (_, i) => s.gpr(i)),
    s.eip,
    s.eflags,
    s.get(StateLayout.fpuTop),
    s.get(StateLayout.fpuTags),
    s.get(StateLayout.fpuStatus),
    Array.from(s.u32.subarray(StateLayout.fpuRegisters >> 2, (StateLayout.fpuRegisters >> 2) + 32)),
    Array.from(s.u32.subarray(StateLayout.xmm >> 2, (StateLayout.xmm >> 2) + 32)),
  ];

  const shadow = image.slice();
  type Call = readonly ['read' | 'write' | 'probe', number, number];
  const calls: Call[] = [];
  let refuseAt = Infinity;
  /** Every access that touches this page or a later one is refused. */
  let refuseFrom = Infinity;
  const refused = (linear: number, size: number): boolean => calls.length > refuseAt || linear + size > refuseFrom;
  const access: LinearAccess = {
    refusesHandlers: true,
    read: (linear, size) => {
      calls.push(['read', linear, size]);
      if (refused(linear, size)) return (void cpu.raise(14, 4), -1);
      let value = 0;
      for (let i = 0; i < size; i++) value += shadow[linear + i]! * 2 ** (8 * i);
      return value;
    },
    write: (linear, size, value) => {
      calls.push(['write', linear, size]);
      if (refused(linear, size)) return cpu.raise(14, 6);
      for (let i = 0; i < size; i++) shadow[linear + i] = (value >>> (8 * i)) & 0xff;
      return true;
    },
    probeWrite: (linear, size) => {
      calls.push(['probe', linear, size]);
      return refused(linear, size) ? cpu.raise(14, 6) : true;
    },
  };
  const emulate = (): string => {
    shadow.set(image);
    calls.length = 0;
    return processor.emulate(mode, access, (linear) => image[linear]!);
  };

  for (const form of forms)
    it(form.name, () => {
      fc.assert(
        fc.property(setup, (c) => {
          const length = prepare(form, c);
          place(c);
          processor.step();
          assert.deepEqual(machine.faults, []);
          const expected = registers();
          const ram = memory.ram.slice();
          assert.equal(s.eip, CODE + length);

          place(c);
          const { retired } = processor;
          refuseAt = Infinity;
          assert.equal(emulate(), 'done');
          assert.deepEqual(registers(), expected);
          assert.ok(Buffer.compare(shadow, ram) === 0, 'memory through the callbacks');
          assert.ok(Buffer.compare(memory.ram, image) === 0, 'no store went past them');
          assert.deepEqual([processor.retired, mode.nonRoot, cpu.mmu.access], [retired, false, undefined]);
          const writes = calls.filter(([kind]) => kind === 'write');
          assert.ok(writes.length > 0);
          for (const [, linear, size] of calls.filter(([kind]) => kind !== 'probe')) {
            assert.ok(size === 1 || size === 2 || size === 4);
            assert.ok((linear & 0xfff) + size <= 4096, 'one access, one page');
          }
          if (form.modifies) assert.equal(calls[0]![0], 'probe', 'the write is asked for before the read');

          // Refused at the first access: a fault, and nothing has changed.
          place(c);
          const untouched = registers();
          refuseAt = 0;
          assert.equal(emulate(), 'fault');
          assert.equal(s.get(StateLayout.faultVector), 15);
          assert.deepEqual(registers(), untouched);
          assert.ok(Buffer.compare(shadow, image) === 0, 'nothing was stored');
          cpu.clearFault();
        }),
        { numRuns: 40, seed: 31 },
      );
    });

  it('a store across pages whose second is refused stores nothing in the first', () => {
    const crossing = fc
      .tuple(setup, fc.integer({ min: 1, max: 15 }))
      .map(([c, back]) => ({ ...c, address: BORDER - back }));
    fc.assert(
      fc.property(
        fc.constantFrom(...forms.filter((f) => !f.plain && !f.name.startsWith('push'))),
        crossing,
        (form, c) => {
          prepare(form, c);
          place(c);
          refuseAt = Infinity;
          refuseFrom = Infinity;
          assert.equal(emulate(), 'done');
          const across = calls.some(([kind, linear, size]) => kind !== 'read' && linear + size > BORDER);
          place(c);
          const untouched = registers();
          refuseFrom = BORDER;
          const result = emulate();
          refuseFrom = Infinity;
          cpu.clearFault();
          if (!across) return;
          assert.equal(result, 'fault', form.name);
          assert.ok(Buffer.compare(shadow, image) === 0, `${form.name}: a part was stored`);
          assert.deepEqual(registers(), untouched, form.name);
        },
      ),
      { numRuns: 1500, seed: 33 },
    );
  });
  it('BTS with a register: the bit string reaches beyond the operand', () => {
    fc.assert(
      fc.property(setup, fc.integer({ min: -4096, max: 4096 }), fc.constantFrom(0xab, 0xb3, 0xbb), (c, bit, opcode) => {
        prepare({ name: '', opcode: [0x0f, opcode], digit: ECX }, { ...c, address: DATA + 0x800 });
        const fixed = { ...c, address: DATA + 0x800 };
        const arrange = (): void => {
          place(fixed);
          s.setGpr(ECX, bit);
        };
        arrange();
        processor.step();
        const expected = registers();
        const ram = memory.ram.slice();
        arrange();
        refuseAt = Infinity;
        assert.equal(emulate(), 'done');
        assert.deepEqual(registers(), expected);
        assert.ok(Buffer.compare(shadow, ram) === 0);
      }),
      { numRuns: 200, seed: 32 },
    );
  });
  it('INT n, INT3 and INT1 enter a handler: that is not for the emulator', () => {
    for (const opcode of [[0xcd, 0x80], [0xcc], [0xf1]]) {
      prepare({ name: '', opcode, plain: true }, { ...fc.sample(setup, { numRuns: 1, seed: 1 })[0]! });
      place(fc.sample(setup, { numRuns: 1, seed: 1 })[0]!);
      const untouched = registers();
      assert.equal(emulate(), 'unhandled');
      assert.deepEqual(registers(), untouched);
      assert.ok(Buffer.compare(shadow, image) === 0, 'nothing was pushed');
    }
  });
});
