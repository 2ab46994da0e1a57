// Core files of i386 Linux: written, so that gdb takes any registers and memory for a stopped program with many threads.
import { parseElf } from '../../src/machine/elf.ts';
import type { ReadMemory } from '../../src/symbols/location-value.ts';

export interface Region {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** DWARF's order, EAX to EFLAGS. */
export type ThreadRegisters = readonly number[];

const NT_PRSTATUS = 1;
const STATUS_SIZE = 144;
const REGISTERS_AT = 72;
/** Place of each of DWARF's ten among the seventeen words of user_regs_struct. */
const PLACES = [6, 1, 2, 0, 15, 5, 3, 4, 12, 14];

export function writeCore(threads: readonly ThreadRegisters[], regions: readonly Region[]): Uint8Array {
  const note = 12 + 8 + STATUS_SIZE;
  const headers = 52 + 32 * (1 + regions.length);
  const notesAt = headers;
  let at = Math.ceil((notesAt + note * threads.length) / 4096) * 4096;
  const places = regions.map(({ bytes }) => {
    const place = at;
    at += Math.ceil(bytes.length / 4096) * 4096;
    return place;
  });
  const file = new Uint8Array(at);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 4, true); // ET_CORE
  view.setUint16(18, 3, true);
  view.setUint32(20, 1, true);
  view.setUint32(28, 52, true);
  view.setUint16(40, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1 + regions.length, true);
  const header = (index: number, ...fields: number[]) =>
    fields.forEach((field, i) => view.setUint32(52 + 32 * index + 4 * i, field >>> 0, true));
  header(0, 4, notesAt, 0, 0, note * threads.length, 0, 4, 4);
  regions.forEach(({ address, bytes }, i) => {
    header(i + 1, 1, places[i]!, address, 0, bytes.length, bytes.length, 6, 4096);
    file.set(bytes, places[i]!);
  });
  threads.forEach((registers, i) => {
    const start = notesAt + note * i;
    [5, STATUS_SIZE, NT_PRSTATUS].forEach((word, j) => view.setUint32(start + 4 * j, word, true));
    file.set(new TextEncoder().encode('CORE'), start + 12);
    const status = start + 20;
    view.setUint16(status + 12, 5, true);
    view.setUint32(status + 24, 1000 + i, true);
    registers.forEach((value, j) => view.setUint32(status + REGISTERS_AT + 4 * PLACES[j]!, value >>> 0, true));
  });
  return file;
}

export const memoryOf =
  (regions: readonly Region[]): ReadMemory =>
  (address, into) => {
    let done = 0;
    while (done < into.length) {
      const at = address + done;
      const region = regions.find((one) => at >= one.address && at < one.address + one.bytes.length);
      if (region === undefined) break;
      const part = region.bytes.subarray(at - region.address, at - region.address + into.length - done);
      into.set(part, done);
      done += part.length;
    }
    return done;
  };

/** The loaded parts of a program's file, zeros included. */
export function regionsOf(program: Uint8Array): Region[] {
  const parsed = parseElf(program);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.elf.programHeaders
    .filter(({ type, memorySize }) => type === 1 && memorySize > 0)
    .map((header) => {
      const bytes = new Uint8Array(header.memorySize);
      const content = parsed.elf.segmentBytes(header);
      if (content.ok) bytes.set(content.bytes);
      return { address: header.virtualAddress, bytes };
    });
}
