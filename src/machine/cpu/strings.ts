// The string instructions MOVS, CMPS, SCAS, LODS, STOS with their repeat prefixes. Not INS and OUTS (io.ts), and not the iterations that go
// at once (string-runs.ts). Each iteration retires as one instruction and the instruction resumes at itself, so that an interrupt or a
// deadline lands on an exact iteration. SDM vol. 2: REP/REPE/REPNE.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { EAX, ECX, EDI, ES, ESI, Flag } from './state.ts';
import { advance, cmpsRun, compareFlags, movsRun, offsetIn, type Run, scasRun, stosRun } from './string-runs.ts';

const count = (cpu: Cpu, op: Operands): number => (op.addressSize === 32 ? cpu.s.gpr(ECX) : cpu.s.gpr16(ECX));
const setCount = (cpu: Cpu, op: Operands, value: number): void => {
  if (op.addressSize === 32) cpu.s.setGpr(ECX, value);
  else cpu.s.setGpr16(ECX, value);
};
const step = (cpu: Cpu, op: Operands): number => (cpu.s.eflagsRest & Flag.DF ? -op.size / 8 : op.size / 8);
const bytesOf = (op: Operands): 1 | 2 | 4 => (op.size / 8) as 1 | 2 | 4;

/** One iteration. False if it faulted: then nothing changed. */
type Iteration = (cpu: Cpu, op: Operands) => boolean;

const noRun: Run = () => 0;

/** `conditional`: REPE and REPNE look at ZF. */
const repeated =
  (iteration: Iteration, conditional: boolean, run: Run): Helper =>
  (cpu, op) => {
    if (op.rep === 0) return iteration(cpu, op);
    let left = count(cpu, op);
    if (left === 0) return true;
    const most = Math.max(1, cpu.allowance);
    let done = 0;
    while (left > 0 && done < most) {
      const n = run(cpu, op, Math.min(left, most - done));
      if (n === 0 && !iteration(cpu, op)) {
        // The iterations before the fault have retired; the instruction starts again there.
        cpu.retiredBeforeFault = done;
        return false;
      }
      const by = n === 0 ? 1 : n;
      done += by;
      left -= by;
      setCount(cpu, op, left);
      if (conditional && cpu.s.zf !== (op.rep === 0xf3)) {
        cpu.retiredByHelper = done;
        return true;
      }
      // A data breakpoint is reported after the iteration that met it; and where code was overwritten, the next one may be another instruction.
      if (n === 0 && (cpu.breakpoints.met !== 0 || cpu.codeChanged || cpu.points.boundary)) break;
    }
    cpu.retiredByHelper = done;
    if (left > 0) cpu.repeat(op);
    return true;
  };

const movsOnce: Iteration = (cpu, op) => {
  const bytes = bytesOf(op);
  const value = cpu.read(op.segment, offsetIn(cpu, op, ESI), bytes);
  if (cpu.faulted || !cpu.write(ES, offsetIn(cpu, op, EDI), bytes, value)) return false;
  const by = step(cpu, op);
  advance(cpu, op, ESI, by);
  advance(cpu, op, EDI, by);
  return true;
};
const stosOnce: Iteration = (cpu, op) => {
  const bytes = bytesOf(op);
  if (!cpu.write(ES, offsetIn(cpu, op, EDI), bytes, cpu.s.gpr(EAX))) return false;
  advance(cpu, op, EDI, step(cpu, op));
  return true;
};
const lodsOnce: Iteration = (cpu, op) => {
  const value = cpu.read(op.segment, offsetIn(cpu, op, ESI), bytesOf(op));
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
  const b = cpu.read(ES, offsetIn(cpu, op, EDI), bytes);
  if (cpu.faulted) return false;
  const a = cpu.read(op.segment, offsetIn(cpu, op, ESI), bytes);
  if (cpu.faulted) return false;
  compareFlags(cpu, a, b, op.size);
  const by = step(cpu, op);
  advance(cpu, op, ESI, by);
  advance(cpu, op, EDI, by);
  return true;
};
const scasOnce: Iteration = (cpu, op) => {
  const b = cpu.read(ES, offsetIn(cpu, op, EDI), bytesOf(op));
  if (cpu.faulted) return false;
  const a = op.size === 8 ? cpu.s.gpr8(EAX) : op.size === 16 ? cpu.s.gpr16(EAX) : cpu.s.gpr(EAX);
  compareFlags(cpu, a, b, op.size);
  advance(cpu, op, EDI, step(cpu, op));
  return true;
};

export const movs = repeated(movsOnce, false, movsRun);
export const stos = repeated(stosOnce, false, stosRun);
export const lods = repeated(lodsOnce, false, noRun);
export const cmps = repeated(cmpsOnce, true, cmpsRun);
export const scas = repeated(scasOnce, true, scasRun);
