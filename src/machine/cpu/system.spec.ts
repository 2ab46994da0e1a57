import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PrimaryControl } from '../vmx/controls.ts';
import { Field } from '../vmx/fields.ts';
import { NO_VMX } from '../vmx/hooks.ts';
import { enter, fixture, operands, PAGE_DIRECTORY, setControls, STACK, type Fixture } from '../vmx/vmx.fixture.ts';
import * as controlRegisters from './control-registers.ts';
import { Vector, type Helper } from './cpu.ts';
import { cpuid } from './cpuid.ts';
import { Feature, featureFlags } from './features.ts';
import * as flagInstructions from './flag-instructions.ts';
import { CORE_DUO, CPU_MODELS, cpuidLeaf } from './model.ts';
import * as msrs from './msr.ts';
import { readMsr, writeMsr } from './msr.ts';
import { CS, SS, StateLayout } from './state.ts';
import * as i from './system.ts';

const bare = (): Fixture => {
  const f = fixture({ bare: true });
  f.vmx.vmxoff();
  return f;
};
const run = (f: Fixture, helper: Helper, of: Parameters<typeof operands>[0] = {}): boolean =>
  helper(f.cpu, operands(of));
const faults = (
  f: Fixture,
  helper: Helper,
  of: Parameters<typeof operands>[0],
  vector: number,
  error: number | undefined,
): void => {
  assert.equal(run(f, helper, of), false);
  assert.equal(f.cpu.s.get(StateLayout.faultVector) - 1, vector);
  assert.equal(f.cpu.s.get(StateLayout.faultHasError) === 1 ? f.cpu.s.get(StateLayout.faultError) : undefined, error);
  f.cpu.clearFault();
};
const setCr = (f: Fixture, cr: number, value: number): boolean => {
  f.cpu.s.setGpr(3, value);
  return run(f, controlRegisters.movToCr, { reg: cr, rm: 3 });
};

test('CPUID: vendor, signature, features that exist, brand; leaves beyond the highest answer as it', () => {
  const f = bare();
  const ask = (leaf: number): number[] => {
    f.cpu.s.setGpr(0, leaf);
    assert.equal(run(f, cpuid), true);
    return [0, 3, 1, 2].map((r) => f.cpu.s.gpr(r));
  };
  const text = (words: number[]): string =>
    String.fromCharCode(...words.flatMap((w) => [w & 255, (w >>> 8) & 255, (w >>> 16) & 255, w >>> 24]));
  const [highest, b, c, d] = ask(0);
  assert.equal(text([b!, d!, c!]), 'GenuineIntel');
  assert.equal(ask(1)[0], 0x6e8);
  const edx = ask(1)[3]!;
  assert.equal(edx & Feature.SSE2, Feature.SSE2);
  assert.equal(edx & (1 << 9), 0, 'no local APIC');
  const brand = text([2, 3, 4].flatMap((n) => ask(0x8000_0000 + n))).replace(/\0+$/, '');
  assert.equal(brand, 'Genuine Intel(R) CPU           T2400  @ 1.83GHz');
  assert.deepEqual(ask(highest! + 5), ask(highest!));
  assert.deepEqual(ask(0x8000_0009), ask(highest!));
  assert.deepEqual(cpuidLeaf(CORE_DUO, 0x4000_0000, 0), CORE_DUO.cpuid.get(highest!));
  for (const [id, model] of Object.entries(CPU_MODELS)) assert.equal(model.id, id);
});

test("the feature flags are the T2400's, less those whose reason to be clear is given", () => {
  assert.equal(featureFlags('1.EDX', true), 0xbfe9_fbff);
  assert.equal(featureFlags('1.ECX', true), 0xc1a9);
  assert.equal(featureFlags('80000001.EDX', true), 0x0010_0000);
  const leaf1 = cpuidLeaf(CORE_DUO, 1, 0);
  assert.deepEqual([leaf1.edx, leaf1.ecx], [0x0f89_f9ff, 0x29]);
  // Deterministic cache parameters: the T2400's, with one processor instead of two.
  assert.deepEqual(
    [0, 1, 2, 3].map((n) => Object.values(cpuidLeaf(CORE_DUO, 4, n))),
    [
      [0x121, 0x01c0_003f, 0x3f, 1],
      [0x122, 0x01c0_003f, 0x3f, 1],
      [0x143, 0x01c0_003f, 0xfff, 1],
      [0, 0, 0, 0],
    ],
  );
  assert.equal(cpuidLeaf(CORE_DUO, 0xa, 0).eax, 0x0728_0201);
});

test('MSRs: what exists reads back, what does not is #GP; the high half is refused where it has no bits', () => {
  const f = bare();
  const s = f.cpu.s;
  const out = { low: 0, high: 0 };
  for (const index of [0x174, 0x175, 0x176]) {
    s.setGpr(1, index);
    s.setGpr(0, 0xdead_0000 + index);
    s.setGpr(2, 0);
    assert.equal(run(f, msrs.wrmsr), true);
    s.setGpr(0, 0);
    assert.equal(run(f, msrs.rdmsr), true);
    assert.equal(s.gpr(0), 0xdead_0000 + index);
    s.setGpr(2, 1);
    faults(f, msrs.wrmsr, {}, Vector.GP, 0);
  }
  s.setGpr(1, 0x1234_5678);
  faults(f, msrs.rdmsr, {}, Vector.GP, 0);
  faults(f, msrs.wrmsr, {}, Vector.GP, 0);
  assert.equal(writeMsr(f.cpu, 0x277, 0x0007_0206, 0), false, 'memory type 2');
  assert.equal(writeMsr(f.cpu, 0x277, 0x0007_0506, 0), true);
  assert.equal(readMsr(f.cpu, 0x480, out), true);
  assert.equal(writeMsr(f.cpu, 0x480, 0, 0), false);
  assert.equal(writeMsr(f.cpu, 0x3a, 5, 0), true);
  assert.equal(writeMsr(f.cpu, 0x3a, 5, 0), false, 'locked');
  s.cpl = 3;
  faults(f, msrs.rdmsr, {}, Vector.GP, 0);
});

test('property: a written time-stamp counter goes on from there', () => {
  const f = bare();
  const half = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(
      half,
      half,
      fc.integer({ min: 0, max: 2 ** 50 }),
      fc.integer({ min: 0, max: 2 ** 40 }),
      (low, high, now, later) => {
        f.clock.set(now);
        assert.equal(writeMsr(f.cpu, 0x10, low, high), true);
        f.clock.set(now + later);
        assert.equal(run(f, msrs.rdtsc), true);
        const expected = ((BigInt(high) << 32n) + BigInt(low) + BigInt(later)) & 0xffff_ffff_ffff_ffffn;
        assert.equal((BigInt(f.cpu.s.gpr(2)) << 32n) + BigInt(f.cpu.s.gpr(0)), expected);
      },
    ),
  );
  f.cpu.s.cpl = 3;
  assert.equal(run(f, msrs.rdtsc), true);
  f.cpu.s.cr4 |= 4;
  faults(f, msrs.rdtsc, {}, Vector.GP, 0);
});

test('MOV to CR0: PG without PE, NW without CD, ET fixed, reserved bits ignored', () => {
  const f = bare();
  assert.equal(setCr(f, 0, 0xffff_ffff & ~0x6000_0000), true);
  assert.equal(f.cpu.s.cr0, 0x8005_003f);
  for (const bad of [0x8000_0000, 0x2000_0001]) {
    f.cpu.s.setGpr(3, bad);
    faults(f, controlRegisters.movToCr, { reg: 0, rm: 3 }, Vector.GP, 0);
  }
  assert.equal(setCr(f, 0, 0), true);
  assert.equal(f.cpu.s.cr0, 0x10);
  f.cpu.modeDirty = false;
  assert.equal(setCr(f, 0, 1), true);
  assert.equal(f.cpu.modeDirty, true);
});

test('MOV to CR4: only bits the model has; PAE loads the PDPTEs', () => {
  const f = bare();
  for (const bit of [1 << 11, 1 << 12, 1 << 14, 1 << 20]) {
    f.cpu.s.setGpr(3, bit);
    faults(f, controlRegisters.movToCr, { reg: 4, rm: 3 }, Vector.GP, 0);
  }
  f.memory.write32(PAGE_DIRECTORY, 0x1e7);
  f.cpu.s.setGpr(3, 0x30);
  faults(f, controlRegisters.movToCr, { reg: 4, rm: 3 }, Vector.GP, 0);
  f.memory.write32(PAGE_DIRECTORY, 1);
  assert.equal(setCr(f, 4, 0x30), true);
  f.memory.write32(PAGE_DIRECTORY, 0x1e7);
  f.cpu.s.setGpr(3, PAGE_DIRECTORY);
  faults(f, controlRegisters.movToCr, { reg: 3, rm: 3 }, Vector.GP, 0);
});

test('control registers: privilege, and bits that VMX operation fixes', () => {
  const f = bare();
  f.cpu.s.cpl = 3;
  for (const helper of [
    controlRegisters.movToCr,
    controlRegisters.movFromCr,
    controlRegisters.clts,
    controlRegisters.lmsw,
    controlRegisters.movToDr,
    i.hlt,
    i.invd,
    i.wbinvd,
    msrs.rdmsr,
  ]) {
    faults(f, helper, { reg: 0, rm: 0 }, Vector.GP, 0);
  }
  assert.equal(run(f, controlRegisters.smsw, { rm: 0 }), true);
  assert.equal(f.cpu.s.gpr(0), 0x8000_0031);
  const v = fixture({ bare: true });
  v.cpu.s.setGpr(3, 0x8000_0011);
  faults(v, controlRegisters.movToCr, { reg: 0, rm: 3 }, Vector.GP, 0);
  v.cpu.s.setGpr(3, 0x10);
  faults(v, controlRegisters.movToCr, { reg: 4, rm: 3 }, Vector.GP, 0);
});

test('LMSW and CLTS', () => {
  const f = bare();
  f.cpu.s.setGpr(1, 0xfffe);
  assert.equal(run(f, controlRegisters.lmsw, { rm: 1, size: 16 }), true);
  assert.equal(f.cpu.s.cr0, 0x8000_003f, 'PE stays, MP EM TS are set');
  assert.equal(run(f, controlRegisters.clts), true);
  assert.equal(f.cpu.s.cr0, 0x8000_0037);
  f.memory.write16(0x3_9000, 0);
  assert.equal(run(f, controlRegisters.lmsw, { memory: true, offset: 0x3_9000 }), true);
  assert.equal(f.cpu.s.cr0, 0x8000_0031);
});

test('non-root: reads come from the shadow, writes keep host-owned bits', () => {
  const f = fixture();
  f.vmx.vmwrite(Field.CR0_GUEST_HOST_MASK, 0x8000_0021 | 8);
  f.vmx.vmwrite(Field.CR0_READ_SHADOW, 0x10);
  f.vmx.vmwrite(Field.CR4_GUEST_HOST_MASK, 0x2000);
  enter(f);
  run(f, controlRegisters.movFromCr, { reg: 0, rm: 2 });
  assert.equal(f.cpu.s.gpr(2), 0x10);
  run(f, controlRegisters.movFromCr, { reg: 4, rm: 2 });
  assert.equal(f.cpu.s.gpr(2), 0x10);
  assert.equal(setCr(f, 0, 0x12), true);
  assert.equal(f.cpu.s.cr0, 0x8000_0033);
  assert.equal(setCr(f, 4, 0x90), true);
  assert.equal(f.cpu.s.cr4, 0x2090);
  f.cpu.s.cr0 |= 8;
  assert.equal(run(f, controlRegisters.clts), true, 'TS is host-owned and shadowed as 0: nothing happens');
  assert.equal(f.cpu.s.cr0 & 8, 8);
  assert.equal(setCr(f, 0, 0x11), false);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 28);
  assert.equal(f.cpu.faulted, false);
});

test('DR4 and DR5 under CR4.DE are #UD, at any level; MOV-DR exiting comes before that and before privilege', () => {
  const f = bare();
  assert.equal(setCr(f, 4, f.cpu.s.cr4 | 8), true);
  for (const cpl of [0, 3]) {
    f.cpu.s.cpl = cpl;
    for (const helper of [controlRegisters.movFromDr, controlRegisters.movToDr]) {
      for (const dr of [4, 5]) faults(f, helper, { reg: dr, rm: 0 }, Vector.UD, undefined);
    }
  }
  const g = fixture();
  setControls(g.vmx, Field.CPU_BASED_VM_EXEC_CONTROL, PrimaryControl.MOV_DR_EXITING);
  enter(g);
  g.cpu.s.cr4 |= 8;
  g.cpu.s.cpl = 3;
  assert.equal(run(g, controlRegisters.movToDr, { reg: 4, rm: 0 }), false);
  assert.equal(g.cpu.faulted, false);
  assert.equal(g.vmx.vmread(Field.VM_EXIT_REASON), 29);
});

test('debug registers: DR4 and DR5 are DR6 and DR7, fixed bits, general detect', () => {
  const f = bare();
  f.cpu.s.setGpr(0, 0xffff_ffff);
  run(f, controlRegisters.movToDr, { reg: 4, rm: 0 });
  assert.equal(f.cpu.s.dr(6), 0xffff_efff);
  f.cpu.s.setGpr(0, 0);
  run(f, controlRegisters.movToDr, { reg: 6, rm: 0 });
  assert.equal(f.cpu.s.dr(6), 0xffff_0ff0);
  f.cpu.s.setGpr(0, 0xffff_ffff);
  run(f, controlRegisters.movToDr, { reg: 5, rm: 0 });
  assert.equal(f.cpu.s.dr(7), 0xffff_27ff);
  faults(f, controlRegisters.movFromDr, { reg: 0, rm: 0 }, Vector.DB, undefined);
  assert.equal(f.cpu.faultAddress, 1 << 13);
});

test('GDTR and IDTR: 24 bits of base with a 16-bit operand size', () => {
  const f = bare();
  f.memory.write16(0x3_9000, 0x1234);
  f.memory.write32(0x3_9002, 0xaabb_ccdd);
  run(f, controlRegisters.lgdt, { memory: true, offset: 0x3_9000 });
  assert.equal(f.cpu.s.get(StateLayout.gdtrBase), 0xaabb_ccdd);
  assert.equal(f.cpu.s.get(StateLayout.gdtrLimit), 0x1234);
  run(f, controlRegisters.lidt, { memory: true, offset: 0x3_9000, size: 16 });
  assert.equal(f.cpu.s.get(StateLayout.idtrBase), 0xbb_ccdd);
  run(f, controlRegisters.sgdt, { memory: true, offset: 0x3_9100 });
  assert.equal(f.memory.read16(0x3_9100), 0x1234);
  assert.equal(f.memory.read32(0x3_9102), 0xaabb_ccdd);
});

test('flags: CLI, STI, PUSHF, POPF by privilege, IOPL and mode', () => {
  // cpl, iopl, vm, POPF may change IF, POPF may change IOPL, refused with #GP
  const table: [number, number, boolean, boolean, boolean, boolean][] = [
    [0, 0, false, true, true, false],
    [1, 0, false, false, false, false],
    [3, 3, false, true, false, false],
    [3, 2, false, false, false, false],
    [3, 3, true, true, false, false],
    [3, 0, true, false, false, true],
  ];
  for (const [cpl, iopl, vm, changesIf, changesIopl, refused] of table) {
    const f = bare();
    const s = f.cpu.s;
    // Supervisor pages: keep the access itself at CPL 0 rights by mapping the page for users.
    f.memory.write32(PAGE_DIRECTORY, 0x87);
    s.cpl = cpl;
    const start = 2 | (iopl << 12) | (vm ? 0x2_0000 : 0);
    s.eflags = start;
    const name = `CPL ${cpl} IOPL ${iopl} VM ${vm}`;
    if (!changesIf) {
      faults(f, flagInstructions.cli, {}, Vector.GP, 0);
      faults(f, flagInstructions.sti, {}, Vector.GP, 0);
    } else {
      assert.equal(run(f, flagInstructions.sti), true, name);
      assert.equal(s.get(StateLayout.interruptibility), 1);
      assert.equal(run(f, flagInstructions.cli), true, name);
      s.set(StateLayout.interruptibility, 0);
    }
    if (refused) {
      faults(f, flagInstructions.pushf, {}, Vector.GP, 0);
      faults(f, flagInstructions.popf, {}, Vector.GP, 0);
      continue;
    }
    f.memory.write32(STACK - 4, 0xffff_ffff & ~(1 << 17));
    s.setGpr(4, STACK - 4);
    assert.equal(run(f, flagInstructions.popf), true, name);
    assert.equal(s.gpr(4), STACK);
    assert.equal((s.eflags & 0x200) !== 0, changesIf, name);
    assert.equal((s.eflags >>> 12) & 3, changesIopl ? 3 : iopl, name);
    assert.equal(s.eflags & 0x1a_0000, vm ? 0x2_0000 : 0, `${name}: VM, VIF and VIP stay`);
    assert.equal(s.eflags & 0x24_4dd5, 0x24_4dd5, name);
    s.eflags |= 0x1_0000;
    assert.equal(run(f, flagInstructions.pushf), true);
    assert.equal(f.memory.read32(STACK - 4), s.eflags & ~0x3_0000, 'VM and RF are pushed as 0');
  }
});

test('16-bit PUSHF and POPF leave the upper half alone', () => {
  const f = bare();
  f.cpu.s.eflags = 0x20_0002;
  run(f, flagInstructions.pushf, { size: 16 });
  assert.equal(f.cpu.s.gpr(4), STACK - 2);
  f.memory.write16(STACK - 2, 0xffff);
  run(f, flagInstructions.popf, { size: 16 });
  assert.equal(f.cpu.s.gpr(4), STACK);
  assert.equal(f.cpu.s.eflags, 0x20_7fd7);
});

test('STI blocks interrupts only if IF was 0', () => {
  const f = bare();
  f.cpu.s.eflags = 0x202;
  run(f, flagInstructions.sti);
  assert.equal(f.cpu.s.get(StateLayout.interruptibility), 0);
});

test('HLT, INVLPG, CLFLUSH, PAUSE, UD2', () => {
  const f = bare();
  assert.equal(run(f, i.hlt), true);
  assert.equal(f.cpu.s.get(StateLayout.activity), 1);
  assert.equal(run(f, i.invlpg, { memory: true, offset: 0x9999_9999 }), true);
  assert.equal(run(f, i.clflush, { memory: true, offset: 0x1000 }), true);
  faults(f, i.clflush, { memory: true, offset: 0x9999_9999 }, Vector.PF, 0);
  assert.equal(run(f, i.pause), true);
  faults(f, i.ud2, {}, Vector.UD, undefined);
});

test('SYSENTER: real mode and a null SYSENTER_CS are #GP(0); from virtual-8086 mode it leaves it; selectors are 16 bits', () => {
  const f = bare();
  const s = f.cpu.s;
  for (const [cr0, selector] of [
    [0x10, 0x60],
    [0x8000_0011, 3],
    [0x8000_0011, 0x1_0000],
  ] as const) {
    writeMsr(f.cpu, 0x174, selector, 0);
    s.cr0 = cr0;
    faults(f, i.sysenter, {}, Vector.GP, 0);
    faults(f, i.sysexit, {}, Vector.GP, 0);
  }
  writeMsr(f.cpu, 0x174, 0xfff9, 0);
  s.cpl = 3;
  s.eflags = 0x2_0002 | 0x1_0000 | 0x200 | 0x100 | 0x4000 | 0x4_0000 | 0x8_0000;
  assert.equal(run(f, i.sysenter), true);
  // VM, IF and RF are cleared; TF, NT, AC and VIF stay.
  assert.equal(s.eflags, 0x4_0000 | 0x8_0000 | 0x4102);
  assert.deepEqual([s.cpl, s.selector(CS), s.selector(SS)], [0, 0xfff8, 0]);
  for (const [register, access] of [
    [CS, 0xc09b],
    [SS, 0xc093],
  ] as const) {
    assert.deepEqual([s.base(register), s.limit(register), s.access(register)], [0, 0xffff_ffff, access]);
  }
  assert.equal(f.cpu.modeDirty, true);
  s.eflags = 0x3202;
  assert.equal(run(f, i.sysexit), true);
  assert.deepEqual([s.eflags, s.selector(CS), s.selector(SS)], [0x3202, 0xb, 0x13], 'flags stay, selectors wrap');
  for (const cpl of [1, 2, 3]) {
    s.cpl = cpl;
    faults(f, i.sysexit, {}, Vector.GP, 0);
  }
});

test('SYSENTER and SYSEXIT load flat segments', () => {
  const f = bare();
  const s = f.cpu.s;
  faults(f, i.sysenter, {}, Vector.GP, 0);
  writeMsr(f.cpu, 0x174, 0x1_0063, 0);
  writeMsr(f.cpu, 0x175, 0x5000, 0);
  writeMsr(f.cpu, 0x176, 0xc010_0000, 0);
  s.cpl = 3;
  s.eflags = 0x202;
  assert.equal(run(f, i.sysenter), true);
  assert.deepEqual(
    [s.selector(CS), s.selector(SS), s.cpl, s.gpr(4), f.cpu.nextEip],
    [0x60, 0x68, 0, 0x5000, 0xc010_0000],
  );
  assert.equal(s.access(CS), 0xc09b);
  assert.equal(s.eflags & 0x200, 0);
  s.setGpr(1, 0x6000);
  s.setGpr(2, 0x8048_0000);
  assert.equal(run(f, i.sysexit), true);
  assert.deepEqual(
    [s.selector(CS), s.selector(SS), s.cpl, s.gpr(4), f.cpu.nextEip],
    [0x73, 0x7b, 3, 0x6000, 0x8048_0000],
  );
  assert.equal(s.access(SS), 0xc0f3);
  faults(f, i.sysexit, {}, Vector.GP, 0);
});

test('privilege comes before the exit, the exit before the effect', () => {
  const f = fixture();
  setControls(f.vmx, Field.CPU_BASED_VM_EXEC_CONTROL, PrimaryControl.HLT_EXITING | PrimaryControl.RDTSC_EXITING);
  enter(f);
  f.cpu.s.cpl = 3;
  faults(f, i.hlt, {}, Vector.GP, 0);
  faults(f, i.invd, {}, Vector.GP, 0);
  assert.equal(f.vmx.nonRoot, true);
  assert.equal(run(f, msrs.rdtsc), false);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 16);
  f.vmx.vmresume();
  assert.equal(run(f, i.hlt), false);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 12);
  assert.equal(f.cpu.s.get(StateLayout.activity), 0);
});

test('without VMX hooks everything runs', () => {
  const f = bare();
  f.cpu.vmx = NO_VMX;
  assert.equal(run(f, controlRegisters.movFromCr, { reg: 0, rm: 2 }), true);
  assert.equal(f.cpu.s.gpr(2), 0x8000_0031);
  assert.equal(setCr(f, 4, 0x10), true);
});
