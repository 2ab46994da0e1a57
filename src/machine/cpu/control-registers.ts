// The instructions on control and debug registers and on GDTR and IDTR: MOV CR, MOV DR, CLTS, LMSW, SMSW, LGDT, LIDT, SGDT, SIDT.
// Not the meaning of the bits for paging (mmu.ts). SDM vol. 2 and vol. 3, 2.5, 17.2; in VMX non-root operation 25.1.3 and 25.3.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Dr6, Dr7, dr7Written } from './debug-registers.ts';
import { Cr0, Cr4, StateLayout } from './state.ts';

/** The other bits of CR0 ignore writes; ET reads as 1. */
export const CR0_WRITABLE = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
const CR0_TRANSLATION = Cr0.PG | Cr0.WP | Cr0.PE;
/** MOV to CR0 that changes one of these under PAE paging loads the PDPTEs; so with CR4's (SDM vol. 3, 4.4.1). */
const CR0_PDPTES = Cr0.PG | Cr0.CD | Cr0.NW;
const CR4_TRANSLATION = Cr4.PSE | Cr4.PAE | Cr4.PGE;

/** All checks and effects of a new CR0 after VMX has had its say. #GP(0) for PG without PE, NW without CD, and bits fixed by VMX. */
const setCr0 = (cpu: Cpu, wanted: number): boolean => {
  const s = cpu.s;
  const value = ((wanted & CR0_WRITABLE) | Cr0.ET) >>> 0;
  if ((value & Cr0.PG) !== 0 && (value & Cr0.PE) === 0) return cpu.raise(Vector.GP, 0);
  if ((value & Cr0.NW) !== 0 && (value & Cr0.CD) === 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.crForbidden(0, value)) return cpu.raise(Vector.GP, 0);
  const changed = s.cr0 ^ value;
  const paePaging = (value & Cr0.PG) !== 0 && (s.cr4 & Cr4.PAE) !== 0;
  if (paePaging && (changed & CR0_PDPTES) !== 0 && !cpu.mmu.loadPdptes(s.cr3)) return false;
  s.cr0 = value;
  if ((changed & CR0_TRANSLATION) !== 0) cpu.mmu.controlsChanged();
  cpu.modeDirty = true;
  return true;
};

const setCr3 = (cpu: Cpu, value: number): boolean => {
  const s = cpu.s;
  const paePaging = (s.cr0 & Cr0.PG) !== 0 && (s.cr4 & Cr4.PAE) !== 0;
  if (paePaging && !cpu.mmu.loadPdptes(value)) return false;
  s.cr3 = value;
  cpu.mmu.flushNonGlobal();
  return true;
};

const setCr4 = (cpu: Cpu, wanted: number): boolean => {
  const s = cpu.s;
  const value = wanted >>> 0;
  if ((value & ~cpu.model.cr4Implemented) !== 0 || cpu.vmx.crForbidden(4, value)) return cpu.raise(Vector.GP, 0);
  const changed = s.cr4 ^ value;
  const paePaging = (s.cr0 & Cr0.PG) !== 0 && (value & Cr4.PAE) !== 0;
  if (paePaging && (changed & CR4_TRANSLATION) !== 0 && !cpu.mmu.loadPdptes(s.cr3)) return false;
  s.cr4 = value;
  if ((changed & CR4_TRANSLATION) !== 0) cpu.mmu.controlsChanged();
  cpu.modeDirty = true;
  return true;
};

export const movToCr: Helper = (cpu, op) => {
  const cr = op.reg;
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  const value = cpu.s.gpr(op.rm);
  if (cpu.vmx.exitOnMovToCr(cr, value, op)) return false;
  switch (cr) {
    case 0:
      return setCr0(cpu, cpu.vmx.mergeCr(0, value));
    case 3:
      return setCr3(cpu, value);
    case 4:
      return setCr4(cpu, cpu.vmx.mergeCr(4, value));
    default:
      cpu.s.cr2 = value;
      return true;
  }
};

/** A control register as MOV CR loads it. False: the value is refused, and nothing has changed. */
export const loadControlRegister = (cpu: Cpu, cr: number, value: number): boolean => {
  if (cr === 2) cpu.s.cr2 = value;
  const loaded =
    cr === 0 ? setCr0(cpu, value) : cr === 3 ? setCr3(cpu, value) : cr === 4 ? setCr4(cpu, value) : cr === 2;
  if (!loaded) cpu.clearFault();
  return loaded;
};

/** CR0 or CR4 as software sees it. */
const seen = (cpu: Cpu, cr: 0 | 4): number => (cpu.vmx.nonRoot ? cpu.vmx.readCr(cr) : cr === 0 ? cpu.s.cr0 : cpu.s.cr4);

export const movFromCr: Helper = (cpu, op) => {
  const cr = op.reg;
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnMovFromCr(cr, op)) return false;
  const s = cpu.s;
  s.setGpr(op.rm, cr === 0 || cr === 4 ? seen(cpu, cr) : cr === 2 ? s.cr2 : s.cr3);
  return true;
};

export const clts: Helper = (cpu, op) => {
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnClts(op)) return false;
  if (cpu.vmx.cltsIgnored) return true;
  cpu.s.cr0 &= ~Cr0.TS;
  cpu.modeDirty = true;
  return true;
};

/** LMSW writes PE, MP, EM and TS and cannot clear PE. */
export const lmsw: Helper = (cpu, op) => {
  const s = cpu.s;
  if (s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  const source = op.memory ? cpu.read(op.segment, op.offset, 2) : s.gpr16(op.rm);
  if (cpu.faulted) return false;
  const linear = op.memory ? (s.base(op.segment) + op.offset) >>> 0 : 0;
  if (cpu.vmx.exitOnLmsw(source, linear, op)) return false;
  const now = seen(cpu, 0);
  const wanted = (now & ~0xe) | (source & 0xf);
  return setCr0(cpu, cpu.vmx.mergeCr(0, wanted));
};

/** A register destination of 32 bits gets the whole of CR0; memory always gets 16 bits. */
export const smsw: Helper = (cpu, op) => {
  const value = seen(cpu, 0);
  if (op.memory) return cpu.write(op.segment, op.offset, 2, value & 0xffff);
  if (op.size === 32) cpu.s.setGpr(op.rm, value);
  else cpu.s.setGpr16(op.rm, value);
  return true;
};

/** Without CR4.DE, DR4 and DR5 are DR6 and DR7. */
const isAlias = (number: number): boolean => number === 4 || number === 5;
const debugRegister = (number: number): number => (isAlias(number) ? number + 2 : number);

/** VM exit, DR4 and DR5 under CR4.DE, privilege, general detect, in this order: the exit comes even before the others (25.1.3). */
const debugAccess = (cpu: Cpu, op: Operands, from: boolean): boolean => {
  if (cpu.vmx.exitOnMovDr(op.reg, from, op)) return false;
  if (isAlias(op.reg) && (cpu.s.cr4 & Cr4.DE) !== 0) return cpu.raise(Vector.UD);
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if ((cpu.s.dr(7) & Dr7.GD) === 0) return true;
  cpu.faultAddress = Dr6.BD;
  return cpu.raise(Vector.DB);
};

export const movFromDr: Helper = (cpu, op) => {
  if (!debugAccess(cpu, op, true)) return false;
  cpu.s.setGpr(op.rm, cpu.s.dr(debugRegister(op.reg)));
  return true;
};

export const movToDr: Helper = (cpu, op) => {
  if (!debugAccess(cpu, op, false)) return false;
  const register = debugRegister(op.reg);
  let value = cpu.s.gpr(op.rm);
  if (register === 6) value = Dr6.FIXED | (value & Dr6.WRITABLE);
  else if (register === 7) value = dr7Written(value);
  cpu.s.setDr(register, value);
  cpu.modeDirty = true;
  return true;
};

/** Identities of the descriptor-table instructions in the VM-exit instruction information (SDM vol. 3, table 27-10). */
const SGDT = 0, SIDT = 1, LGDT = 2, LIDT = 3; // prettier-ignore

/** A 16-bit operand size loads 24 bits of base. */
const loadTable =
  (baseAt: number, limitAt: number, which: number): Helper =>
  (cpu, op) => {
    if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
    if (cpu.vmx.exitOnDescriptorTable(ExitReason.GDTR_IDTR_ACCESS, which, op)) return false;
    const linear = cpu.linear(op.segment, op.offset, 6, false);
    if (linear === undefined) return false;
    const limit = cpu.readLinear(linear, 2, false);
    if (cpu.faulted) return false;
    const base = cpu.readLinear((linear + 2) >>> 0, 4, false);
    if (cpu.faulted) return false;
    cpu.s.set(limitAt, limit);
    cpu.s.set(baseAt, op.size === 16 ? base & 0xff_ffff : base);
    return true;
  };

/** All 32 bits of base are stored whatever the operand size, as processors since the Pentium Pro do. */
const storeTable =
  (baseAt: number, limitAt: number, which: number): Helper =>
  (cpu, op) => {
    if (cpu.vmx.exitOnDescriptorTable(ExitReason.GDTR_IDTR_ACCESS, which, op)) return false;
    const linear = cpu.linear(op.segment, op.offset, 6, true);
    if (linear === undefined) return false;
    const user = cpu.s.cpl === 3;
    if (!cpu.writeLinear(linear, 2, cpu.s.get(limitAt) & 0xffff, user)) return false;
    return cpu.writeLinear((linear + 2) >>> 0, 4, cpu.s.get(baseAt), user);
  };

export const lgdt = loadTable(StateLayout.gdtrBase, StateLayout.gdtrLimit, LGDT);
export const lidt = loadTable(StateLayout.idtrBase, StateLayout.idtrLimit, LIDT);
export const sgdt = storeTable(StateLayout.gdtrBase, StateLayout.gdtrLimit, SGDT);
export const sidt = storeTable(StateLayout.idtrBase, StateLayout.idtrLimit, SIDT);
