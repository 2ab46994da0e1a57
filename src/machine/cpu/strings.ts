// The string instructions MOVS, CMPS, SCAS, LODS, STOS with their repeat prefixes. Not INS and OUTS (io.ts).
// Each iteration retires as one instruction and the instruction resumes at itself, so that an interrupt or a deadline lands on an
// exact iteration. SDM vol. 2: REP/REPE/REPNE.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { EAX, ECX, EDI, ES, ESI, Flag } from './state.ts';

const count = (cpu: Cpu, op: Operands): number => (op.addressSize === 32 ? cpu.s.gpr(ECX) : cpu.s.gpr16(ECX));
const setCount = (cpu: Cpu, op: Operands, value: number): void => {
  if (op.addressSize === 32) cpu.s.setGpr(ECX, value);
  else cpu.s.setGpr16(ECX, value);
};
const index = (cpu: Cpu, op: Operands, register: number): number =>
  op.addressSize === 32 ? cpu.s.gpr(register) : cpu.s.gpr16(register);
const advance = (cpu: Cpu, op: Operands, register: number, by: number): void => {
  if (op.addressSize === 32) cpu.s.setGpr(register, cpu.s.gpr(register) + by);
  else cpu.s.setGpr16(register, cpu.s.gpr16(register) + by);
};
const step = (cpu: Cpu, op: Operands): number => (cpu.s.eflagsRest & Flag.DF ? -op.size / 8 : op.size / 8);
const bytesOf = (op: Operands): 1 | 2 | 4 => (op.size / 8) as 1 | 2 | 4;

/** Sets the six arithmetic flags of a - b. */
const compareFlags = (cpu: Cpu, a: number, b: number, size: number): void => {
  const s = cpu.s;
  const shift = 32 - size;
  const x = a << shift;
  const y = b << shift;
  const r = (x - y) | 0;
  let flags = s.eflagsRest;
  if (x >>> 0 < y >>> 0) flags |= Flag.CF;
  if (r === 0) flags |= Flag.ZF;
  if (r < 0) flags |= Flag.SF;
  if (((x ^ y) & (x ^ r)) < 0) flags |= Flag.OF;
  if ((a ^ b ^ (r >>> shift)) & 0x10) flags |= Flag.AF;
  let parity = (r >>> shift) & 0xff;
  parity ^= parity >> 4;
  if ((0x9669 >> (parity & 15)) & 1) flags |= Flag.PF;
  s.eflags = flags;
};

/** One iteration. False if it faulted: then nothing changed. `more`: whether REPE/REPNE goes on. */
type Iteration = (cpu: Cpu, op: Operands) => boolean;

/** Iterations that can go by blocks inside a page; returns how many were done, 0 if none could. */
type Bulk = (cpu: Cpu, op: Operands, most: number) => number;

const repeated =
  (iteration: Iteration, conditional: boolean, bulk?: Bulk): Helper =>
  (cpu, op) => {
    if (op.rep === 0) return iteration(cpu, op);
    let left = count(cpu, op);
    if (left === 0) return true;
    const most = Math.max(1, cpu.allowance);
    let done = 0;
    while (left > 0 && done < most) {
      const bulkDone = bulk === undefined ? 0 : bulk(cpu, op, Math.min(left, most - done));
      if (bulkDone > 0) {
        done += bulkDone;
        left -= bulkDone;
        setCount(cpu, op, left);
        continue;
      }
      if (!iteration(cpu, op)) {
        // The iterations before the fault have retired; the instruction starts again there.
        cpu.retiredBeforeFault = done;
        return false;
      }
      done++;
      left--;
      setCount(cpu, op, left);
      if (conditional && ((cpu.s.eflags & Flag.ZF) !== 0) !== (op.rep === 0xf3)) {
        cpu.retiredByHelper = done;
        return true;
      }
      // A data breakpoint is reported after the iteration that met it; and where code was overwritten, the next one may be another instruction.
      if (cpu.breakpoints.met !== 0 || cpu.codeChanged) break;
    }
    cpu.retiredByHelper = done;
    if (left > 0) cpu.repeat(op);
    return true;
  };

const movsOnce: Iteration = (cpu, op) => {
  const bytes = bytesOf(op);
  const value = cpu.read(op.segment, index(cpu, op, ESI), bytes);
  if (cpu.faulted || !cpu.write(ES, index(cpu, op, EDI), bytes, value)) return false;
  const by = step(cpu, op);
  advance(cpu, op, ESI, by);
  advance(cpu, op, EDI, by);
  return true;
};
const stosOnce: Iteration = (cpu, op) => {
  const bytes = bytesOf(op);
  if (!cpu.write(ES, index(cpu, op, EDI), bytes, cpu.s.gpr(EAX))) return false;
  advance(cpu, op, EDI, step(cpu, op));
  return true;
};
const lodsOnce: Iteration = (cpu, op) => {
  const value = cpu.read(op.segment, index(cpu, op, ESI), bytesOf(op));
  if (cpu.faulted) return false;
  if (op.size === 8) cpu.s.setGpr8(EAX, value);
  else if (op.size === 16) cpu.s.setGpr16(EAX, value);
  else cpu.s.setGpr(EAX, value);
  advance(cpu, op, ESI, step(cpu, op));
  return true;
};
const cmpsOnce: Iteration = (cpu, op) => {
  const bytes = bytesOf(op);
  // Processors report the second operand's fault when both fail.
  const b = cpu.read(ES, index(cpu, op, EDI), bytes);
  if (cpu.faulted) return false;
  const a = cpu.read(op.segment, index(cpu, op, ESI), bytes);
  if (cpu.faulted) return false;
  compareFlags(cpu, a, b, op.size);
  const by = step(cpu, op);
  advance(cpu, op, ESI, by);
  advance(cpu, op, EDI, by);
  return true;
};
const scasOnce: Iteration = (cpu, op) => {
  const b = cpu.read(ES, index(cpu, op, EDI), bytesOf(op));
  if (cpu.faulted) return false;
  const a = op.size === 8 ? cpu.s.gpr8(EAX) : op.size === 16 ? cpu.s.gpr16(EAX) : cpu.s.gpr(EAX);
  compareFlags(cpu, a, b, op.size);
  advance(cpu, op, EDI, step(cpu, op));
  return true;
};

/** How many forward iterations stay inside the page of `linear`. */
const inPage = (linear: number, bytes: number): number => Math.floor((4096 - (linear & 0xfff)) / bytes);
const forward32 = (cpu: Cpu, op: Operands): boolean =>
  op.addressSize === 32 && (cpu.s.eflagsRest & Flag.DF) === 0 && cpu.mmu.access === undefined;

/** A segment refuses: which fault comes first is for the single iteration to say. */
const refuse = (cpu: Cpu): 0 => {
  cpu.clearFault();
  return 0;
};

const movsBulk: Bulk = (cpu, op, most) => {
  if (!forward32(cpu, op) || most < 4) return 0;
  const s = cpu.s;
  const bytes = bytesOf(op);
  const source = cpu.linear(op.segment, s.gpr(ESI), bytes, false);
  if (source === undefined) return refuse(cpu);
  const destination = cpu.linear(ES, s.gpr(EDI), bytes, true);
  if (destination === undefined) return refuse(cpu);
  const n = Math.min(most, inPage(source, bytes), inPage(destination, bytes));
  // Past a limit, or overlapping so that an iteration reads what an earlier one wrote: one at a time.
  if (n < 2 || !inLimit(cpu, op.segment, s.gpr(ESI), n * bytes) || !inLimit(cpu, ES, s.gpr(EDI), n * bytes)) return 0;
  const from = cpu.mmu.directRead(source);
  const to = cpu.mmu.directWrite(destination);
  if (from === 0 || to === 0 || (to > from && to < from + n * bytes)) return 0;
  s.u8.copyWithin(to, from, from + n * bytes);
  s.setGpr(ESI, s.gpr(ESI) + n * bytes);
  s.setGpr(EDI, s.gpr(EDI) + n * bytes);
  return n;
};
const stosBulk: Bulk = (cpu, op, most) => {
  if (!forward32(cpu, op) || most < 4) return 0;
  const s = cpu.s;
  const bytes = bytesOf(op);
  const destination = cpu.linear(ES, s.gpr(EDI), bytes, true);
  if (destination === undefined) return refuse(cpu);
  const n = Math.min(most, inPage(destination, bytes));
  if (n < 2 || !inLimit(cpu, ES, s.gpr(EDI), n * bytes)) return 0;
  const to = cpu.mmu.directWrite(destination);
  if (to === 0) return 0;
  const value = s.gpr(EAX);
  if (bytes === 1) s.u8.fill(value & 0xff, to, to + n);
  else if (to % bytes === 0 && bytes === 4) s.u32.fill(value, to >> 2, (to >> 2) + n);
  else
    for (let i = 0; i < n; i++) for (let b = 0; b < bytes; b++) s.u8[to + i * bytes + b] = (value >>> (8 * b)) & 0xff;
  s.setGpr(EDI, s.gpr(EDI) + n * bytes);
  return n;
};
/** Whole range inside a segment without expand-down: the bulk paths leave everything else to single iterations. */
const inLimit = (cpu: Cpu, segment: number, offset: number, bytes: number): boolean =>
  (cpu.s.access(segment) & 0xc) !== 4 && offset + bytes - 1 <= cpu.s.limit(segment);

export const movs = repeated(movsOnce, false, movsBulk);
export const stos = repeated(stosOnce, false, stosBulk);
export const lods = repeated(lodsOnce, false);
export const cmps = repeated(cmpsOnce, true);
export const scas = repeated(scasOnce, true);
