// The power-on self-test code at port 80h: a latch that firmware writes progress codes to and that kernels write to for a
// short delay. Not a DMA page register, though the PC AT decodes it with them. IBM PC AT Technical Reference, section 1.

import type { Device } from './device.ts';

export class PostCode implements Device {
  readonly name = 'post';
  /** The last code written. */
  code = 0;

  read(): number {
    return this.code;
  }
  write(_offset: number, _size: number, value: number): void {
    this.code = value;
  }
  registerName(): string {
    return 'POST code';
  }
  reset(): void {
    this.code = 0;
  }
  saveState(): number[] {
    return [this.code];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 1) throw new Error(`post: state of ${state.length} words, 1 expected`);
    this.code = state[0]!;
  }
}
