// The register files of a PC's two 8237A DMA controllers and of the page registers beside them. Not a DMA engine: no device here
// requests a transfer, so software sees registers that keep what it programs. Intel 8237A datasheet (231466).

import type { Device } from './device.ts';

const CHANNELS = 4;
const NAMES = [
  'status/command',
  'request',
  'single mask',
  'mode',
  'clear flip-flop',
  'temporary/master clear',
  'clear mask',
  'mask',
];

/** One 8237A. The AT's second controller sits on every other port: `shift` 1. */
export class Dma8237 implements Device {
  /** Base and current registers: address and count of channel n at 2n and 2n+1. */
  private readonly base = new Uint16Array(2 * CHANNELS);
  private readonly current = new Uint16Array(2 * CHANNELS);
  private readonly modes = new Uint8Array(CHANNELS);
  private command = 0;
  private requests = 0;
  private mask = 0xf;
  private high = false;

  constructor(
    readonly name: string,
    private readonly shift: 0 | 1,
  ) {}

  read(offset: number): number {
    const register = offset >> this.shift;
    if (register < 8) {
      const value = this.current[register]!;
      this.high = !this.high;
      return this.high ? value & 0xff : value >> 8;
    }
    switch (register) {
      case 8:
        return this.requests << 4;
      case 0xd:
        return 0;
      case 0xf:
        return 0xf0 | this.mask;
      default:
        return 0xff;
    }
  }
  write(offset: number, _size: number, value: number): void {
    const register = offset >> this.shift;
    const bit = 1 << (value & 3);
    if (register < 8) {
      const old = this.base[register]!;
      const written = this.high ? (old & 0xff) | (value << 8) : (old & 0xff00) | value;
      this.base[register] = written;
      this.current[register] = written;
      this.high = !this.high;
      return;
    }
    switch (register) {
      case 8:
        this.command = value;
        break;
      case 9:
        this.requests = value & 4 ? this.requests | bit : this.requests & ~bit;
        break;
      case 0xa:
        this.mask = value & 4 ? this.mask | bit : this.mask & ~bit;
        break;
      case 0xb:
        this.modes[value & 3] = value;
        break;
      case 0xc:
        this.high = false;
        break;
      case 0xd:
        this.masterClear();
        break;
      case 0xe:
        this.mask = 0;
        break;
      default:
        this.mask = value & 0xf;
        break;
    }
  }
  private masterClear(): void {
    this.command = 0;
    this.requests = 0;
    this.mask = 0xf;
    this.high = false;
  }

  registerName(offset: number): string {
    const register = offset >> this.shift;
    if (register >= 8) return NAMES[register - 8] ?? `+${offset}`;
    return `channel ${register >> 1} ${register & 1 ? 'count' : 'address'}`;
  }
  reset(): void {
    this.masterClear();
    this.base.fill(0);
    this.current.fill(0);
    this.modes.fill(0);
  }
  saveState(): number[] {
    const file = [...this.base, ...this.current, ...this.modes];
    return [this.command, this.requests, this.mask, Number(this.high), ...file];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 24) throw new Error(`${this.name}: state of ${state.length} words, 24 expected`);
    this.command = state[0]!;
    this.requests = state[1]!;
    this.mask = state[2]!;
    this.high = state[3] === 1;
    this.base.set(state.slice(4, 12));
    this.current.set(state.slice(12, 20));
    this.modes.set(state.slice(20, 24));
  }
}

/** Channels by page-register offset from port 81h; the others are spare latches. */
const PAGE_CHANNELS: Readonly<Record<number, number>> = { 0: 2, 1: 3, 2: 1, 6: 0, 8: 6, 9: 7, 0xa: 5, 0xe: 4 };
const PAGES = 15;

/** Page registers, ports 81h-8Fh: bits 23:16 of each channel's address. */
export class DmaPageRegisters implements Device {
  readonly name = 'dma-pages';
  private readonly pages = new Uint8Array(PAGES);

  read(offset: number): number {
    return this.pages[offset]!;
  }
  write(offset: number, _size: number, value: number): void {
    this.pages[offset] = value;
  }
  registerName(offset: number): string {
    const channel = PAGE_CHANNELS[offset];
    return channel === undefined ? 'spare page' : `channel ${channel} page`;
  }
  reset(): void {
    this.pages.fill(0);
  }
  saveState(): number[] {
    return [...this.pages];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== PAGES) throw new Error(`dma-pages: state of ${state.length} words, ${PAGES} expected`);
    this.pages.set(state);
  }
}
