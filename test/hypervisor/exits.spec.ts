// The hypervisor's loop and handlers on a machine without a processor: each test plays the guest's exits and looks at what VMX root
// software would have left in the VMCS, the registers and the virtual devices.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import type { Device } from '../../src/machine/devices/device.ts';
import { CORE_DUO } from '../../src/machine/cpu/model.ts';
import { MsrSlot } from '../../src/machine/cpu/msr-rows.ts';
import { Cr0, Cr4, EAX, EBX, ECX, EDI, EDX, ESI, Flag } from '../../src/machine/cpu/state.ts';
import { PrimaryControl } from '../../src/machine/vmx/controls.ts';
import { ExitReason } from '../../src/machine/vmx/exit-reasons.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import { EventType, IntrInfo, IoAccess } from '../../src/machine/vmx/qualification.ts';
import { flatCode, flatData, type BootImage } from '../../src/hypervisor/boot/image.ts';
import type { Domain } from '../../src/hypervisor/domain.ts';
import { LivelockWatch } from '../../src/hypervisor/exits/page-fault.ts';
import { Hypervisor, machineBytesFor } from '../../src/hypervisor/hypervisor.ts';
import { interruptBlocker } from '../../src/hypervisor/interrupts.ts';
import { LOCAL_TIMER_VECTOR } from '../../src/hypervisor/machine.ts';
import { AssistBlocker } from '../../src/hypervisor/observer.ts';
import { combineExceptions } from '../../src/hypervisor/vcpu.ts';
import { FakeMachine } from './fake-machine.ts';

const MEMORY = 4 << 20;
const WINDOW = PrimaryControl.INTERRUPT_WINDOW_EXITING;

class EchoDevice implements Device {
  readonly name = 'echo';
  readonly wide = true;
  readonly log: string[] = [];
  value = 0;
  read(offset: number, size: number): number {
    this.log.push(`in ${offset} ${size}`);
    return this.value++;
  }
  write(offset: number, size: number, value: number): void {
    this.log.push(`out ${offset} ${size} ${value}`);
  }
  registerName(): string {
    return 'ECHO';
  }
  reset(): void {
    this.value = 0;
  }
  saveState(): number[] {
    return [this.value];
  }
  loadState(state: readonly number[]): void {
    this.value = state[0]!;
  }
}

/** An exit reason with fields, or what happens at that moment. */
type Exit = readonly [reason: number, fields?: Readonly<Record<number, number>>, before?: () => void];

class Rig {
  readonly machine = new FakeMachine(machineBytesFor([MEMORY]));
  readonly pins: number[] = [];
  readonly clock = new Clock();
  readonly bus = new Bus();
  readonly echo = new EchoDevice();
  readonly hypervisor: Hypervisor;
  readonly domain: Domain;
  entries: number[] = [];

  constructor(eflags = 0x202) {
    const { pins } = this;
    this.bus.claimPorts(0x300, 8, this.echo);
    this.hypervisor = new Hypervisor(this.machine, CORE_DUO);
    const data = flatData(0x10);
    const boot: BootImage = {
      ok: true,
      protocol: 'multiboot1',
      loads: [{ address: 0x10_0000, bytes: Uint8Array.of(1, 2, 3) }],
      state: {
        eax: 1, ecx: 2, edx: 3, ebx: 4, esp: 0x9000, ebp: 6, esi: 7, edi: 8, eip: 0x10_0000, eflags, cr0: 0x11, cr4: 0,
        cs: flatCode(8), ss: data, ds: data, es: data, fs: data, gs: data, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
      }, // prettier-ignore
    };
    const interrupts = {
      get intr(): boolean {
        return pins.length > 0;
      },
      acknowledge: (): number => pins.shift()!,
    };
    const result = this.hypervisor.createDomain({
      name: 'test',
      memoryBytes: MEMORY,
      boot,
      platform: { bus: this.bus, clock: this.clock, interrupts },
    });
    assert.ok(result.ok);
    this.domain = result.domain;
    this.machine.vmx.onEntry = () => this.entries.push(this.read(Field.VM_ENTRY_INTR_INFO));
  }
  read(field: number): number {
    return this.machine.vmx.vmread(field);
  }
  /** Plays exits one after the other, then lets the slice end. */
  play(...exits: Exit[]): void {
    const queue = [...exits];
    this.machine.guest = (until) => {
      const next = queue.shift();
      if (next === undefined) {
        this.machine.clock.set(until);
        return;
      }
      next[2]?.();
      this.machine.vmx.exit(next[0], { [Field.VM_EXIT_INSTRUCTION_LEN]: 2, ...next[1] });
    };
    this.hypervisor.run(1000);
    assert.equal(queue.length, 0, 'exits left over');
  }
}

const intr = (vector: number): number => IntrInfo.encode(vector, EventType.EXTERNAL_INTERRUPT, false);
const exception = (vector: number, error = true): number =>
  IntrInfo.encode(vector, EventType.HARDWARE_EXCEPTION, error);

describe('interrupt assist', () => {
  test("blockers in Xen's order", () => {
    const valid = intr(0x20);
    const IF = Flag.IF;
    const rows: [number, number, number, number][] = [
      [IF, 0, 0, AssistBlocker.NONE],
      [IF, 0, 0x20, AssistBlocker.NONE],
      [0, 0, 0, AssistBlocker.IF_CLEAR],
      [0, 3, valid, AssistBlocker.IF_CLEAR],
      [IF, 1, valid, AssistBlocker.STI_SHADOW],
      [IF, 2, valid, AssistBlocker.MOV_SS_SHADOW],
      [IF, 3, 0, AssistBlocker.STI_SHADOW],
      [IF, 8, 0, AssistBlocker.NONE],
      [IF, 0, valid, AssistBlocker.INJECTION_PENDING],
    ];
    for (const [rflags, shadow, entry, blocker] of rows) assert.equal(interruptBlocker(rflags, shadow, entry), blocker);
  });

  test('a pending interrupt is injected at once; two need a window in between', () => {
    const rig = new Rig();
    rig.pins.push(0x20, 0x21);
    rig.play([ExitReason.INTERRUPT_WINDOW, {}, () => assert.ok(rig.read(Field.CPU_BASED_VM_EXEC_CONTROL) & WINDOW)]);
    assert.deepEqual(rig.entries, [intr(0x20), intr(0x21)]);
    assert.equal(rig.read(Field.CPU_BASED_VM_EXEC_CONTROL) & WINDOW, 0);
  });

  test('with IF clear nothing is acknowledged before the window', () => {
    const rig = new Rig(0x2);
    rig.pins.push(0x20);
    rig.play([ExitReason.INTERRUPT_WINDOW, { [Field.GUEST_RFLAGS]: 0x202 }, () => assert.deepEqual(rig.pins, [0x20])]);
    assert.equal(IntrInfo.valid(rig.entries[0]!), false);
    assert.equal(rig.entries[1], intr(0x20));
  });

  test("the local timer stands in for the virtual platform's deadline", () => {
    const rig = new Rig();
    const timer = rig.clock.timer(() => rig.pins.push(0x20));
    rig.clock.arm(timer, 500);
    rig.play([
      ExitReason.EXTERNAL_INTERRUPT,
      { [Field.VM_EXIT_INTR_INFO]: intr(LOCAL_TIMER_VECTOR) },
      () => {
        assert.equal(rig.machine.timer, 500);
        rig.machine.clock.set(500);
      },
    ]);
    assert.deepEqual(rig.entries.slice(1), [intr(0x20)]);
  });

  test('an event whose delivery the exit interrupted is delivered again', () => {
    const rig = new Rig();
    // A page fault on the way to the handler: repaired (unpaged memory), then the interrupt again.
    rig.play([ExitReason.EXCEPTION_OR_NMI, {
      [Field.VM_EXIT_INTR_INFO]: exception(14), [Field.EXIT_QUALIFICATION]: 0x8ffc, [Field.VM_EXIT_INTR_ERROR_CODE]: 2,
      [Field.IDT_VECTORING_INFO]: intr(0x33), [Field.VM_EXIT_INSTRUCTION_LEN]: 0,
    }]); // prettier-ignore
    assert.equal(rig.entries[1], intr(0x33));
  });

  test('software interrupts are delivered again with their length', () => {
    const rig = new Rig();
    const soft = IntrInfo.encode(0x80, EventType.SOFTWARE_INTERRUPT, false);
    rig.play([ExitReason.EXCEPTION_OR_NMI, {
      [Field.VM_EXIT_INTR_INFO]: exception(14), [Field.EXIT_QUALIFICATION]: 0x8ffc, [Field.VM_EXIT_INTR_ERROR_CODE]: 2,
      [Field.IDT_VECTORING_INFO]: soft, [Field.VM_EXIT_INSTRUCTION_LEN]: 2,
    }]); // prettier-ignore
    assert.equal(rig.entries[1], soft);
    assert.equal(rig.read(Field.VM_ENTRY_INSTRUCTION_LEN), 2);
  });
});

describe('waiting', () => {
  test('HLT sleeps to the next deadline and wakes with the interrupt; idle cycles are not instructions', () => {
    const rig = new Rig();
    rig.clock.arm(
      rig.clock.timer(() => rig.pins.push(0x20)),
      50_000,
    );
    rig.play([ExitReason.HLT, { [Field.VM_EXIT_INSTRUCTION_LEN]: 1 }]);
    assert.equal(rig.entries[1], intr(0x20));
    assert.equal(rig.hypervisor.idleCycles, 49_999);
    assert.equal(rig.machine.clock.now - rig.hypervisor.idleCycles, 1000);
    assert.equal(rig.read(Field.GUEST_RIP), 0x10_0001);
  });
  test('HLT that is single-stepped does not wait: the debug exception ends it', () => {
    const rig = new Rig(0x102);
    rig.play([ExitReason.HLT, { [Field.VM_EXIT_INSTRUCTION_LEN]: 1 }]);
    assert.equal(rig.entries.length, 2);
    assert.equal(rig.domain.stopped, undefined);
    assert.equal(rig.read(Field.GUEST_PENDING_DBG_EXCEPTIONS), 0x4000);
  });
  test('HLT with interrupts off ends the domain', () => {
    const rig = new Rig(0x2);
    rig.play([ExitReason.HLT]);
    assert.equal(rig.domain.stopped?.kind, 'shutdown');
  });
  test('HLT with nothing in sight returns, and input wakes it', () => {
    const rig = new Rig();
    rig.play([ExitReason.HLT]);
    assert.equal(rig.domain.stopped, undefined);
    rig.pins.push(0x24);
    rig.play();
    assert.equal(rig.entries[1], intr(0x24));
  });
  test('input while the guest is in the middle of a slice reaches it at once', () => {
    const rig = new Rig();
    rig.play();
    rig.pins.push(0x24);
    rig.play([
      ExitReason.EXTERNAL_INTERRUPT,
      { [Field.VM_EXIT_INTR_INFO]: intr(LOCAL_TIMER_VECTOR) },
      () => assert.ok(rig.machine.timer <= rig.machine.clock.now),
    ]);
    assert.equal(rig.entries[1], intr(0x24));
  });
});

describe('exceptions', () => {
  test('combinations of table 6-5', () => {
    const [UD, GP, PF, DF, TS] = [6, 13, 14, 8, 10] as const;
    assert.equal(combineExceptions(UD, GP), 'serial');
    assert.equal(combineExceptions(GP, TS), 'double');
    assert.equal(combineExceptions(GP, PF), 'serial');
    assert.equal(combineExceptions(PF, PF), 'double');
    assert.equal(combineExceptions(PF, GP), 'double');
    assert.equal(combineExceptions(PF, UD), 'serial');
    assert.equal(combineExceptions(DF, PF), 'triple');
    assert.equal(combineExceptions(DF, UD), 'serial');
  });
  test('page faults that keep coming back in one cycle are noticed, at one address or in turn at several', () => {
    const faultsUntilNoticed = (addresses: number, cycle: (n: number) => number): number => {
      const watch = new LivelockWatch();
      for (let n = 1; n < 10_000; n++) if (watch.again((n % addresses) * 4096, cycle(n))) return n;
      return Infinity;
    };
    assert.equal(
      faultsUntilNoticed(1, () => 7),
      65,
    );
    assert.equal(
      faultsUntilNoticed(2, () => 7),
      4097,
    );
    assert.equal(
      faultsUntilNoticed(1, (n) => n),
      Infinity,
    );
    assert.equal(
      faultsUntilNoticed(2, (n) => n >> 3),
      Infinity,
    );
  });
  test('VMX instructions, MONITOR and MWAIT are invalid opcodes', () => {
    for (const reason of [19, 20, 21, 22, 23, 24, 25, 26, 27, 36, 39, 53]) {
      const rig = new Rig();
      rig.play([reason]);
      assert.equal(rig.entries[1], exception(6, false), `reason ${reason}`);
      assert.equal(rig.read(Field.GUEST_RIP), 0x10_0000);
    }
  });
  test('a page fault while a double fault is delivered is a triple fault, with its chain', () => {
    const rig = new Rig();
    rig.domain.vcpu.shadow.mode.cr3 = 0x1000;
    rig.play(
      [ExitReason.CR_ACCESS, { [Field.EXIT_QUALIFICATION]: 0 }, () => rig.machine.state.setGpr(EAX, 0x80000011)],
      [ExitReason.EXCEPTION_OR_NMI, {
        [Field.VM_EXIT_INTR_INFO]: exception(14), [Field.EXIT_QUALIFICATION]: 0xdead0000, [Field.IDT_VECTORING_INFO]: exception(8),
      }],
    ); // prettier-ignore
    assert.equal(rig.domain.stopped?.kind, 'triple-fault');
    assert.match(rig.domain.stopped.details.join('\n'), /#PF.*CR2 0xdead0000[\s\S]*while delivering #DF/);
  });
  test('a #DB that was made to exit sets DR6 and clears DR7.GD on its way back to the guest', () => {
    const rig = new Rig();
    rig.machine.state.setDr(6, 0xffff_8ff2);
    rig.machine.vmx.vmwrite(Field.GUEST_DR7, 0x2402);
    rig.play([
      ExitReason.EXCEPTION_OR_NMI,
      { [Field.VM_EXIT_INTR_INFO]: exception(1, false), [Field.EXIT_QUALIFICATION]: 0x4001 },
    ]);
    assert.equal(rig.entries[1], exception(1, false));
    assert.deepEqual([rig.machine.state.dr(6), rig.read(Field.GUEST_DR7)], [0xffff_cff1, 0x402]);
  });
  test('an exit without a handler stops the domain and names it', () => {
    const rig = new Rig();
    rig.play([ExitReason.RSM]);
    assert.deepEqual(
      [rig.domain.stopped?.kind, /"RSM" \(reason 17\) at 0x100000/.test(rig.domain.stopped!.message)],
      ['unsupported', true],
    );
  });
  test('a failed VM entry stops the domain', () => {
    const rig = new Rig();
    rig.play([0x8000_0000 + ExitReason.ENTRY_FAILURE_GUEST_STATE]);
    assert.equal(rig.domain.stopped?.kind, 'vm-entry-failure');
  });
});

describe('control registers', () => {
  const mov = (cr: number, gpr: number, from = false): Record<number, number> => ({
    [Field.EXIT_QUALIFICATION]: cr | (from ? 0x10 : 0) | (gpr << 8),
    [Field.VM_EXIT_INSTRUCTION_LEN]: 3,
  });
  test('the guest sees its own values, the processor what VMX and shadow paging need', () => {
    const rig = new Rig();
    const set = (value: number) => () => rig.machine.state.setGpr(EDX, value);
    rig.play(
      [ExitReason.CR_ACCESS, mov(4, EDX), set(Cr4.PSE)],
      [ExitReason.CR_ACCESS, mov(3, EDX), set(0x5000)],
      [ExitReason.CR_ACCESS, mov(0, EDX), set(Cr0.PG | Cr0.PE)],
    );
    assert.equal(rig.read(Field.CR0_READ_SHADOW), (Cr0.PG | Cr0.PE | Cr0.ET) >>> 0);
    assert.equal(rig.read(Field.GUEST_CR0), (Cr0.PG | Cr0.PE | Cr0.ET | Cr0.NE | Cr0.WP) >>> 0);
    assert.equal(rig.read(Field.CR4_READ_SHADOW), Cr4.PSE);
    assert.equal(rig.read(Field.GUEST_CR4), Cr4.PSE | Cr4.VMXE);
    assert.notEqual(rig.read(Field.GUEST_CR3), 0x5000);
    assert.equal(rig.read(Field.GUEST_RIP), 0x10_0009);
    rig.play([ExitReason.CR_ACCESS, mov(3, EBX, true)]);
    assert.equal(rig.machine.state.gpr(EBX), 0x5000);
    assert.ok(rig.domain.vcpu.shadow.isTable(5), 'the page directory is watched');
  });
  test('reserved and impossible values raise #GP', () => {
    for (const [cr, value] of [
      [0, 0x80000000],
      [0, 0x20000001],
      [4, Cr4.VMXE],
      [4, 1 << 20],
    ] as const) {
      const rig = new Rig();
      rig.play([ExitReason.CR_ACCESS, mov(cr, EDX), () => rig.machine.state.setGpr(EDX, value)]);
      assert.equal(rig.entries[1], exception(13), `CR${cr} ${value.toString(16)}`);
    }
  });
  test('CLTS and LMSW', () => {
    const rig = new Rig();
    rig.play([ExitReason.CR_ACCESS, { [Field.EXIT_QUALIFICATION]: 0x30 | (0xe << 16) }]);
    assert.equal(rig.read(Field.CR0_READ_SHADOW), 0x1f, 'LMSW cannot clear PE');
    rig.play([ExitReason.CR_ACCESS, { [Field.EXIT_QUALIFICATION]: 0x20 }]);
    assert.equal(rig.read(Field.CR0_READ_SHADOW), 0x17);
  });
  test('real mode is left to the emulator', () => {
    const rig = new Rig();
    assert.throws(() => {
      rig.play([ExitReason.CR_ACCESS, mov(0, EDX), () => rig.machine.state.setGpr(EDX, 0x10)]);
    }, /no real mode here/);
    assert.equal(rig.read(Field.CR0_READ_SHADOW), 0x10);
    assert.equal(rig.domain.stopped, undefined);
  });
  test('MOV DR exits once', () => {
    const rig = new Rig();
    assert.ok(rig.read(Field.CPU_BASED_VM_EXEC_CONTROL) & PrimaryControl.MOV_DR_EXITING);
    rig.play([ExitReason.MOV_DR]);
    assert.equal(rig.read(Field.CPU_BASED_VM_EXEC_CONTROL) & PrimaryControl.MOV_DR_EXITING, 0);
    assert.equal(rig.read(Field.GUEST_RIP), 0x10_0000, 'the instruction runs again');
  });
});

describe('I/O', () => {
  const io = (
    size: number,
    input: boolean,
    string = false,
    rep = false,
    more: Record<number, number> = {},
  ): Record<number, number> => ({
    [Field.EXIT_QUALIFICATION]: IoAccess.encode(size, input, string, rep, false, 0x300),
    [Field.VM_EXIT_INSTRUCTION_INFO]: 0x80,
    ...more,
  });
  test('IN changes only its part of EAX, OUT passes only its part', () => {
    const rig = new Rig();
    rig.echo.value = 0x5a;
    rig.machine.state.setGpr(EAX, 0x11223344);
    rig.play([ExitReason.IO_INSTRUCTION, io(1, true)], [ExitReason.IO_INSTRUCTION, io(2, false)]);
    assert.equal(rig.machine.state.gpr(EAX), 0x1122335a);
    assert.deepEqual(rig.echo.log, ['in 0 1', `out 0 2 ${0x335a}`]);
    assert.equal(rig.read(Field.GUEST_RIP), 0x10_0004);
  });
  test('REP INS fills guest memory, backwards with DF, across pages', () => {
    const rig = new Rig();
    const { state } = rig.machine;
    rig.echo.value = 1;
    state.setGpr(EDI, 0x3ffe);
    state.setGpr(ECX, 3);
    rig.play([ExitReason.IO_INSTRUCTION, io(2, true, true, true, { [Field.GUEST_LINEAR_ADDRESS]: 0x3ffe })]);
    assert.equal(rig.domain.p2m.read(0x3ffe, 2), 1);
    assert.equal(rig.domain.p2m.read(0x4000, 4), 0x0003_0002);
    assert.deepEqual([state.gpr(EDI), state.gpr(ECX)], [0x4004, 0]);
    rig.machine.vmx.vmwrite(Field.GUEST_RFLAGS, 0x202 | Flag.DF);
    state.setGpr(ESI, 0x4002);
    state.setGpr(ECX, 2);
    rig.echo.log.length = 0;
    rig.play([ExitReason.IO_INSTRUCTION, io(2, false, true, true, { [Field.GUEST_LINEAR_ADDRESS]: 0x4002 })]);
    assert.deepEqual(rig.echo.log, ['out 0 2 3', 'out 0 2 2']);
    assert.equal(state.gpr(ESI), 0x3ffe);
  });
  test('a page fault inside REP INS keeps what is done and reads the port no further', () => {
    const rig = new Rig();
    const { state } = rig.machine;
    const { p2m } = rig.domain;
    // One table at 2000h maps page 7 to frame 7, and nothing after it.
    p2m.write(0x1000, 4, 0x2007);
    p2m.write(0x2000 + 7 * 4, 4, 0x7007);
    const set = (value: number) => () => state.setGpr(EAX, value);
    rig.play(
      [ExitReason.CR_ACCESS, { [Field.EXIT_QUALIFICATION]: 3 }, set(0x1000)],
      [ExitReason.CR_ACCESS, { [Field.EXIT_QUALIFICATION]: 0 }, set(0x80000011)],
    );
    const before = rig.read(Field.GUEST_RIP);
    state.setGpr(EDI, 0x7ff8);
    state.setGpr(ECX, 5);
    rig.entries = [];
    rig.play([ExitReason.IO_INSTRUCTION, io(4, true, true, true, { [Field.GUEST_LINEAR_ADDRESS]: 0x7ff8 })]);
    assert.equal(rig.echo.log.length, 2);
    assert.deepEqual([state.gpr(EDI), state.gpr(ECX), state.cr2], [0x8000, 3, 0x8000]);
    assert.equal(rig.entries[0], exception(14));
    assert.equal(rig.read(Field.VM_ENTRY_EXCEPTION_ERROR_CODE), 2);
    assert.equal(rig.read(Field.GUEST_RIP), before);
  });
  test('no I/O exit for ports passed through, every other port exits', () => {
    const machine = new FakeMachine(machineBytesFor([MEMORY]));
    const hypervisor = new Hypervisor(machine, CORE_DUO, null, { passedPorts: [0x80, 0x8123] });
    const rig = new Rig();
    const result = hypervisor.createDomain({
      name: 'p',
      memoryBytes: MEMORY,
      platform: rig.domain.platform,
      boot: { ok: true, protocol: 'linux', loads: [], state: { ...STATE } },
    });
    assert.ok(result.ok);
    const bit = (field: number, port: number): number =>
      (machine.memory.read8(machine.vmx.vmread(field) + (port >> 3)) >> (port & 7)) & 1;
    assert.deepEqual(
      [
        bit(Field.IO_BITMAP_A, 0x80),
        bit(Field.IO_BITMAP_A, 0x81),
        bit(Field.IO_BITMAP_B, 0x123),
        bit(Field.IO_BITMAP_B, 0x122),
      ],
      [0, 1, 0, 1],
    );
  });
});
const nothing = flatData(0);
const STATE = {
  eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: 0, edi: 0, eip: 0, eflags: 2, cr0: 0x11, cr4: 0,
  cs: flatCode(8), ss: nothing, ds: nothing, es: nothing, fs: nothing, gs: nothing, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
}; // prettier-ignore

describe('MSRs, CPUID, TSC', () => {
  test('unknown MSRs raise #GP; the time-stamp counter can be written', () => {
    const rig = new Rig();
    const { state } = rig.machine;
    rig.play([ExitReason.RDMSR, {}, () => state.setGpr(ECX, 0x4b564d00)]);
    assert.equal(rig.entries[1], exception(13));
    rig.play([
      ExitReason.WRMSR,
      {},
      () => {
        state.setGpr(ECX, 0x10);
        state.setGpr(EAX, 0xffff_fff0);
        state.setGpr(EDX, 7);
      },
    ]);
    const written = rig.machine.clock.now;
    rig.machine.vmx.nonRoot = true;
    rig.play([ExitReason.RDMSR, {}, () => rig.machine.clock.set(written + 0x20)]);
    // 1000 cycles of slice ran after the write completed, then 20h more.
    const counter = state.gpr(EDX) * 2 ** 32 + state.gpr(EAX);
    assert.ok(counter > 7 * 2 ** 32 + 0xffff_fff0 && counter < 8 * 2 ** 32 + 2000);
  });
  test('CPUID hides VMX, MONITOR, the performance counters and Xen', () => {
    const rig = new Rig();
    const { state } = rig.machine;
    const ask = (leaf: number, subleaf = 0): number[] => {
      const set = (): void => {
        state.setGpr(EAX, leaf);
        state.setGpr(ECX, subleaf);
      };
      rig.play([ExitReason.CPUID, {}, set]);
      return [EAX, EBX, ECX, EDX].map((n) => state.gpr(n));
    };
    const leaf1 = CORE_DUO.cpuid.get(1)!;
    assert.deepEqual(ask(1), [leaf1.eax, leaf1.ebx, 1, leaf1.edx]);
    assert.deepEqual(ask(4, 2), [0x143, 0x01c0_003f, 0xfff, 1]);
    for (const leaf of [5, 0xa, 0xb, 0x4000_0000]) assert.deepEqual(ask(leaf), [0, 0, 0, 0]);
    state.setGpr(ECX, 0x8b);
    rig.play([ExitReason.RDMSR, {}, () => state.setGpr(ECX, 0x8b)]);
    assert.equal(state.gpr(EDX), CORE_DUO.microcode);
  });
  test("a guest's MTRRs are its own and begin as firmware leaves them; no machine-check banks, no counters", () => {
    const rig = new Rig();
    const { state } = rig.machine;
    const exit = (reason: number, index: number, low = 0, high = 0): void => {
      rig.entries.length = 0;
      const set = (): void => {
        state.setGpr(ECX, index);
        state.setGpr(EAX, low);
        state.setGpr(EDX, high);
      };
      rig.play([reason, {}, set]);
    };
    const read = (index: number): number[] => {
      exit(ExitReason.RDMSR, index);
      return [state.gpr(EAX), state.gpr(EDX)];
    };
    assert.deepEqual(read(0xfe), [0x508, 0]);
    assert.deepEqual(read(0x2ff), [0xc06, 0]);
    assert.deepEqual(read(0x26f), [0x0505_0505, 0x0505_0505]);
    exit(ExitReason.WRMSR, 0x2ff, 0x800);
    assert.deepEqual(read(0x2ff), [0x800, 0]);
    assert.equal(state.msrLow(MsrSlot.MTRR), 0, "the processor's own stays");
    assert.deepEqual(read(0x179), [0, 0]);
    assert.deepEqual(read(0x1a0), [0x1801, 0]);
    for (const [reason, index, low] of [
      [ExitReason.WRMSR, 0x2ff, 2],
      [ExitReason.WRMSR, 0x1a0, 1 << 18],
      [ExitReason.RDMSR, 0x186],
      [ExitReason.RDMSR, 0x400],
      [ExitReason.RDPMC, 0],
    ] as const) {
      exit(reason, index, low);
      assert.ok(rig.entries.includes(exception(13)), `${reason} ${index.toString(16)}`);
    }
  });
});

describe('hypercalls', () => {
  const call = (rig: Rig, number: number, ...args: number[]): number => {
    const { state } = rig.machine;
    rig.play([
      ExitReason.VMCALL,
      { [Field.VM_EXIT_INSTRUCTION_LEN]: 3 },
      () => {
        state.setGpr(EAX, number);
        [EBX, ECX, EDX, ESI, EDI].forEach((register, i) => state.setGpr(register, args[i] ?? 0));
      },
    ]);
    return state.gpr(EAX) | 0;
  };
  test('numbers, errors and privilege', () => {
    const rig = new Rig();
    assert.equal(call(rig, 17, 0), 0x0003_0002);
    assert.equal(call(rig, 17, 1, 0x5000), 0);
    assert.equal(String.fromCharCode(...[0, 1, 2].map((i) => rig.domain.p2m.read(0x5000 + i, 1))), '-ka');
    assert.equal(call(rig, 18), -38);
    assert.equal(call(rig, 0xffffffff), -38);
    rig.machine.vmx.vmwrite(Field.GUEST_SS_AR_BYTES, 0xc0f3);
    assert.equal(call(rig, 17, 0), -1, 'ring 3');
  });
  test('registered calls get their caller and guest memory', () => {
    const rig = new Rig();
    rig.hypervisor.registerHypercall(48, 'observe_op', (caller) => {
      const bytes = new Uint8Array(4);
      if (!caller.readGuest(caller.args[1]!, bytes)) return -14;
      return caller.domain.id + caller.cpl + bytes[0]! + caller.args[0]!;
    });
    assert.throws(() => rig.hypervisor.registerHypercall(48, 'again', () => 0), /registered twice/);
    rig.domain.p2m.write(0x6000, 4, 42);
    assert.equal(call(rig, 48, 100, 0x6000), 142);
  });
  test('sched_op shutdown', () => {
    const rig = new Rig();
    rig.domain.p2m.write(0x6000, 4, 1);
    call(rig, 29, 2, 0x6000);
    assert.equal(rig.domain.stopped?.kind, 'reboot');
  });
});

test("a domain's memory is loaded through its p2m, not at the machine's addresses", () => {
  const rig = new Rig();
  assert.equal(rig.domain.p2m.read(0x10_0001, 1), 2);
  assert.notEqual(rig.domain.p2m.mfnOf[0x100], 0x100);
  assert.equal(rig.domain.p2m.isRam(0xb8), false);
});
