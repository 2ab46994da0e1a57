// Registers and memory in GDB's packets: g, G, p, P, m, M, X. What follows the letter comes in, the answer goes out. Not the other packets
// (stub.ts) nor which registers there are (description.ts). GDB manual, appendix E.2.

import type { DebugGuest } from '../target.ts';
import { Description } from './description.ts';
import { bytesOfHex, hexOf } from './packet.ts';

/** Bytes of a packet. */
export const PACKET_SIZE = 0x4000;

/** Hexadecimal, up to 64 bits as gdb may extend an address by its sign; 32 bits of it. Undefined: it is none. */
export const numberOf = (text: string): number | undefined =>
  /^[0-9a-f]{1,16}$/i.test(text) ? parseInt(text.slice(-8), 16) : undefined;

export class WireState {
  readonly description: Description;

  constructor(private readonly guest: () => DebugGuest) {
    const { vcpu } = guest();
    this.description = new Description((name) => vcpu.readWide(name).length > 0);
  }

  /** g: all of them. */
  readRegisters(): string {
    return this.description.registers.map((_, n) => this.readRegister(n)).join('');
  }
  /** In hexadecimal; empty: there is no register of that number. */
  readRegister(number: number): string {
    const wire = this.description.registers[number];
    if (wire === undefined) return '';
    const bytes = this.guest().vcpu.readWide(wire.register.name);
    if (bytes.length === 0) return 'x'.repeat(2 * wire.bytes);
    const padded = new Uint8Array(wire.bytes);
    padded.set(bytes);
    return hexOf(padded);
  }
  private setRegister(number: number, bytes: Uint8Array): boolean {
    const wire = this.description.registers[number];
    if (wire === undefined || bytes.length !== wire.bytes) return false;
    const { name, bits } = wire.register;
    return this.guest().vcpu.writeWide(name, bytes.subarray(0, bits / 8));
  }
  writeRegister(text: string): string {
    const [number = '', value = ''] = text.split('=');
    const bytes = bytesOfHex(value);
    return bytes !== undefined && this.setRegister(parseInt(number, 16), bytes) ? 'OK' : 'E01';
  }
  /** Only what differs is written: some registers do not take their own value. */
  writeRegisters(text: string): string {
    let at = 0;
    for (let n = 0; n < this.description.registers.length && at < text.length; n++) {
      const value = text.slice(at, at + 2 * this.description.registers[n]!.bytes);
      at += value.length;
      if (value.toLowerCase() === this.readRegister(n) || value.startsWith('x')) continue;
      const bytes = bytesOfHex(value);
      if (bytes === undefined || !this.setRegister(n, bytes)) return 'E01';
    }
    return 'OK';
  }

  readMemory(text: string): string {
    const [address, length] = text.split(',').map(numberOf);
    if (address === undefined || length === undefined) return 'E01';
    const bytes = new Uint8Array(Math.min(length, PACKET_SIZE / 2 - 4));
    const there = this.guest().readMemory(address >>> 0, bytes);
    return there === 0 && length > 0 ? 'E14' : hexOf(bytes.subarray(0, there));
  }
  writeMemory(kind: string, text: string): string {
    const colon = text.indexOf(':');
    const [address, length] = text.slice(0, colon).split(',').map(numberOf);
    const data = text.slice(colon + 1);
    const bytes = kind === 'M' ? bytesOfHex(data) : Uint8Array.from(data, (c) => c.charCodeAt(0));
    if (address === undefined || bytes === undefined || bytes.length !== length) return 'E01';
    return this.guest().writeMemory(address >>> 0, bytes) === bytes.length ? 'OK' : 'E14';
  }
}
