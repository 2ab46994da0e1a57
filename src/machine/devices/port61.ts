// System control port B (port 61h): speaker gate, PIT channel 2 output, refresh toggle. Not the PIT. IBM PC AT Technical Reference.

import type { Device } from './device.ts';
import type { Pit8254 } from './pit.ts';

export class SystemControlPortB implements Device {
  readonly name = 'port61';
  /** Bits 3:0 as written: gate 2, speaker data, parity and channel-check enables. */
  private control = 0;

  constructor(private readonly pit: Pit8254) {}

  read(): number {
    return this.control | (this.pit.refreshToggle ? 0x10 : 0) | (this.pit.channel2Output ? 0x20 : 0);
  }
  write(_offset: number, _size: number, value: number): void {
    this.control = value & 0xf;
    this.pit.setGate2((value & 1) !== 0);
  }
  registerName(): string {
    return 'system control B';
  }
  reset(): void {
    this.control = 0;
    this.pit.setGate2(false);
  }
  saveState(): number[] {
    return [this.control];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 1) throw new Error('port61: state of one word expected');
    this.control = state[0]!;
  }
}
