// What lies outside a real16 file's areas: real mode has no paging that could keep an access away, so there is memory, all zero unless the
// case says otherwise. Writes to it are seen by the case's own instruction only and compared where `out.mem` names them.

import type { Device } from '../../machine/devices/device.ts';
import { UserError } from '../../workers/session.ts';
import { putHex, type Range } from './format.ts';

export class AbsentMemory {
  private readonly bytes = new Map<number, number>();
  private readonly wanted = new Map<number, number>();
  private readonly piece = new Uint8Array(1 << 16);

  /** @param end first address that cannot be formed */
  constructor(private readonly end: number) {}

  /** The device to claim from the bus at physical address `base` on. */
  from(base: number): Device {
    return {
      name: 'absent',
      wide: true,
      read: (offset, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) value |= (this.bytes.get(base + offset + i) ?? 0) << (8 * i);
        return value >>> 0;
      },
      write: (offset, size, value) => {
        for (let i = 0; i < size; i++) this.bytes.set(base + offset + i, (value >>> (8 * i)) & 0xff);
      },
      registerName: () => '',
      reset: () => this.clear(),
      saveState: () => [],
      loadState: () => this.clear(),
    };
  }

  private store(map: Map<number, number>, address: number, hex: string): void {
    const count = hex.length >> 1;
    if (address + count > this.end || count > this.piece.length)
      throw new UserError(`names memory at 0x${address.toString(16)}, ${count} bytes, which real mode cannot reach`);
    putHex(hex, this.piece, 0);
    for (let i = 0; i < count; i++) map.set(address + i, this.piece[i]!);
  }
  put(address: number, hex: string): void {
    this.store(this.bytes, address, hex);
  }
  expect(address: number, hex: string): void {
    this.store(this.wanted, address, hex);
  }
  ignore([address, bytes]: Range): void {
    for (const at of this.wanted.keys()) if (at >= address && at < address + bytes) this.wanted.delete(at);
  }
  /** Undefined, or where memory is not what it must be. */
  compare(): string | undefined {
    for (const [address, value] of this.wanted) {
      const actual = this.bytes.get(address) ?? 0;
      if (actual !== value)
        return `memory ${address.toString(16)}: ${actual.toString(16)}, expected ${value.toString(16)}`;
    }
    return undefined;
  }
  clear(): void {
    if (this.bytes.size > 0) this.bytes.clear();
    if (this.wanted.size > 0) this.wanted.clear();
  }
}
