// The debug-exit device: a guest ends the run by writing a value to it. Not on any real PC: the de-facto standard is QEMU's
// isa-debug-exit (hw/misc/debugexit.c) at port F4h, four ports wide.

import type { Device } from './device.ts';

export class DebugExit implements Device {
  readonly name = 'debug-exit';
  readonly wide = true;

  /** @param onExit gets the value as written, of whatever size. */
  constructor(private readonly onExit: (value: number) => void) {}

  read(): number {
    return 0;
  }
  write(_offset: number, _size: number, value: number): void {
    this.onExit(value);
  }
  registerName(): string {
    return 'exit';
  }
  reset(): void {}
  saveState(): number[] {
    return [];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 0) throw new Error(`debug-exit: state of ${state.length} words, none expected`);
  }
}
