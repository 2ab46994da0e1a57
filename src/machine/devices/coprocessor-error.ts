// The chip set's half of floating-point errors in the manner of the PC AT: FERR# of the processor becomes IRQ 13, a write to port F0h
// takes the request back and asserts IGNNE# until FERR# falls. Not the x87 (cpu/x87/). Intel 82371AB (PIIX4) datasheet, FERR#, IGNNE# and
// the coprocessor error register; SDM vol. 1, appendix D.2.1.2.

import type { ErrorPins } from '../cpu/cpu.ts';
import type { Device, InterruptLine } from './device.ts';

export class CoprocessorError implements Device, ErrorPins {
  readonly name = 'coprocessor-error';
  ignne = false;
  /** FERR# as the processor drives it. */
  private asserted = false;
  /** The request on IRQ 13: it stays after FERR# fell, until the write to port F0h. */
  private requested = false;

  constructor(private readonly line: InterruptLine) {}

  ferr(asserted: boolean): void {
    if (this.asserted === asserted) return;
    this.asserted = asserted;
    if (asserted) this.request(true);
    else this.ignne = false;
  }
  private request(on: boolean): void {
    this.requested = on;
    this.line.set(on);
  }

  /** Write-only. */
  read(): number {
    return 0xff;
  }
  /** Without FERR# the write leaves IGNNE# alone: a handler that has cleared the error already must not leave it asserted. */
  write(): void {
    this.request(false);
    this.ignne = this.asserted;
  }
  registerName(): string {
    return 'coprocessor error';
  }
  reset(): void {
    this.asserted = false;
    this.ignne = false;
    this.request(false);
  }
  saveState(): number[] {
    return [Number(this.asserted), Number(this.ignne), Number(this.requested)];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 3) throw new Error(`${this.name}: state of ${state.length} words, 3 expected`);
    [this.asserted, this.ignne, this.requested] = state.map((word) => word === 1) as [boolean, boolean, boolean];
  }
}
