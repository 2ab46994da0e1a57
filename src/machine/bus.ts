// The port and memory-mapped I/O bus: routes accesses to devices by range. Not a device and not RAM: see memory.ts.
// A device never learns where it sits; it sees offsets (Firecracker's contract).

import type { Device } from './devices/device.ts';

interface Range {
  readonly first: number;
  readonly last: number;
  readonly device: Device;
  readonly base: number;
}

/** Accesses are 1, 2 or 4 bytes. Ports nobody claims read as all ones and swallow writes, like a PC's ISA bus. */
export class Bus {
  private readonly ports: Range[] = [];
  /** By port: 1 added to the index of its range; 0: nobody's. */
  private readonly rangeOf = new Uint16Array(0x1_0000);
  private readonly mmio: Range[] = [];
  /** The highest address that a device owns. */
  private highest = -1;
  private claimed: (first: number, last: number) => void = () => undefined;

  /** Claims ports first..first+count-1; offsets seen by the device start at `offset`. Throws if a port is taken: a bug of ours. */
  claimPorts(first: number, count: number, device: Device, offset = 0): void {
    const range: Range = { first, last: first + count - 1, device, base: first - offset };
    this.ports.push(range);
    for (let port = first; port <= range.last; port++) {
      if (this.rangeOf[port] !== 0) throw new Error(`port 0x${port.toString(16)} is claimed twice`);
      this.rangeOf[port] = this.ports.length;
    }
  }

  /** Claims physical addresses first..first+bytes-1. */
  claimMemory(first: number, bytes: number, device: Device): void {
    const last = first + bytes - 1;
    this.mmio.push({ first, last, device, base: first });
    this.highest = Math.max(this.highest, last);
    this.claimed(first, last);
  }
  /** `claimed` hears of all addresses that devices own, and of those claimed later. */
  hearClaims(claimed: (first: number, last: number) => void): void {
    for (const { first, last } of this.mmio) claimed(first, last);
    this.claimed = claimed;
  }

  private portRange(port: number): Range | undefined {
    const number = this.rangeOf[port]!;
    return number === 0 ? undefined : this.ports[number - 1];
  }

  /** The device that owns a port and the offset inside it, or undefined. */
  portOwner(port: number): { device: Device; offset: number } | undefined {
    const range = this.portRange(port);
    return range && { device: range.device, offset: port - range.base };
  }

  /** Unsigned result of `size` bytes. A wide access to 8-bit registers is split into bytes, as the ISA bus does. */
  in(port: number, size: 1 | 2 | 4): number {
    const range = this.portRange(port);
    if (range !== undefined && (size === 1 || range.device.wide === true))
      return range.device.read(port - range.base, size) >>> 0;
    if (size === 1) return 0xff;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.in((port + i) & 0xffff, 1) << (8 * i);
    return value >>> 0;
  }

  out(port: number, size: 1 | 2 | 4, value: number): void {
    const range = this.portRange(port);
    if (range !== undefined && (size === 1 || range.device.wide === true)) {
      range.device.write(port - range.base, size, value >>> 0);
      return;
    }
    if (size === 1) return;
    for (let i = 0; i < size; i++) this.out((port + i) & 0xffff, 1, (value >>> (8 * i)) & 0xff);
  }

  private owner(pa: number): Range | undefined {
    for (const range of this.mmio) if (pa >= range.first && pa <= range.last) return range;
    return undefined;
  }
  /** True if a device owns this physical address. */
  isMmio(pa: number): boolean {
    return pa <= this.highest && this.owner(pa) !== undefined;
  }

  readMemory(pa: number, size: 1 | 2 | 4): number {
    const range = this.owner(pa);
    return range === undefined
      ? size === 4
        ? 0xffffffff
        : (1 << (8 * size)) - 1
      : range.device.read(pa - range.base, size) >>> 0;
  }

  writeMemory(pa: number, size: 1 | 2 | 4, value: number): void {
    const range = this.owner(pa);
    range?.device.write(pa - range.base, size, value >>> 0);
  }
}
