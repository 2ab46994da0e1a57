// For specs: a processor with VMX whose current VMCS holds a guest that a VM entry accepts: flat 32-bit segments, paging with one
// identity-mapped 4 MiB page, an IDT and a GDT. Not a machine: no devices, no translated code.

import assert from 'node:assert/strict';
import { Bus } from '../bus.ts';
import { Clock } from '../clock.ts';
import { Cpu, type Operands } from '../cpu/cpu.ts';
import { Mmu } from '../cpu/mmu.ts';
import { CORE_DUO, type CpuModel } from '../cpu/model.ts';
import { resetMsrs } from '../cpu/msr.ts';
import { CS, DS, ES, FS, GS, LDTR, SS, TR } from '../cpu/state.ts';
import { PhysicalMemory } from '../memory.ts';
import { Field, type FieldId } from './fields.ts';
import { VM_SUCCEED } from './instruction-errors.ts';
import { Vmx } from './vmx.ts';

export const VMXON_REGION = 0x1_0000;
export const VMCS_REGION = 0x1_1000;
export const OTHER_VMCS = 0x1_2000;
export const MSR_BITMAP = 0x1_3000;
export const IO_BITMAP_A = 0x1_4000;
export const IO_BITMAP_B = 0x1_5000;
export const MSR_AREA = 0x1_6000;
export const PAGE_DIRECTORY = 0x1_7000;
export const GDT = 0x1_8000;
export const IDT = 0x1_9000;
export const STACK = 0x2_0000;
export const GUEST_CODE = 0x3_0000;
export const HOST_CODE = 0x4_0000;

export const CODE_SELECTOR = 0x08;
export const DATA_SELECTOR = 0x10;
export const TSS_SELECTOR = 0x18;
const CODE_RIGHTS = 0xc09b;
const DATA_RIGHTS = 0xc093;

export interface Fixture {
  readonly memory: PhysicalMemory;
  readonly cpu: Cpu;
  readonly vmx: Vmx;
  readonly clock: Clock;
  readonly bus: Bus;
  /** Reasons given to the TypeScript root, if there is one. */
  readonly exits: number[];
}

/** A gate of the IDT to CODE_SELECTOR:offset. */
const gate = (memory: PhysicalMemory, vector: number, offset: number): void => {
  memory.write32(IDT + vector * 8, (CODE_SELECTOR << 16) | (offset & 0xffff));
  memory.write32(IDT + vector * 8 + 4, (offset & 0xffff_0000) | 0x8e00);
};
/** Where the handler of a vector begins. */
export const handlerOf = (vector: number): number => 0x5_0000 + vector * 16;

/** A processor in VMX root operation with a current VMCS that holds a valid guest. `bare`: no TypeScript root. */
export const fixture = (options: { model?: CpuModel; bare?: boolean } = {}): Fixture => {
  const memory = new PhysicalMemory(0x40_0000);
  const clock = new Clock();
  const bus = new Bus();
  const model = options.model ?? CORE_DUO;
  const cpu = new Cpu(memory, bus, clock, model);
  const vmx = new Vmx(cpu);
  cpu.vmx = vmx;
  cpu.interrupts = { intr: false, acknowledge: () => 0x77 };
  cpu.mmu = new Mmu(cpu);
  resetMsrs(cpu);
  const exits: number[] = [];
  if (options.bare !== true) vmx.root = { onVmExit: (reason) => exits.push(reason) };

  memory.write32(PAGE_DIRECTORY, 0x83);
  memory.write32(GDT + CODE_SELECTOR, 0x0000_ffff);
  memory.write32(GDT + CODE_SELECTOR + 4, 0x00cf_9b00);
  memory.write32(GDT + DATA_SELECTOR, 0x0000_ffff);
  memory.write32(GDT + DATA_SELECTOR + 4, 0x00cf_9300);
  for (let vector = 0; vector < 256; vector++) gate(memory, vector, handlerOf(vector));
  for (const region of [VMXON_REGION, VMCS_REGION, OTHER_VMCS]) memory.write32(region, model.vmx.revisionId);
  flat(cpu);
  assert.equal(vmx.vmxon(VMXON_REGION), VM_SUCCEED);
  assert.equal(vmx.vmclear(VMCS_REGION), VM_SUCCEED);
  assert.equal(vmx.vmptrld(VMCS_REGION), VM_SUCCEED);
  writeValidState(vmx);
  return { memory, cpu, vmx, clock, bus, exits };
};

/** The bare processor's own state: 32-bit protected mode with paging, CPL 0, in VMX operation. */
const flat = (cpu: Cpu): void => {
  const s = cpu.s;
  s.cr0 = 0x8000_0031;
  s.cr3 = PAGE_DIRECTORY;
  s.cr4 = 0x2010;
  s.setSegment(CS, CODE_SELECTOR, 0, 0xffff_ffff, CODE_RIGHTS);
  for (const n of [SS, DS, ES, FS, GS]) s.setSegment(n, DATA_SELECTOR, 0, 0xffff_ffff, DATA_RIGHTS);
  s.setSegment(TR, TSS_SELECTOR, 0x7000, 0x67, 0x8b);
  s.setSegment(LDTR, 0, 0, 0, 0x1_0000);
  s.setGpr(4, STACK);
  s.eip = HOST_CODE;
  s.eflags = 2;
  s.setDr(7, 0x400);
};

const VALID: Partial<Record<FieldId, number>> = {
  GUEST_CR0: 0x8000_0031,
  GUEST_CR3: PAGE_DIRECTORY,
  GUEST_CR4: 0x2010,
  GUEST_DR7: 0x400,
  GUEST_RSP: STACK,
  GUEST_RIP: GUEST_CODE,
  GUEST_RFLAGS: 0x202,
  GUEST_GDTR_BASE: GDT,
  GUEST_GDTR_LIMIT: 0x1f,
  GUEST_IDTR_BASE: IDT,
  GUEST_IDTR_LIMIT: 0x7ff,
  GUEST_CS_SELECTOR: CODE_SELECTOR,
  GUEST_CS_LIMIT: 0xffff_ffff,
  GUEST_CS_AR_BYTES: CODE_RIGHTS,
  GUEST_TR_SELECTOR: TSS_SELECTOR,
  GUEST_TR_BASE: 0x7000,
  GUEST_TR_LIMIT: 0x67,
  GUEST_TR_AR_BYTES: 0x8b,
  GUEST_LDTR_AR_BYTES: 0x1_0000,
  VMCS_LINK_POINTER: 0xffff_ffff,
  HOST_CR0: 0x8000_0031,
  HOST_CR3: PAGE_DIRECTORY,
  HOST_CR4: 0x2010,
  HOST_CS_SELECTOR: CODE_SELECTOR,
  HOST_SS_SELECTOR: DATA_SELECTOR,
  HOST_DS_SELECTOR: DATA_SELECTOR,
  HOST_ES_SELECTOR: DATA_SELECTOR,
  HOST_TR_SELECTOR: TSS_SELECTOR,
  HOST_TR_BASE: 0x6000,
  HOST_GDTR_BASE: GDT,
  HOST_IDTR_BASE: IDT,
  HOST_RSP: 0x2_8000,
  HOST_RIP: HOST_CODE,
  MSR_BITMAP,
  IO_BITMAP_A,
  IO_BITMAP_B,
  VM_EXIT_MSR_STORE_ADDR: MSR_AREA,
  VM_EXIT_MSR_LOAD_ADDR: MSR_AREA + 0x100,
  VM_ENTRY_MSR_LOAD_ADDR: MSR_AREA + 0x200,
};

/** Every field that a VM entry looks at, valid; controls at their reserved settings. */
export const writeValidState = (vmx: Vmx): void => {
  for (const [id, value] of Object.entries(VALID)) vmx.vmwrite(Field[id as FieldId], value);
  vmx.vmwrite(Field.VMCS_LINK_POINTER + 1, 0xffff_ffff);
  for (const n of [ES, SS, DS, FS, GS]) {
    vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * n, DATA_SELECTOR);
    vmx.vmwrite(Field.GUEST_ES_LIMIT + 2 * n, 0xffff_ffff);
    vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * n, DATA_RIGHTS);
  }
  const c = vmx.capabilities.controls;
  vmx.vmwrite(Field.PIN_BASED_VM_EXEC_CONTROL, c.pin.allowed0);
  vmx.vmwrite(Field.CPU_BASED_VM_EXEC_CONTROL, c.primary.allowed0);
  vmx.vmwrite(Field.VM_EXIT_CONTROLS, c.exit.allowed0);
  vmx.vmwrite(Field.VM_ENTRY_CONTROLS, c.entry.allowed0);
  if (vmx.capabilities.hasVpid) vmx.vmwrite(Field.VIRTUAL_PROCESSOR_ID, 1);
  if (vmx.capabilities.hasPat) {
    vmx.vmwrite(Field.GUEST_IA32_PAT, 0x0007_0406);
    vmx.vmwrite(Field.HOST_IA32_PAT, 0x0007_0406);
  }
};

/** Sets bits in a control field. */
export const setControls = (vmx: Vmx, field: number, mask: number): void => {
  vmx.vmwrite(field, vmx.vmread(field) | mask);
};

/** Enters the guest, which must succeed. */
export const enter = (f: Fixture): void => {
  assert.equal(f.vmx.vmlaunch(), VM_SUCCEED);
  assert.equal(f.vmx.lastEntryFailure, undefined);
  assert.equal(
    f.vmx.nonRoot,
    true,
    `the entry failed with reason 0x${f.vmx.vmread(Field.VM_EXIT_REASON).toString(16)}`,
  );
};

/** Decoded operands of an instruction at the guest's EIP. */
export const operands = (of: Partial<Operands> = {}): Operands => ({
  eip: GUEST_CODE,
  length: 2,
  size: 32,
  addressSize: 32,
  reg: 0,
  rm: 0,
  memory: false,
  segment: DS,
  offset: 0,
  imm: 0,
  imm2: 0,
  rep: 0,
  opcode: 0,
  modrm: 0,
  ...of,
});
