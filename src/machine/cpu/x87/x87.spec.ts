import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DATA, FloatWorld } from '../../../../test/support/float-world.ts';
import { Vector } from '../cpu.ts';
import { Cr0, Cr4, CS, DS, StateLayout } from '../state.ts';
import { Exception } from './float80.ts';
import { setControlWord, Status, statusWord } from './unit.ts';

const world = new FloatWorld();
const fresh = (): FloatWorld => {
  world.reset();
  return world;
};

test('an unmasked exception is raised by the next waiting instruction, not by its own', () => {
  const w = fresh();
  w.memory.write16(DATA, 0x37f & ~Exception.ZE);
  assert.equal(w.run('d9 2b'), undefined); // fldcw
  w.run('d9 e8'); // fld1
  w.run('d9 ee'); // fldz
  assert.equal(w.run('de f9'), undefined); // fdivp: 1 / 0
  assert.equal(statusWord(w.s) & (Exception.ZE | Status.ES | Status.B), Exception.ZE | Status.ES | Status.B);
  assert.equal(w.run('9b'), Vector.MF);
  assert.equal(w.run('d9 e8'), Vector.MF);
  assert.equal(w.run('df e0'), undefined, 'FNSTSW does not wait');
  assert.equal(w.run('db e2'), undefined, 'FNCLEX does not wait');
  assert.equal(w.run('9b'), undefined);
});

test('#NM: CR0.EM or TS for the instructions, MP with TS for FWAIT', () => {
  const cases: readonly [number, string, number | undefined][] = [
    [Cr0.EM, 'd9 e8', Vector.NM],
    [Cr0.TS, 'd9 e8', Vector.NM],
    [Cr0.TS, 'db e3', Vector.NM],
    [Cr0.EM, '9b', undefined],
    [Cr0.TS, '9b', undefined],
    [Cr0.TS | Cr0.MP, '9b', Vector.NM],
  ];
  for (const [bits, code, expected] of cases) {
    const w = fresh();
    w.s.cr0 = (w.s.cr0 & ~Cr0.MP) | bits;
    w.cpu.modeDirty = true;
    assert.equal(w.run(code), expected, `${code} with CR0 bits ${bits}`);
  }
});

test('the pointers name the last instruction and its operand; control instructions leave them', () => {
  const w = fresh();
  w.run('d9 43 10'); // fld dword [ebx + 16]
  w.run('d9 2b'); // fldcw
  assert.equal(w.s.get(StateLayout.fpuIp), 0x1000);
  assert.equal(w.s.get(StateLayout.fpuCs), 8);
  assert.equal(w.s.get(StateLayout.fpuDp), DATA + 16);
  assert.equal(w.s.get(StateLayout.fpuDs), 16);
  assert.equal(w.s.get(StateLayout.fpuOpcode), 0x143);
});

test('FFREEP frees its register and the one that it pops', () => {
  const w = fresh();
  for (let i = 0; i < 3; i++) w.run('d9 e8'); // fld1: registers 5 to 7
  w.run('df c1'); // ffreep st(1)
  assert.equal(w.s.get(StateLayout.fpuTags), 0x80);
  assert.equal(w.s.get(StateLayout.fpuTop), 6);
});

// SDM vol. 1, figures 8-9 to 8-12. The second operand-size prefix reaches the layout that is not the segment's.
const POINTERS = { ip: 0x12345, cs: 0xf000, opcode: 0x123, dp: 0x20008, ds: 0x1000 } as const;
const LAYOUTS: readonly {
  name: string;
  mode: 'protected' | 'real' | 'virtual-8086';
  wide: boolean;
  image: readonly number[];
  /** FIP, FCS, FOP, FDP and FDS after the image was loaded again. */
  back: readonly number[];
}[] = [
  {
    name: '32-bit protected',
    mode: 'protected',
    wide: true,
    image: [0xffff037e, 0xffff3800, 0xffff3fff, 0x12345, 0x0123f000, 0x20008, 0xffff1000],
    back: [0x12345, 0xf000, 0x123, 0x20008, 0x1000],
  },
  {
    name: '16-bit protected',
    mode: 'protected',
    wide: false,
    image: [0x037e, 0x3800, 0x3fff, 0x2345, 0xf000, 0x0008, 0x1000],
    back: [0x2345, 0xf000, 0, 0x0008, 0x1000],
  },
  ...(['real', 'virtual-8086'] as const).flatMap((mode) => [
    {
      name: `32-bit ${mode}`,
      mode,
      wide: true,
      image: [0xffff037e, 0xffff3800, 0xffff3fff, 0xffff2345, 0x00010123, 0xffff0008, 0x00003000],
      back: [0x102345, 0, 0x123, 0x30008, 0],
    },
    {
      name: `16-bit ${mode}`,
      mode,
      wide: false,
      image: [0x037e, 0x3800, 0x3fff, 0x2345, 0x0123, 0x0008, 0x3000],
      back: [0x02345, 0, 0x123, 0x30008, 0],
    },
  ]),
];
for (const { name, mode, wide, image, back } of LAYOUTS)
  test(`FNSTENV, FLDENV, FNSAVE and FRSTOR: ${name} layout`, () => {
    const w = fresh();
    const { s } = w;
    const protectedMode = mode === 'protected';
    if (!protectedMode) {
      if (mode === 'real') s.cr0 &= ~Cr0.PE;
      else s.eflags = 0x20202;
      s.setSegment(CS, 0x0100, 0x1000, 0xffff, 0xfb);
      s.setSegment(DS, 0x0200, 0x2000, 0xffff, 0xf3);
      w.cpu.modeDirty = true;
    }
    const at = (protectedMode ? 0 : 0x2000) + DATA;
    const prefix = wide === protectedMode ? '' : '66 ';
    const modrm = (digit: number): string => ((digit << 3) | (protectedMode ? 3 : 7)).toString(16).padStart(2, '0');
    const load = (): void => {
      setControlWord(s, 0x37e);
      const word = StateLayout;
      s.set(word.fpuCs, POINTERS.cs);
      s.set(word.fpuIp, POINTERS.ip);
      s.set(word.fpuOpcode, POINTERS.opcode);
      s.set(word.fpuDs, POINTERS.ds);
      s.set(word.fpuDp, POINTERS.dp);
    };
    const bytes = wide ? 4 : 2;
    const stored = (): number[] =>
      image.map((_, i) => (wide ? w.memory.read32(at + 4 * i) : w.memory.read16(at + 2 * i)));
    const pointers = (): number[] =>
      [StateLayout.fpuIp, StateLayout.fpuCs, StateLayout.fpuOpcode, StateLayout.fpuDp, StateLayout.fpuDs].map((word) =>
        s.get(word),
      );
    w.run('d9 e8');
    for (const [store, restore] of [
      [`${prefix}d9 ${modrm(6)}`, `${prefix}d9 ${modrm(4)}`],
      [`${prefix}dd ${modrm(6)}`, `${prefix}dd ${modrm(4)}`],
    ] as const) {
      w.memory.ram.fill(0x5a, at, at + 128);
      load();
      assert.equal(w.run(store), undefined);
      assert.deepEqual(stored(), image, store);
      const whole = store.includes('dd ');
      const end = at + 7 * bytes + (whole ? 80 : 0);
      assert.equal(w.memory.read8(end), 0x5a, 'no byte further');
      if (whole) assert.equal(w.memory.read16(at + 7 * bytes + 8), 0x3fff, 'ST(0) is 1');
      assert.equal(s.get(StateLayout.fpuControl), 0x37f, 'masked or initialized');
      assert.equal(w.run(restore), undefined);
      assert.deepEqual(pointers(), back, restore);
      assert.equal(s.get(StateLayout.fpuControl), 0x37e);
      assert.equal(statusWord(s), 0x3800);
      assert.equal(s.get(StateLayout.fpuTags), 0x80);
    }
  });

test('FNSAVE initializes, FRSTOR brings everything back', () => {
  const w = fresh();
  w.run('d9 eb'); // fldpi
  w.run('d9 e8');
  const before = Buffer.from(w.s.u8.subarray(StateLayout.fpuRegisters, StateLayout.fpuControl)).toString('hex');
  const status = statusWord(w.s);
  w.run('dd 33'); // fnsave [ebx]
  assert.equal(statusWord(w.s), 0);
  assert.equal(w.s.get(StateLayout.fpuTags), 0);
  w.run('dd 23'); // frstor [ebx]
  assert.equal(statusWord(w.s), status);
  assert.equal(w.s.get(StateLayout.fpuTags), 0xc0);
  assert.equal(Buffer.from(w.s.u8.subarray(StateLayout.fpuRegisters, StateLayout.fpuControl)).toString('hex'), before);
});

test('FXSAVE: alignment, reserved MXCSR bits, and XMM only under CR4.OSFXSR', () => {
  const w = fresh();
  assert.equal(w.run('0f ae 43 08'), Vector.GP);
  w.s.u8.fill(0x5a, StateLayout.xmm, StateLayout.xmm + 128);
  w.run('d9 e8');
  assert.equal(w.run('0f ae 03'), undefined);
  assert.deepEqual([w.word(0), w.word(2), w.word(4)], [0x37f, 0x3800, 0x80]);
  assert.equal(w.dword(160), 0x5a5a5a5a);
  assert.equal(w.dword(24), 0x1f80);
  w.s.cr4 &= ~Cr4.OSFXSR;
  w.cpu.modeDirty = true;
  w.s.u8.fill(0, StateLayout.xmm, StateLayout.xmm + 128);
  assert.equal(w.run('0f ae 0b'), undefined); // fxrstor
  assert.equal(w.s.get(StateLayout.xmm), 0, 'XMM stays without OSFXSR');
  w.s.cr4 |= Cr4.OSFXSR;
  w.cpu.modeDirty = true;
  w.memory.write32(DATA + 24, 0x10000);
  assert.equal(w.run('0f ae 0b'), Vector.GP);
});

test('stack faults: C1 tells overflow from underflow', () => {
  const w = fresh();
  w.run('d8 c1'); // fadd st, st(1) on an empty stack
  assert.equal(statusWord(w.s) & (Exception.IE | Status.SF | Status.C1), Exception.IE | Status.SF);
  w.reset();
  for (let i = 0; i < 9; i++) w.run('d9 e8');
  assert.equal(statusWord(w.s) & (Exception.IE | Status.SF | Status.C1), Exception.IE | Status.SF | Status.C1);
});

const close = (actual: number, expected: number): void =>
  assert.ok(
    Math.abs(actual - expected) <= 4 * Number.EPSILON * Math.max(Math.abs(expected), 1e-290),
    `${actual} for ${expected}`,
  );
const angle = fc.double({ min: -50, max: 50, noNaN: true }).filter((x) => Math.abs(x) > 1e-280);
test('the transcendentals agree with the host to a few units of a double', () => {
  fc.assert(
    fc.property(angle, (x) => {
      const w = world;
      close(w.apply('d9 fe', x), Math.sin(x));
      close(w.apply('d9 ff', x), Math.cos(x));
      // Stores the pushed 1, pops it, then the tangent.
      const unit = w.apply('d9 f2', x);
      assert.equal(unit, 1);
      w.run('dd 1b');
      close(w.double(0), Math.tan(x));
      const y = x / 64;
      close(w.apply('d9 f0', y), Math.expm1(y * Math.LN2));
    }),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), angle, (x, y) => {
      const w = world;
      w.reset();
      w.setDouble(0, y);
      w.setDouble(8, x);
      for (const [code, expected] of [
        ['d9 f3', Math.atan2(y, x)],
        ['d9 f1', y * Math.log2(x)],
      ] as const) {
        w.run('dd 03');
        w.run('dd 43 08');
        w.run(code);
        w.run('dd 5b 10');
        if (Math.abs(expected) > 1e-280)
          assert.ok(Math.abs(w.double(16) / expected - 1) < 1e-13, `${code}: ${w.double(16)} for ${expected}`);
      }
    }),
    { numRuns: 200 },
  );
});
test('FSIN of 2^63 and more sets C2 and leaves the operand', () => {
  const w = fresh();
  assert.equal(w.apply('d9 fe', 2 ** 63), 2 ** 63);
  assert.equal(statusWord(w.s) & Status.C2, Status.C2);
  w.apply('d9 fe', 2 ** 62);
  assert.equal(statusWord(w.s) & Status.C2, 0);
});
