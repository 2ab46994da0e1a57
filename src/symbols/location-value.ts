// Where a variable is: the answers of a location expression (DWARF 5, 2.6), each a case of its own.
import type { Die } from './dwarf/die.ts';

export type Location =
  /** Linear address, where the program runs. */
  | { readonly kind: 'memory'; readonly address: number }
  /** DWARF's number of a register; its value in that frame. */
  | { readonly kind: 'register'; readonly register: number }
  /** Stands nowhere: the value itself, least significant byte first, at least as long as the variable. */
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  /** A pointer whose target was optimised away, but whose target's value is known. */
  | { readonly kind: 'implicit-pointer'; readonly target: Die; readonly offset: number }
  /** Parts one behind the other, from the first byte on. */
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'optimized-out' }
  /** Known in principle, but not here: a register that was not saved, memory that is not mapped, damage. One sentence. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Piece {
  readonly bits: number;
  /** First bit within the location. */
  readonly offset: number;
  readonly location: Location;
}

/** By DWARF's number, the register in which a value of more than four bytes goes on, as gcc gives them out: EDX behind EAX, ECX, EBX, ESI, EDI, EBP. */
const NEXT_REGISTER: readonly (number | undefined)[] = [2, 3, 1, 6, undefined, undefined, 7, 5];

/** The register that holds byte `offset` of a value which begins in `first`; undefined where there is none behind. */
export function registerAt(first: number, offset: number): number | undefined {
  let register: number | undefined = first;
  for (let rest = offset; rest >= 4 && register !== undefined; rest -= 4) register = NEXT_REGISTER[register];
  return register;
}

/** Fills `into` from memory at a linear address; returns how many bytes could be read. */
export type ReadMemory = (address: number, into: Uint8Array) => number;

export const OPTIMIZED_OUT: Location = { kind: 'optimized-out' };
export const unavailable = (reason: string): Location => ({ kind: 'unavailable', reason });

/** gdb's sentence, which its users know. */
export const cannotAccess = (address: number): string =>
  `Cannot access memory at address 0x${(address >>> 0).toString(16)}`;

/** An unsigned number of up to 8 bytes, least significant first. */
export function fromBytes(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = Math.min(bytes.length, 16) - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

/** The low bytes of a number, least significant first. */
export function toBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = BigInt.asUintN(8 * length, value);
  for (let i = 0; i < length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}
