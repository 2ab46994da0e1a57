// The debug console: a port that firmware writes its log to, a character a byte. Not a serial line: it has no registers and nothing
// can be typed. On no real PC: the convention is that of Bochs and QEMU (isa-debugcon), with SeaBIOS's log at port 402h.

import type { Device } from './device.ts';

/** What a read gives: firmware asks for it to see whether anybody listens. */
const PRESENT = 0xe9;

export class DebugConsole implements Device {
  readonly name = 'debug-console';

  constructor(private readonly onByte: (byte: number) => void) {}

  read(): number {
    return PRESENT;
  }
  write(_offset: number, _size: number, value: number): void {
    this.onByte(value);
  }
  registerName(): string {
    return 'character';
  }
  reset(): void {}
  saveState(): number[] {
    return [];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 0) throw new Error(`debug-console: state of ${state.length} words, none expected`);
  }
}
