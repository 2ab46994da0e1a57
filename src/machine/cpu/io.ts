// IN, OUT, INS, OUTS: the permission to use a port, the VM exit, the bus. Not the devices. SDM vol. 1, ch. 18; vol. 2; vol. 3, 25.1.3.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import { EAX, ECX, EDI, EDX, ES, ESI, Flag, TR } from './state.ts';

const TSS_IO_MAP_BASE = 102;
const TSS_BYTES = 104;

/**
 * In protected mode with CPL > IOPL, and in virtual-8086 mode, the I/O permission bitmap of a 32-bit TSS decides. The two bytes that
 * hold a port's bits must lie inside the TSS limit. False with #GP(0), or with the #PF of reading the TSS.
 */
export const portAllowed = (cpu: Cpu, port: number, size: number): boolean => {
  const s = cpu.s;
  if (!cpu.protectedMode || (s.cpl <= s.iopl && !cpu.virtual8086)) return true;
  const access = s.access(TR);
  const limit = s.limit(TR);
  const is32 = (access & 0x10080) === 0x80 && (access & 0xd) === 9;
  if (!is32 || limit < TSS_BYTES - 1) return cpu.raise(Vector.GP, 0);
  const base = s.base(TR);
  const map = cpu.readLinear((base + TSS_IO_MAP_BASE) >>> 0, 2, false);
  if (cpu.faulted) return false;
  const at = map + (port >>> 3);
  if (at + 1 > limit) return cpu.raise(Vector.GP, 0);
  const bits = cpu.readLinear((base + at) >>> 0, 2, false);
  if (cpu.faulted) return false;
  const mask = ((1 << size) - 1) << (port & 7);
  return (bits & mask) === 0 || cpu.raise(Vector.GP, 0);
};

/** Breakpoints and stop points at the port. */
const used = (cpu: Cpu, port: number, bytes: number, out: boolean, value: number): void => {
  cpu.breakpoints.meetIo(port, bytes);
  if (cpu.points.ports) cpu.points.usedPort(port, bytes, out, value);
};

const bytesOf = (op: Operands): 1 | 2 | 4 => (op.size === 8 ? 1 : op.size === 16 ? 2 : 4);

const input = (cpu: Cpu, op: Operands, port: number, immediate: boolean): boolean => {
  const bytes = bytesOf(op);
  if (!portAllowed(cpu, port, bytes)) return false;
  if (cpu.vmx.exitOnIo(port, bytes, true, false, immediate, 0, op)) return false;
  const value = cpu.bus.in(port, bytes);
  used(cpu, port, bytes, false, value);
  if (bytes === 1) cpu.s.setGpr8(EAX, value);
  else if (bytes === 2) cpu.s.setGpr16(EAX, value);
  else cpu.s.setGpr(EAX, value);
  return true;
};

const output = (cpu: Cpu, op: Operands, port: number, immediate: boolean): boolean => {
  const bytes = bytesOf(op);
  if (!portAllowed(cpu, port, bytes)) return false;
  if (cpu.vmx.exitOnIo(port, bytes, false, false, immediate, 0, op)) return false;
  const eax = cpu.s.gpr(EAX);
  const value = bytes === 1 ? eax & 0xff : bytes === 2 ? eax & 0xffff : eax;
  cpu.bus.out(port, bytes, value);
  used(cpu, port, bytes, true, value);
  return true;
};

export const inImm: Helper = (cpu, op) => input(cpu, op, op.imm & 0xff, true);
export const inDx: Helper = (cpu, op) => input(cpu, op, cpu.s.gpr16(EDX), false);
export const outImm: Helper = (cpu, op) => output(cpu, op, op.imm & 0xff, true);
export const outDx: Helper = (cpu, op) => output(cpu, op, cpu.s.gpr16(EDX), false);

const register = (cpu: Cpu, op: Operands, index: number): number =>
  op.addressSize === 32 ? cpu.s.gpr(index) : cpu.s.gpr16(index);
const setRegister = (cpu: Cpu, op: Operands, index: number, value: number): void => {
  if (op.addressSize === 32) cpu.s.setGpr(index, value);
  else cpu.s.setGpr16(index, value);
};

/** After an element: the index register moves by DF; under REP the count falls and the instruction repeats while it is not zero. */
const advance = (cpu: Cpu, op: Operands, index: number, bytes: number): void => {
  const step = (cpu.s.eflagsRest & Flag.DF) !== 0 ? -bytes : bytes;
  setRegister(cpu, op, index, register(cpu, op, index) + step);
  if (op.rep === 0) return;
  setRegister(cpu, op, ECX, register(cpu, op, ECX) - 1);
  if (register(cpu, op, ECX) !== 0) cpu.repeat(op);
};

/** The store must be certain before the device is read: a port read cannot be taken back. */
const storable = (cpu: Cpu, linear: number, bytes: number): boolean => {
  const user = cpu.s.cpl === 3;
  if (cpu.mmu.access !== undefined) return cpu.mmu.access.probeWrite(linear, bytes, user);
  if (cpu.mmu.translate(linear, true, user) === -1) return false;
  const last = (linear + bytes - 1) >>> 0;
  return (last & ~0xfff) === (linear & ~0xfff) || cpu.mmu.translate(last, true, user) !== -1;
};

/** One element a call; (REP) INS stores to ES:(E)DI, which no prefix overrides. */
export const ins: Helper = (cpu, op) => {
  const s = cpu.s;
  if (op.rep !== 0 && register(cpu, op, ECX) === 0) return true;
  const bytes = bytesOf(op);
  const port = s.gpr16(EDX);
  if (!portAllowed(cpu, port, bytes)) return false;
  const offset = register(cpu, op, EDI);
  const address = (s.base(ES) + offset) >>> 0;
  if (cpu.vmx.exitOnIo(port, bytes, true, true, false, address, op)) return false;
  const linear = cpu.linear(ES, offset, bytes, true);
  if (linear === undefined || !storable(cpu, linear, bytes)) return false;
  const value = cpu.bus.in(port, bytes);
  if (!cpu.writeLinear(linear, bytes, value, s.cpl === 3)) return false;
  used(cpu, port, bytes, false, value);
  advance(cpu, op, EDI, bytes);
  return true;
};

/** One element a call; (REP) OUTS loads from DS:(E)SI or the segment of a prefix. */
export const outs: Helper = (cpu, op) => {
  const s = cpu.s;
  if (op.rep !== 0 && register(cpu, op, ECX) === 0) return true;
  const bytes = bytesOf(op);
  const port = s.gpr16(EDX);
  if (!portAllowed(cpu, port, bytes)) return false;
  const offset = register(cpu, op, ESI);
  const address = (s.base(op.segment) + offset) >>> 0;
  if (cpu.vmx.exitOnIo(port, bytes, false, true, false, address, op)) return false;
  const value = cpu.read(op.segment, offset, bytes);
  if (cpu.faulted) return false;
  cpu.bus.out(port, bytes, value);
  used(cpu, port, bytes, true, value);
  advance(cpu, op, ESI, bytes);
  return true;
};
