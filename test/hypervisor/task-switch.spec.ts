// Exit reason 9 against the processor's own task switch: the same random tasks, segments and flags through both must leave the same
// registers, the same memory and the same exception. What is right at all is task-switch.spec.ts's and the guest tasks.c's to say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import { Vector } from '../../src/machine/cpu/cpu.ts';
import { CORE_DUO } from '../../src/machine/cpu/model.ts';
import { Cr4, CS, ESP, Flag, LDTR, SS, StateLayout, TR } from '../../src/machine/cpu/state.ts';
import { TaskSource } from '../../src/machine/cpu/task-state.ts';
import { switchTask } from '../../src/machine/cpu/task-switch.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import { EventType, IntrInfo } from '../../src/machine/vmx/qualification.ts';
import { exitTaskSwitch } from '../../src/hypervisor/exits/task-switch.ts';
import { flatCode, flatData, type BootImage } from '../../src/hypervisor/boot/image.ts';
import { Hypervisor, machineBytesFor } from '../../src/hypervisor/hypervisor.ts';
import { code, CpuWorld, data, FREE, LDT_SELECTOR, TSS_A, TSS_B, TSS_B_SELECTOR } from '../support/cpu-world.ts';
import { FakeMachine } from './fake-machine.ts';

const MEMORY = 1 << 20;
const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;

const machine = new FakeMachine(machineBytesFor([MEMORY]));
const flat = flatData(0x10);
const boot: BootImage = {
  ok: true,
  protocol: 'multiboot1',
  loads: [],
  state: {
    eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: 0, edi: 0, eip: 0, eflags: 2, cr0: 0x11, cr4: 0, cs: flatCode(8),
    ss: flat, ds: flat, es: flat, fs: flat, gs: flat, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
  }, // prettier-ignore
};
const interrupts = { intr: false, acknowledge: () => 0 };
const created = new Hypervisor(machine, CORE_DUO).createDomain({
  name: 'test',
  memoryBytes: MEMORY,
  boot,
  platform: { bus: new Bus(), clock: new Clock(), interrupts },
});
assert.ok(created.ok);
const { vcpu, p2m } = created.domain;
const { vmx } = machine;
const guestRam = machine.memory.ram.subarray(p2m.mfnOf[0]! * 4096, p2m.mfnOf[0]! * 4096 + MEMORY);

/** A 16-bit stack segment of each level. */
const stack16 = (level: number): number => (FREE + 0x20 + level * 8) | level;
const SELECTORS = [
  0, 3, ...[0, 1, 2, 3].flatMap((level) => [code(level), data(level), data(level) & ~3]), 0x48, 0x4b, LDT_SELECTOR, 0x50, 0x200,
  4, 0x0c, FREE, FREE | 3, FREE + 8, FREE + 19,
]; // prettier-ignore
const selector = fc.constantFrom(...SELECTORS);
/** Mostly what works. */
const mostly = <T>(good: fc.Arbitrary<T>, any: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: good, weight: 4 }, { arbitrary: any, weight: 1 });
const rarely = <T, U>(odd: fc.Arbitrary<T>, usual: U): fc.Arbitrary<T | U> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 9 }, { arbitrary: odd, weight: 1 });
const level = fc.constantFrom(0, 1, 2, 3);
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const FLAG_CHOICES = [
  Flag.TF,
  Flag.IF,
  Flag.NT,
  Flag.RF,
  Flag.VM,
  Flag.AC,
  Flag.VIF,
  Flag.VIP,
  Flag.CF,
  1 << 12,
  2 << 12,
];
const flags = fc.subarray(FLAG_CHOICES).map((chosen) => chosen.reduce((all, flag) => all | flag, 2));

const task = fc
  .record({
    level,
    wide: fc.boolean(),
    eip: mostly(fc.constant(0xb000), word),
    flags: mostly(
      flags.map((f) => f & ~Flag.VM),
      flags,
    ),
    gpr: fc.array(word, { minLength: 8, maxLength: 8 }),
    esp: mostly(fc.constant(0x9000), fc.constantFrom(0, 1, 2, 3, 0xffff_fffe)),
    ldt: mostly(fc.constantFrom(0, LDT_SELECTOR), selector),
    trap: rarely(fc.constant(true), false),
    others: fc.array(rarely(selector, undefined), { minLength: 6, maxLength: 6 }),
    odd: fc.record({
      type: fc.integer({ min: 0, max: 31 }),
      dpl: level,
      absent: fc.boolean(),
      limit: fc.constantFrom(0, 0x8fff, 0xfffff),
    }),
  })
  .map((t) => ({
    ...t,
    // Outside RAM the two memories differ: a flat stack stays inside.
    esp: t.wide ? 0x9000 + (t.esp & 3) : t.esp,
    sreg: t.others.map((o, n) => {
      if (n === SS && !t.wide) return stack16(t.level);
      return o ?? (n === CS ? code(t.level) : data(t.level));
    }),
  }));
type Task = typeof task extends fc.Arbitrary<infer T> ? T : never;

const writeTask = (t: Task): void => {
  const put = (at: number, size: 2 | 4, value: number): void =>
    size === 2 ? memory.write16(TSS_B + at, value & 0xffff) : memory.write32(TSS_B + at, value >>> 0);
  const [size, eip, gpr, sreg, ldt] = t.wide
    ? ([4, 0x20, 0x28, 0x48, 0x60] as const)
    : ([2, 0x0e, 0x12, 0x22, 0x2a] as const);
  put(eip, size, t.eip);
  put(eip + size, size, t.flags);
  t.gpr.forEach((value, n) => put(gpr + n * size, size, n === ESP ? t.esp : value));
  t.sreg.slice(0, t.wide ? 6 : 4).forEach((value, n) => put(sreg + n * size, 2, value));
  put(ldt, 2, t.ldt);
  if (t.wide) put(0x64, 2, t.trap ? 1 : 0);
  world.segment(FREE, {
    type: t.odd.type & 15,
    system: t.odd.type > 15,
    dpl: t.odd.dpl,
    absent: t.odd.absent,
    limit: t.odd.limit,
  });
  for (let n = 0; n < 4; n++) world.segment(stack16(n) & ~3, { type: 2, dpl: n, base: 0x10000, limit: 0xffff });
  world.segment(FREE + 8, { type: t.odd.type & 15, dpl: t.odd.dpl, limit: t.odd.limit, wide: true, pages: true });
};

/** The world's processor and memory into the VMCS and the domain. */
const copyToGuest = (): void => {
  guestRam.set(memory.ram.subarray(0, MEMORY));
  vmx.fields.set(Field.IDT_VECTORING_INFO, 0);
  vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, 0);
  for (let n = 0; n < 8; n++) {
    vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * n, s.selector(n));
    vmx.vmwrite(Field.GUEST_ES_BASE + 2 * n, s.base(n));
    vmx.vmwrite(Field.GUEST_ES_LIMIT + 2 * n, s.limit(n));
    vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * n, s.access(n));
    machine.state.setGpr(n, s.gpr(n));
    machine.state.setDr(n, s.dr(n));
  }
  vmx.vmwrite(Field.GUEST_GDTR_BASE, s.get(StateLayout.gdtrBase));
  vmx.vmwrite(Field.GUEST_GDTR_LIMIT, s.get(StateLayout.gdtrLimit));
  vmx.vmwrite(Field.GUEST_RSP, s.gpr(ESP));
  vmx.vmwrite(Field.GUEST_RIP, s.eip);
  vmx.vmwrite(Field.GUEST_RFLAGS, s.eflags);
  vmx.vmwrite(Field.GUEST_DR7, s.dr(7));
  vcpu.cr0 = s.cr0;
  vcpu.cr4 = s.cr4;
};

const registers = (reached: boolean): unknown => {
  // In the middle of a switch VM entry wants more of CS and SS than the processor holds.
  const shown = (n: number): boolean => reached || (n !== CS && n !== SS && n !== LDTR);
  return {
    gpr: Array.from({ length: 8 }, (_, n) => s.gpr(n)),
    eip: s.eip,
    eflags: s.eflags,
    ts: s.cr0 & 8,
    dr: [s.dr(6), s.dr(7)],
    segments: Array.from({ length: 8 }, (_, n) =>
      shown(n) ? [s.selector(n), s.base(n), s.limit(n), s.access(n)] : [],
    ),
  };
};
const guestRegisters = (reached: boolean): unknown => {
  const shown = (n: number): boolean => reached || (n !== CS && n !== SS && n !== LDTR);
  const field = (first: number, n: number): number => vmx.vmread(first + 2 * n);
  return {
    gpr: Array.from({ length: 8 }, (_, n) => (n === ESP ? vmx.vmread(Field.GUEST_RSP) : machine.state.gpr(n))),
    eip: vmx.vmread(Field.GUEST_RIP),
    eflags: vmx.vmread(Field.GUEST_RFLAGS),
    ts: vcpu.cr0 & 8,
    dr: [machine.state.dr(6), vmx.vmread(Field.GUEST_DR7)],
    segments: Array.from({ length: 8 }, (_, n) =>
      shown(n)
        ? [Field.GUEST_ES_SELECTOR, Field.GUEST_ES_BASE, Field.GUEST_ES_LIMIT, Field.GUEST_ES_AR_BYTES].map((f) =>
            field(f, n),
          )
        : [],
    ),
  };
};

test("property: the hypervisor's task switch is the processor's", () => {
  let switched = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      task,
      level,
      fc.constantFrom(...Object.values(TaskSource)),
      fc.option(fc.constant(0x1234), { nil: undefined }),
      flags.map((f) => f & ~(Flag.VM | Flag.VIP)),
      fc.boolean(),
      rarely(fc.constant(true), false),
      (to, cpl, source, error, eflags, oldWide, shortOld) => {
        world.reset(cpl);
        s.cr4 = Cr4.VME | Cr4.PVI;
        s.eflags = eflags;
        s.setDr(6, 0xffff_4ff3);
        s.setDr(7, 0x27ff);
        world.segment(TSS_B_SELECTOR, {
          type: (to.wide ? 9 : 1) | (source === TaskSource.IRET ? 2 : 0),
          system: true,
          base: TSS_B,
          limit: 0x67,
        });
        s.setSegment(TR, 0x50, TSS_A, shortOld ? 0x2a : 0x20ff, oldWide ? 0x8b : 0x83);
        writeTask(to);
        copyToGuest();

        const gate = source === TaskSource.GATE;
        const errorCode = gate ? error : undefined;
        // A #DE with an error code does not exist, but is benign to no other: the exception itself is not combined here.
        const kind = errorCode === undefined ? EventType.SOFTWARE_INTERRUPT : EventType.HARDWARE_EXCEPTION;
        if (gate) vmx.fields.set(Field.IDT_VECTORING_INFO, IntrInfo.encode(17, kind, errorCode !== undefined));
        vmx.fields.set(Field.IDT_VECTORING_ERROR_CODE, errorCode ?? 0);
        vmx.fields.set(Field.EXIT_QUALIFICATION, ((source << 30) | TSS_B_SELECTOR) >>> 0);
        vmx.fields.set(Field.VM_EXIT_INSTRUCTION_LEN, 2);
        const returnEip = s.eip + (kind === EventType.HARDWARE_EXCEPTION ? 0 : 2);

        const vector = source === TaskSource.IRET ? Vector.TS : Vector.GP;
        const done = switchTask(cpu, TSS_B_SELECTOR, source, returnEip, s.eflags, vector, 2, errorCode);
        const fault = world.fault();
        if (fault?.[0] === Vector.DB) {
          assert.equal(cpu.faultAddress, 0x8000);
          s.setDr(6, 0xffff_cff0);
          s.setDr(7, s.dr(7) & ~0x2000);
        }
        exitTaskSwitch(vcpu);

        const info = vmx.vmread(Field.VM_ENTRY_INTR_INFO);
        const injected = IntrInfo.valid(info)
          ? [
              IntrInfo.vector(info),
              IntrInfo.hasErrorCode(info) ? vmx.vmread(Field.VM_ENTRY_EXCEPTION_ERROR_CODE) & ~1 : undefined,
            ]
          : undefined;
        assert.deepEqual(injected, fault);
        const trapped = fault?.[0] === Vector.DB;
        assert.deepEqual(guestRegisters(done || trapped), registers(done || trapped));
        assert.ok(Buffer.from(guestRam).equals(memory.ram.subarray(0, MEMORY)), 'memory');
        assert.equal(vcpu.eventDelivered, done && gate);
        vcpu.eventDelivered = false;
        if (done) switched++;
        else refused++;
      },
    ),
    { numRuns: 1000 },
  );
  assert.ok(switched > 100 && refused > 100, `${switched} switches, ${refused} refused`);
});
