// CR4.VME and CR4.PVI: CLI, STI, PUSHF, POPF with VIF in IF's place, and the #GP of a pending virtual interrupt. SDM vol. 3, 20.3 and 20.4.
// INT n and IRET in virtual-8086 mode are in interrupt-instructions.spec.ts; the guest test/guests/v86.c holds all of it against Bochs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { code, CpuWorld, data, TSS_B, TSS_B_SELECTOR } from '../../../test/support/cpu-world.ts';
import { Vector, type Helper } from './cpu.ts';
import { cli, popf, pushf, sti } from './flag-instructions.ts';
import { iret } from './interrupt-instructions.ts';
import { Cr4, ES, ESP, Flag, SS, StateLayout } from './state.ts';
import { TaskSource } from './task-state.ts';
import { switchTask } from './task-switch.ts';

const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;
const VIRTUAL = Flag.VIF | Flag.VIP;

/** Virtual-8086 mode, or level 3 of protected mode, with the given IOPL, CR4 and further flags; IF is set. */
const enter = (v86: boolean, iopl: number, cr4: number, flags = 0): void => {
  world.reset(3);
  if (v86) world.virtual8086(iopl);
  s.cr4 = cr4;
  s.eflags = 2 | Flag.IF | (iopl << 12) | (v86 ? Flag.VM : 0) | flags;
};
const refuses = (helper: Helper, size: 16 | 32 = 16): void => {
  const before = world.snapshot();
  assert.equal(helper(cpu, world.op({ size, length: 1 })), false);
  assert.deepEqual(world.fault(), [Vector.GP, 0]);
  assert.equal(world.snapshot(), before);
};

test('CLI and STI: IF with IOPL 3, VIF below it under the mode of CR4 that is meant, else #GP; STI needs VIP clear', () => {
  for (const v86 of [true, false]) {
    for (const cr4 of [0, Cr4.VME, Cr4.PVI, Cr4.VME | Cr4.PVI]) {
      for (let iopl = 0; iopl < 4; iopl++) {
        const virtual = (cr4 & (v86 ? Cr4.VME : Cr4.PVI)) !== 0;
        enter(v86, iopl, cr4, VIRTUAL);
        const start = s.eflags;
        if (iopl < 3 && !virtual) {
          refuses(cli);
          refuses(sti);
          continue;
        }
        const flag = iopl === 3 ? Flag.IF : Flag.VIF;
        assert.ok(cli(cpu, world.op()));
        assert.equal(s.eflags, start & ~flag);
        if (iopl < 3) {
          refuses(sti);
          s.eflags &= ~Flag.VIP;
        }
        assert.ok(sti(cpu, world.op()));
        assert.equal(s.eflags & flag, flag);
        assert.equal(s.get(StateLayout.interruptibility), iopl === 3 ? 1 : 0, 'VIF has no shadow');
      }
    }
  }
  // Levels 1 and 2 have no virtual interrupts.
  world.reset(2);
  s.cr4 = Cr4.PVI;
  s.eflags = 2;
  refuses(cli);
  refuses(sti);
});

test('PUSHF below IOPL 3 under VME shows IOPL 3 and VIF as IF, in 16 bits only', () => {
  for (const flags of [0, Flag.VIF, Flag.VIP]) {
    enter(true, 1, Cr4.VME, flags | Flag.CF);
    assert.ok(pushf(cpu, world.op({ size: 16 })));
    assert.equal(world.stack(1, 2)[0], 0x3003 | (flags & Flag.VIF ? Flag.IF : 0));
    refuses(pushf, 32);
  }
  enter(true, 3, Cr4.VME, Flag.VIF);
  s.eflags &= ~Flag.IF;
  assert.ok(pushf(cpu, world.op({ size: 32 })));
  assert.equal(world.stack(1)[0], 0x3002 | Flag.VIF);
  // PVI leaves PUSHF alone.
  enter(false, 0, Cr4.PVI, Flag.VIF);
  assert.ok(pushf(cpu, world.op({ size: 32 })));
  assert.equal(world.stack(1)[0], s.eflags);
});

test("POPF below IOPL 3 under VME: VIF takes the image's IF, IF and IOPL stay; #GP for TF, and for IF while VIP is set", () => {
  const pop = (image: number, flags: number, size: 16 | 32 = 16): boolean => {
    enter(true, 2, Cr4.VME, flags);
    if (size === 16) world.push16(image);
    else world.push32(image);
    return popf(cpu, world.op({ size, length: 1 }));
  };
  const top = 0x800;
  assert.ok(pop(Flag.IF | Flag.IOPL | Flag.DF | Flag.NT, Flag.RF));
  assert.equal(s.eflags, 2 | Flag.VM | (2 << 12) | Flag.IF | Flag.VIF | Flag.DF | Flag.NT);
  assert.equal(s.gpr(ESP), top);
  assert.ok(pop(0, VIRTUAL));
  assert.equal(s.eflags, 2 | Flag.VM | (2 << 12) | Flag.IF | Flag.VIP, 'IF itself stays');
  for (const [image, flags, size] of [
    [Flag.IF, Flag.VIP, 16],
    [Flag.TF, 0, 16],
    [0, 0, 32],
  ] as const) {
    assert.equal(pop(image, flags, size), false);
    assert.deepEqual(world.fault(), [Vector.GP, 0]);
    assert.equal(s.gpr(ESP), top - size / 8);
  }
  // PVI leaves POPF alone: IF stays without a fault.
  enter(false, 0, Cr4.PVI, VIRTUAL);
  world.push32(2);
  assert.ok(popf(cpu, world.op({ length: 1 })));
  assert.equal(s.eflags, 2 | Flag.IF | VIRTUAL);
});

test('VIF and VIP both set after IRET: #GP at the next instruction, with the IRET retired', () => {
  for (const [cr4, flags, v86, pending] of [
    [Cr4.VME, VIRTUAL, true, true],
    [Cr4.PVI, VIRTUAL, true, false],
    [Cr4.VME, VIRTUAL | Flag.IOPL, true, false],
    [Cr4.VME, Flag.VIP, true, false],
    [Cr4.PVI, VIRTUAL, false, true],
    [Cr4.VME, VIRTUAL, false, false],
  ] as const) {
    world.reset(0);
    s.cr4 = cr4;
    cpu.retiredBeforeFault = 0;
    if (v86) world.push32(0, 0, 0, 0x2000, 0x2000, 0x0800, flags | Flag.VM | 2, 0x3000, 0x0100);
    else world.push32(data(3), 0x9000, flags | 2, code(3), 0x0100);
    const done = iret(cpu, world.op({ length: 1 }));
    assert.equal(done, !pending);
    assert.deepEqual([s.cpl, cpu.virtual8086, cpu.nextEip], [3, v86, 0x100]);
    if (!pending) continue;
    assert.deepEqual(world.fault(), [Vector.GP, 0]);
    assert.deepEqual([s.eip, cpu.retiredBeforeFault], [0x100, 1]);
  }
});

test('a task switch to a virtual-8086 task with VIF and VIP: #GP in the new task', () => {
  world.reset(0);
  s.cr4 = Cr4.VME;
  memory.write32(TSS_B + 0x20, 0x0100);
  memory.write32(TSS_B + 0x24, 2 | Flag.VM | VIRTUAL);
  for (let i = ES; i < 6; i++) memory.write16(TSS_B + 0x48 + i * 4, 0x2000 + i);
  const done = switchTask(cpu, TSS_B_SELECTOR, TaskSource.JMP, 0x8002, s.eflags, Vector.GP, 2);
  assert.equal(done, false);
  assert.deepEqual(world.fault(), [Vector.GP, 0]);
  assert.deepEqual([s.eip, s.selector(SS), cpu.virtual8086], [0x100, 0x2002, true]);
});
