// What fuzzing has found, as small cases made by hand: seeds change their meaning with the instruction table, these do not.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CPU_MODELS } from '../../src/machine/cpu/model.ts';
import { PrimaryControl } from '../../src/machine/vmx/controls.ts';
import { ExitReason } from '../../src/machine/vmx/exit-reasons.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import { BareProcessor } from '../support/bare-processor.ts';
import { Executors } from './executors.ts';
import type { FuzzCase, InitialState } from './fuzz-case.ts';
import { HypervisorExecutor } from './hypervisor-executor.ts';
import { verify } from './invariants.ts';

const GDT = 0x1000;
const IDT = 0x2000;
const DIRECTORY = 0x3000;
const TABLE = 0x4000;
const CODE = 0x8000;
const HANDLER = 0x9000;

const words = (...list: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(list).buffer);
const dword = (value: number): number[] => [...words(value)];
const identity = (): number[] => Array.from({ length: 1024 }, (_, page) => (page << 12) | 7);

/** Flat ring 0 with paging, 4 MiB identity, one gate for INT 80h whose handler halts. */
const flatCase = (code: readonly number[], esp: number): FuzzCase => {
  const idt = Array<number>(0x81 * 2).fill(0);
  idt[0x80 * 2] = (8 << 16) | HANDLER;
  idt[0x80 * 2 + 1] = 0x8e00;
  const data = { selector: 16, base: 0, limit: 0xffff_ffff, access: 0xc093 };
  const state: InitialState = {
    gpr: [0, 0, 0, 0, esp, 0, 0, 0],
    eip: CODE,
    eflags: 2,
    cpl: 0,
    cr0: 0x8001_0031,
    cr3: DIRECTORY,
    cr4: 0,
    segments: [
      data,
      { ...data, selector: 8, access: 0xc09b },
      data,
      data,
      data,
      data,
      { selector: 0, base: 0, limit: 0, access: 0x1_0000 },
      { selector: 24, base: 0x5000, limit: 0x67, access: 0x8b },
    ],
    gdtr: { base: GDT, limit: 0x1f },
    idtr: { base: IDT, limit: 0x407 },
    dr: [0, 0, 0, 0, 0, 0, 0xffff_0ff0, 0x400],
  };
  return {
    seed: 0,
    environment: 'hypervisor',
    mode: 'protected32',
    paging: 'two-level',
    cpu: 'core-duo',
    vmxRoot: false,
    memory: [
      { address: GDT, bytes: words(0, 0, 0xffff, 0xcf_9b00, 0xffff, 0xcf_9300, 0x5000_0067, 0x8b00) },
      { address: IDT, bytes: words(...idt) },
      { address: DIRECTORY, bytes: words(TABLE | 7) },
      { address: TABLE, bytes: words(...identity()) },
      { address: HANDLER, bytes: Uint8Array.of(0xf4) },
    ],
    codeAddress: CODE,
    pieces: [code],
    state,
    tablesProtected: false,
    cycles: 200,
  };
};

describe('found by fuzzing', () => {
  it('an interrupt whose frame goes to the page table in use, under the hypervisor', () => {
    const guest = new HypervisorExecutor();
    // The last entries of the table map the megabyte's end, which nobody uses.
    guest.start(flatCase([0xcd, 0x80], TABLE + 0x1000));
    guest.run(200);
    assert.equal(guest.stopped, 'power-off', 'its handler halts');
    assert.equal(guest.registers()['eip'], (HANDLER + 1).toString(16));
    assert.equal(guest.registers()['esp'], (TABLE + 0x1000 - 12).toString(16));
  });
  it('an interrupt whose frame goes where nothing is, under the hypervisor', () => {
    const guest = new HypervisorExecutor();
    const { memory, ...rest } = flatCase([0xcd, 0x80], 0x40_1000);
    const far = new Uint8Array(Uint32Array.of(TABLE | 7, 0x8000_0083).buffer);
    guest.start({
      ...rest,
      state: { ...rest.state, cr4: 0x10 },
      memory: memory.map((block) => (block.address === DIRECTORY ? { ...block, bytes: far } : block)),
    });
    guest.run(200);
    assert.equal(guest.stopped, 'power-off');
    assert.equal(guest.registers()['eip'], (HANDLER + 1).toString(16));
  });
  it('user mode writes to the page table that maps its own code, under the hypervisor', () => {
    const guest = new HypervisorExecutor();
    // MOV dword [last entry of the table], 0x5067; MOV EAX, [there]; JMP $
    const last = [(TABLE + 0xffc) & 0xff, (TABLE + 0xffc) >> 8, 0, 0];
    const code = [0xc7, 0x05, ...last, 0x67, 0x50, 0, 0, 0xa1, ...last, 0xeb, 0xfe];
    const { state, ...rest } = flatCase(code, 0x7000);
    const segments = state.segments.map((g, n) =>
      n < 6 ? { ...g, selector: g.selector | 3, access: g.access | 0x60 } : g,
    );
    guest.start({ ...rest, state: { ...state, segments, cpl: 3 } });
    guest.run(20);
    assert.equal(guest.stopped, undefined);
    assert.deepEqual([guest.now, guest.retired], [20, 20]);
    assert.equal(guest.registers()['eip'], (CODE + 15).toString(16));
    assert.equal(guest.registers()['eax'], '5067');
  });
  it('an interrupt whose frame goes to two page tables, each of which maps the other, under the hypervisor', () => {
    const guest = new HypervisorExecutor();
    const second = 0x6000;
    const high = 0x40_0000;
    const { memory, state, ...rest } = flatCase([0xcd, 0x80], high + 4);
    // EFLAGS goes to linear 4 MiB, which is the first table; CS and EIP below it, which is the second.
    const low = identity();
    low[1023] = second | 7;
    const upper = identity();
    upper[0] = TABLE | 7;
    const idt = memory.find((block) => block.address === IDT)!.bytes.slice();
    new DataView(idt.buffer).setUint32(0x80 * 8 + 4, high | 0x8e00, true);
    guest.start({
      ...rest,
      // What the delivery reads is behind the second table: only the frame's lower part needs the first.
      state: { ...state, gdtr: { ...state.gdtr, base: high + GDT }, idtr: { ...state.idtr, base: high + IDT } },
      memory: [
        ...memory.filter((block) => ![DIRECTORY, TABLE, IDT].includes(block.address)),
        { address: DIRECTORY, bytes: words(TABLE | 7, second | 7) },
        { address: TABLE, bytes: words(...low) },
        { address: second, bytes: words(...upper) },
        { address: IDT, bytes: idt },
      ],
    });
    guest.run(200);
    assert.equal(guest.stopped, 'power-off', 'its handler halts');
    assert.equal(guest.registers()['eip'], (high + HANDLER + 1).toString(16));
    assert.equal(guest.registers()['esp'], (high + 4 - 12).toString(16));
  });
  it('a guest of the hypervisor whose handler faults at once: time passes', () => {
    const guest = new HypervisorExecutor();
    const { memory, ...rest } = flatCase([0x0f, 0x0b], 0x7000);
    const idt = new Uint8Array(0x408);
    const view = new DataView(idt.buffer);
    // #UD enters a handler that is UD2 again.
    view.setUint32(6 * 8, (8 << 16) | CODE, true);
    view.setUint32(6 * 8 + 4, 0x8e00, true);
    guest.start({ ...rest, memory: memory.map((b) => (b.address === IDT ? { ...b, bytes: idt } : b)) });
    guest.run(4);
    assert.equal(guest.now, 4);
    assert.equal(guest.stopped, undefined);
  });
  it('faults in a row behind a VM exit: each counts towards the time that events take', () => {
    // CPUID at the end of a page, behind which none is. The handlers of #UD and #PF are UD2.
    const code = CODE - 2;
    const table = identity();
    table[CODE >> 12] = 0;
    const flat = flatCase([0x0f, 0xa2], 0x40000);
    const memory = [
      ...flat.memory.map((block) => (block.address === TABLE ? { ...block, bytes: words(...table) } : block)),
      ...[6, 14].map((n) => ({ address: IDT + n * 8, bytes: words((8 << 16) | HANDLER, 0x8e00) })),
      { address: HANDLER, bytes: Uint8Array.of(0x0f, 0x0b) },
    ];
    const atEnd: FuzzCase = {
      ...flat,
      environment: 'vmx',
      memory,
      cycles: 150,
      codeAddress: code,
      state: { ...flat.state, eip: code },
    };
    const executors = new Executors();
    assert.equal(verify(atEnd, executors, { fresh: true, deep: true }).finding, undefined);
    const { eip, esp } = executors.get(atEnd, 0).registers();
    assert.equal(eip, HANDLER.toString(16));
    assert.ok(parseInt(esp!, 16) < 0x3_0000, 'many faults');
  });
  it('a guest takes away the page that it runs in, which has a data breakpoint: the TLB has its translation still', () => {
    const { state, ...flat } = flatCase(
      [0xc7, 0x05, ...dword(TABLE + 4 * (CODE >> 12)), 0, 0, 0, 0, 0x90, 0x40, 0xeb, 0xfd],
      0x7000,
    );
    const c: FuzzCase = {
      ...flat,
      environment: 'processor',
      // L0; four bytes, writes.
      state: { ...state, dr: [CODE + 0xf00, 0, 0, 0, 0, 0, 0xffff_0ff0, 0xd_0401] },
    };
    const executors = new Executors();
    assert.equal(verify(c, executors, { fresh: true, deep: true }).finding, undefined);
    assert.equal(executors.get(c, 0).registers()['eax'], '63', 'no page fault');
  });
  it('REPNE SCAS as all that a region has, and as the last of 64 instructions: the run ends where it shall', () => {
    const executors = new Executors();
    for (const before of [0, 63]) {
      // MOV ECX, 100; FNINIT; JMP to the next; NOPs, REPNE SCASD, FNINIT, JMP to the start. FNINIT has no place in a region.
      const piece = [...Array<number>(before).fill(0x90), 0xf2, 0xaf, 0xdb, 0xe3];
      const code = [0xb9, ...dword(100), 0xdb, 0xe3, 0xeb, 0, ...piece, 0xeb, -(piece.length + 11) & 0xff];
      const flat = flatCase(code, 0x7000);
      const gpr = [1, 0, 0, 0, 0x7000, 0, 0, 0x1_0000];
      // The fourth time, too little is left for all iterations.
      const fourth = 3 + 3 * (105 + before);
      for (const left of [64, 65, 80, 99, 120, 162]) {
        const c: FuzzCase = { ...flat, environment: 'processor', cycles: fourth + left, state: { ...flat.state, gpr } };
        assert.equal(verify(c, executors, { fresh: false, deep: false }).finding, undefined, `${before} ${left}`);
      }
    }
  });
  it('REP MOVS that RF is set for: it stays set until all iterations are done, however the run is cut', () => {
    const { state, ...flat } = flatCase([0xf3, 0xa5], 0x7000);
    const gpr = [0, 0x1000, 0, 0, 0x7000, 0, 0x1_0000, 0x2_0000];
    for (let seed = 0; seed < 4; seed++) {
      const c: FuzzCase = {
        ...flat,
        environment: 'processor',
        seed,
        cycles: 900,
        state: { ...state, gpr, eflags: 0x1_0002 },
      };
      const executors = new Executors();
      assert.equal(verify(c, executors, { fresh: false, deep: true }).finding, undefined);
      assert.equal(executors.get(c, 0).registers()['eflags'], '10002');
    }
  });
  it('a single step behind STI whose delivery fills a shadow table, under the hypervisor', () => {
    const guest = new HypervisorExecutor();
    // PUSH 102h (TF); POPFD; STI; HLT. The trap behind STI is the first to read the IDT.
    const { memory, ...rest } = flatCase([0x68, 0x02, 0x01, 0, 0, 0x9d, 0xfb, 0xf4], 0x7000);
    const idt = memory.find((block) => block.address === IDT)!.bytes.slice();
    new DataView(idt.buffer).setUint32(1 * 8, (8 << 16) | HANDLER, true);
    new DataView(idt.buffer).setUint32(1 * 8 + 4, 0x8e00, true);
    guest.start({ ...rest, memory: memory.map((b) => (b.address === IDT ? { ...b, bytes: idt } : b)) });
    guest.run(200);
    assert.equal(guest.stopped, 'power-off', 'the handler halts');
    assert.equal(guest.registers()['eip'], (HANDLER + 1).toString(16));
  });
  it('REP STOS over itself: the same in one run and in single steps', () => {
    // ECX = 40h, EDI = CODE, EAX = NOPs and REP STOSD: it stops being itself after five iterations.
    const code = [0xb9, 0x40, 0, 0, 0, 0xbf, 0, 0x80, 0, 0, 0xb8, 0x90, 0x90, 0x90, 0x90, 0xf3, 0xab, 0x90, 0x90];
    const c: FuzzCase = { ...flatCase(code, 0x7000), environment: 'processor', seed: 1 };
    const { finding } = verify(c, new Executors(), { fresh: false, deep: true });
    assert.equal(finding, undefined);
    const m = new BareProcessor(1 << 16);
    m.load(CODE, code);
    m.cpu.s.eip = CODE;
    m.run(100);
    assert.equal(m.cpu.s.gpr(1), 0x40 - 4, 'the fourth store has replaced F3 AB');
  });
  it('the monitor trap flag of a guest that a single step enters: it executes one instruction first', () => {
    // EDX = field, EAX = value, VMWRITE EDX, EAX.
    const vmwrite = (field: number, value: number): number[] => [0xba, ...dword(field), 0xb8, ...dword(value), 0x0f, 0x79, 0xd0]; // prettier-ignore
    const { pin, primary } = CPU_MODELS.modern.vmx.controls;
    const [guest, host] = [CODE + 0x200, CODE + 0x300];
    const launch = [
      ...vmwrite(Field.PIN_BASED_VM_EXEC_CONTROL, pin.allowed0),
      ...vmwrite(Field.CPU_BASED_VM_EXEC_CONTROL, (primary.allowed0 | PrimaryControl.MONITOR_TRAP_FLAG) >>> 0),
      ...vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 0),
      ...vmwrite(Field.GUEST_ACTIVITY_STATE, 0),
      ...vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, 0),
      ...vmwrite(Field.GUEST_RIP, guest),
      ...vmwrite(Field.HOST_RIP, host),
      ...[0x0f, 0x01, 0xc2, 0xf4], // VMLAUNCH, HLT
    ];
    // VMREAD EAX, exit reason; VMREAD ECX, guest RIP; HLT.
    const handler = [0xba, ...dword(Field.VM_EXIT_REASON), 0x0f, 0x78, 0xd0, 0xba, ...dword(Field.GUEST_RIP), 0x0f, 0x78, 0xd1, 0xf4]; // prettier-ignore
    const code = Array<number>(0x400).fill(0x90);
    code.splice(0, launch.length, ...launch);
    code.splice(host - CODE, handler.length, ...handler);
    const c: FuzzCase = { ...flatCase(code, 0x7000), environment: 'machine', cpu: 'modern', vmxRoot: true };
    const executors = new Executors();
    const { finding } = verify(c, executors, { fresh: false, deep: true });
    assert.equal(finding, undefined);
    const { eax, ecx } = executors.get(c, 0).registers();
    assert.deepEqual(
      [eax, ecx],
      [ExitReason.MONITOR_TRAP_FLAG, guest + 1].map((value) => value.toString(16)),
    );
  });
  it('two faults at one moment, again and again: each moment is told from the others', () => {
    // mov eax, [500000h]; jmp back. #PF's handler is UD2; #UD's passes both: add esp, 12; add dword [esp + 4], 5; add esp, 4; iret.
    const flat = flatCase([0xa1, ...dword(0x50_0000), 0xeb, 0xf9], 0x7000);
    const gate = (vector: number, address: number) => ({
      address: IDT + vector * 8,
      bytes: words((8 << 16) | address, 0x8e00),
    });
    const code = Uint8Array.of(0x0f, 0x0b, 0x83, 0xc4, 0x0c, 0x83, 0x44, 0x24, 0x04, 0x05, 0x83, 0xc4, 0x04, 0xcf);
    const memory = [...flat.memory, gate(14, HANDLER), gate(6, HANDLER + 2), { address: HANDLER, bytes: code }];
    const c: FuzzCase = { ...flat, environment: 'processor', memory, cycles: 4000 };
    const executors = new Executors();
    const { finding } = verify(c, executors, { fresh: true, deep: true });
    assert.equal(finding, undefined);
    assert.equal(executors.get(c, 0).retired, 4000, 'no event takes time');
  });
  it('REP MOVS whose source page is absent and whose destination is beyond the limit: the read faults first', () => {
    for (const count of [1, 100]) {
      const m = new BareProcessor(1 << 16);
      const { s } = m.cpu;
      m.memory.write32(DIRECTORY, TABLE | 7);
      for (let page = 0; page < 16; page++) m.memory.write32(TABLE + page * 4, page === 7 ? 0 : (page << 12) | 7);
      m.load(CODE, [0xf3, 0xa4]);
      s.eip = CODE;
      s.cr3 = DIRECTORY;
      s.cr0 = 0x8000_0033;
      s.setSegment(0, 0x10, 0, 0xfff, 0x4093);
      s.setGpr(1, 50);
      s.setGpr(6, 0x7000);
      s.setGpr(7, 0x2000);
      m.cpu.mmu.controlsChanged();
      m.cpu.modeDirty = true;
      m.run(count);
      assert.deepEqual([m.faults[0]?.vector, m.faults[0]?.address], [14, 0x7000], `with ${count} cycles to go`);
    }
  });
});
