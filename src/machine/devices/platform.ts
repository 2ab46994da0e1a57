// The PC: which chips there are, the ports they sit at and the interrupt lines between them. Not a chip itself. One instance is the
// bare machine's hardware, another a domain's virtual platform. IBM PC AT Technical Reference, I/O address map.

import type { Bus } from '../bus.ts';
import type { Clock } from '../clock.ts';
import type { ErrorPins, InterruptSource } from '../cpu/cpu.ts';
import { CoprocessorError } from './coprocessor-error.ts';
import { DebugConsole } from './debug-console.ts';
import { DebugExit } from './debug-exit.ts';
import type { Device } from './device.ts';
import { Dma8237, DmaPageRegisters } from './dma.ts';
import { I8042 } from './i8042.ts';
import { Pic8259Pair } from './pic.ts';
import { Pit8254 } from './pit.ts';
import { SystemControlPortB } from './port61.ts';
import { PostCode } from './post.ts';
import { type A20Gate, ResetControl, SystemControlPortA } from './reset-control.ts';
import { MC146818 } from './rtc.ts';
import { Uart16550 } from './uart.ts';
import { VgaText } from './vga-text.ts';

/** IRQ lines of the PC AT. */
export const Irq = { TIMER: 0, KEYBOARD: 1, COM1: 4, RTC: 8, FPU: 13 } as const;

export interface PcPlatformOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** RAM size as CMOS reports it. */
  readonly memoryBytes: number;
  /** A byte of the owner's physical memory: the VGA's text buffer is ordinary RAM. */
  readonly read8: (physical: number) => number;
  readonly onSerialByte: (byte: number) => void;
  /** A character of the firmware's log. */
  readonly onDebugByte: (byte: number) => void;
  /** The guest asked for a reset (keyboard controller, port 92h or CF9h). Called within its OUT instruction. */
  readonly onReset: () => void;
  /** The guest wrote to the debug-exit port. */
  readonly onDebugExit: (value: number) => void;
  /** The date at virtual time 0, in seconds since 1970 (UTC). Default: `DEFAULT_DATE`. */
  readonly startSeconds?: number;
}

export class PcPlatform {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly pic: Pic8259Pair;
  readonly pit: Pit8254;
  readonly port61: SystemControlPortB;
  /** COM1. */
  readonly uart0: Uart16550;
  readonly rtc: MC146818;
  readonly keyboard: I8042;
  readonly vga: VgaText;
  readonly post: PostCode;
  private readonly coprocessorError: CoprocessorError;
  /** Every device, always in this order: that of the saved state. */
  readonly devices: readonly Device[];
  private readonly read8: (physical: number) => number;

  constructor(options: PcPlatformOptions) {
    const { bus, clock } = options;
    this.bus = bus;
    this.clock = clock;
    this.read8 = options.read8;
    const pic = new Pic8259Pair();
    const a20: A20Gate = { enabled: true };
    this.pic = pic;
    this.pit = new Pit8254(clock, pic.line(Irq.TIMER));
    this.port61 = new SystemControlPortB(this.pit);
    this.uart0 = new Uart16550('uart0', pic.line(Irq.COM1), clock, options.onSerialByte);
    this.rtc = new MC146818(clock, pic.line(Irq.RTC), options.memoryBytes, options.startSeconds);
    this.keyboard = new I8042(clock, pic.line(Irq.KEYBOARD), a20, options.onReset);
    this.vga = new VgaText(clock);
    this.post = new PostCode();
    this.coprocessorError = new CoprocessorError(pic.line(Irq.FPU));
    const dma0 = new Dma8237('dma0', 0);
    const dma1 = new Dma8237('dma1', 1);
    const pages = new DmaPageRegisters();
    const port92 = new SystemControlPortA(a20, options.onReset);
    const reset = new ResetControl(options.onReset);
    const debugExit = new DebugExit(options.onDebugExit);
    const debugConsole = new DebugConsole(options.onDebugByte);

    const map: readonly (readonly [first: number, count: number, device: Device, offset?: number])[] = [
      [0x00, 16, dma0],
      [0x20, 2, pic.master],
      [0x40, 4, this.pit],
      [0x60, 1, this.keyboard],
      [0x61, 1, this.port61],
      [0x64, 1, this.keyboard, 4],
      [0x70, 2, this.rtc],
      [0x80, 1, this.post],
      [0x81, 15, pages],
      [0x92, 1, port92],
      [0xa0, 2, pic.slave],
      [0xc0, 32, dma1],
      [0xf0, 1, this.coprocessorError],
      [0xf4, 4, debugExit],
      [0x3c0, 16, this.vga],
      [0x3d4, 2, this.vga, 0x14],
      [0x3da, 1, this.vga, 0x1a],
      [0x3f8, 8, this.uart0],
      [0x402, 1, debugConsole],
      [0x4d0, 2, pic.elcr],
      [0xcf8, 4, reset],
    ];
    for (const [first, count, device, offset] of map) bus.claimPorts(first, count, device, offset);
    this.devices = [
      pic.master,
      pic.slave,
      pic.elcr,
      this.pit,
      this.port61,
      this.uart0,
      this.rtc,
      this.keyboard,
      this.vga,
      dma0,
      dma1,
      pages,
      this.post,
      port92,
      reset,
      debugExit,
      debugConsole,
      this.coprocessorError,
    ];
  }

  /** The INTR pin. */
  get interrupts(): InterruptSource {
    return this.pic;
  }
  /** The FERR# and IGNNE# pins. */
  get errorPins(): ErrorPins {
    return this.coprocessorError;
  }

  /** Bytes typed on COM1, delivered from the present virtual time on. */
  typeSerial(bytes: ArrayLike<number>): void {
    this.uart0.receive(bytes);
  }

  /** The text screen: lines joined by \n, trailing blanks removed; empty in graphics modes. */
  vgaText(): string {
    return this.vga.text(this.read8);
  }

  /** The state after power-on. CMOS memory and the date live on a battery and stay. */
  reset(): void {
    for (const device of this.devices) device.reset();
    this.pic.changed();
  }

  /** Every device's state after its length, in the order of `devices`. The clock is its owner's. */
  saveState(): number[] {
    const state: number[] = [];
    for (const device of this.devices) {
      const words = device.saveState();
      state.push(words.length);
      for (const word of words) state.push(word);
    }
    return state;
  }

  /** Inverse of `saveState`, after the clock was set to the time of saving. Throws on a wrong length: a bug of ours. */
  loadState(state: readonly number[]): void {
    let at = 0;
    for (const device of this.devices) {
      const words = state[at++] ?? 0;
      device.loadState(state.slice(at, at + words));
      at += words;
    }
    if (at !== state.length) throw new Error(`platform: state of ${state.length} words, ${at} expected`);
    // Devices leave their lines alone when they load: the controllers' own state holds the levels.
    this.pic.changed();
  }
}
