// The two chip-set ways to reset a PC: system control port A (port 92h, with the fast A20 gate) and the reset control register
// (port CF9h). Not the keyboard controller's way: see i8042.ts. Intel 82371AB (PIIX4) datasheet, sections 4.2.6.1 and 4.1.6.

import type { Device } from './device.ts';

/**
 * The A20 gate, shared by port 92h and the keyboard controller. It remembers what was written so that software reads it back;
 * address bit 20 itself is never masked.
 */
export interface A20Gate {
  enabled: boolean;
}

/** Port 92h. Bit 0: a rising edge resets the processor. Bit 1: A20 enabled. */
export class SystemControlPortA implements Device {
  readonly name = 'port92';
  private control = 0;

  constructor(
    private readonly a20: A20Gate,
    private readonly onReset: () => void,
  ) {}

  read(): number {
    return this.control | (this.a20.enabled ? 2 : 0);
  }
  write(_offset: number, _size: number, value: number): void {
    const reset = (value & ~this.control & 1) !== 0;
    this.control = value & 0xfd;
    this.a20.enabled = (value & 2) !== 0;
    if (reset) this.onReset();
  }
  registerName(): string {
    return 'system control A';
  }
  /** Firmware has enabled A20 before a kernel runs. */
  reset(): void {
    this.control = 0;
    this.a20.enabled = true;
  }
  saveState(): number[] {
    return [this.control, Number(this.a20.enabled)];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 2) throw new Error(`port92: state of ${state.length} words, 2 expected`);
    this.control = state[0]!;
    this.a20.enabled = state[1] === 1;
  }
}

/**
 * Ports CF8h-CFBh. Only the byte at CF9h is a register here: bit 2 resets the system when it goes from 0 to 1. Wider accesses
 * are the PCI configuration address of a machine that has PCI; this one has none, so they read as all ones and change nothing.
 */
export class ResetControl implements Device {
  readonly name = 'reset';
  readonly wide = true;
  private control = 0;

  constructor(private readonly onReset: () => void) {}

  read(offset: number, size: 1 | 2 | 4): number {
    if (size === 1) return offset === 1 ? this.control : 0xff;
    return size === 2 ? 0xffff : 0xffff_ffff;
  }
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset !== 1 || size !== 1) return;
    const reset = (value & ~this.control & 4) !== 0;
    this.control = value & 0xe;
    if (reset) this.onReset();
  }
  registerName(offset: number): string {
    return offset === 1 ? 'reset control' : `CF${(8 + offset).toString(16).toUpperCase()}`;
  }
  reset(): void {
    this.control = 0;
  }
  saveState(): number[] {
    return [this.control];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 1) throw new Error(`reset: state of ${state.length} words, 1 expected`);
    this.control = state[0]!;
  }
}
