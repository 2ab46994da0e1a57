// The 16550A UART of a PC's COM port: registers, FIFOs, interrupt priorities, modem lines, loop-back. Not a terminal and not
// the host's end of the line: bytes go out through a callback and come in through `receive`.
// National Semiconductor PC16550D datasheet, section 8.

import type { Clock, Timer } from '../clock.ts';
import type { Device, InterruptLine } from './device.ts';

/** Interrupt enable register. */
const Ier = { RECEIVED_DATA: 1, THR_EMPTY: 2, LINE_STATUS: 4, MODEM_STATUS: 8 } as const;
/** Interrupt identification, highest priority first; bits 7:6 tell that the FIFOs are on. */
const Iir = {
  LINE_STATUS: 6,
  RECEIVED_DATA: 4,
  CHARACTER_TIMEOUT: 0xc,
  THR_EMPTY: 2,
  MODEM_STATUS: 0,
  NONE: 1,
  FIFOS: 0xc0,
} as const;
const Fcr = { ENABLE: 1, CLEAR_RECEIVER: 2, KEPT: 0xc9 } as const;
const Lcr = { DLAB: 0x80 } as const;
const Mcr = { DTR: 1, RTS: 2, OUT1: 4, OUT2: 8, LOOP: 0x10 } as const;
const Lsr = { DATA_READY: 1, OVERRUN: 2, THR_EMPTY: 0x20, TRANSMITTER_EMPTY: 0x40 } as const;
const Msr = { CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80, RI_DELTA: 4, DELTAS: 0xf } as const;

const FIFO_BYTES = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** Cycles one character (start, eight data bits, stop) takes at divisor 1, 115200 baud. */
export const CHARACTER_CYCLES = 86_800;
/** A terminal is connected and ready. */
const CONNECTED = Msr.CTS | Msr.DSR | Msr.DCD;

const READ_NAMES = ['RBR', 'IER', 'IIR', 'LCR', 'MCR', 'LSR', 'MSR', 'SCR'] as const;
const WRITE_NAMES = ['THR', 'IER', 'FCR', 'LCR', 'MCR', 'LSR', 'MSR', 'SCR'] as const;
const FIXED_WORDS = 16 + FIFO_BYTES;

export class Uart16550 implements Device {
  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private scratch = 0;
  private divisor = 1;
  private modemLines: number = CONNECTED;
  private modemDeltas = 0;
  private overrun = false;
  /** The transmitter-empty interrupt is latched: it goes when IIR shows it or THR is written. */
  private thrEmptyLatched = false;
  private mcrWritten = false;
  private polled = false;

  private readonly fifo = new Uint8Array(FIFO_BYTES);
  private first = 0;
  private count = 0;

  /** What the host has typed and the line has not carried yet: queue[head...]. */
  private queue: number[] = [];
  private head = 0;
  /** Cycle at which the next character is complete, or -1 while the line is idle. */
  private arrival = -1;
  private readonly timer: Timer;

  /**
   * @param name "uart0"...
   * @param onTransmit called for each byte that leaves; transmission takes no time.
   */
  constructor(
    readonly name: string,
    private readonly line: InterruptLine,
    private readonly clock: Clock,
    private readonly onTransmit: (byte: number) => void,
  ) {
    this.timer = clock.timer((now) => this.arrived(now));
  }

  /**
   * Bytes typed by the host, any number. They reach the receiver one character time apart and only while it has room. The host
   * honours RTS: nothing is sent until the guest asserts it or enables the receive interrupt. A guest that never touches the
   * modem control register is served as soon as it polls.
   */
  receive(bytes: ArrayLike<number>): void {
    for (let i = 0; i < bytes.length; i++) this.queue.push(bytes[i]! & 0xff);
    this.schedule(this.clock.now);
    this.update();
  }

  /** Bytes typed by the host that the guest has not received. */
  get waiting(): number {
    return this.queue.length - this.head;
  }

  read(offset: number): number {
    switch (offset) {
      case 0:
        if (this.lcr & Lcr.DLAB) return this.divisor & 0xff;
        return this.readReceiver();
      case 1:
        return this.lcr & Lcr.DLAB ? this.divisor >> 8 : this.ier;
      case 2:
        return this.readInterruptIdentification();
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5:
        return this.readLineStatus();
      case 6: {
        const value = this.modemLines | this.modemDeltas;
        this.modemDeltas = 0;
        this.update();
        return value;
      }
      default:
        return this.scratch;
    }
  }

  write(offset: number, _size: number, value: number): void {
    switch (offset) {
      case 0:
        if (this.lcr & Lcr.DLAB) this.divisor = (this.divisor & 0xff00) | value;
        else this.transmit(value);
        break;
      case 1:
        if (this.lcr & Lcr.DLAB) this.divisor = (this.divisor & 0xff) | (value << 8);
        else this.writeInterruptEnable(value);
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        this.lcr = value;
        break;
      case 4:
        this.writeModemControl(value);
        break;
      case 7:
        this.scratch = value;
        break;
      default:
        // LSR and MSR: writing is for factory tests only.
        break;
    }
    this.schedule(this.clock.now);
    this.update();
  }

  private readReceiver(): number {
    this.polled = true;
    // An empty receiver shows the last character again.
    const value = this.fifo[this.first]!;
    if (this.count > 0) {
      this.count--;
      if (this.count > 0) this.first = (this.first + 1) % FIFO_BYTES;
    }
    this.schedule(this.clock.now);
    this.update();
    return value;
  }
  private readInterruptIdentification(): number {
    const source = this.source;
    if (source === Iir.THR_EMPTY) {
      this.thrEmptyLatched = false;
      this.update();
    }
    return source | (this.fcr & Fcr.ENABLE ? Iir.FIFOS : 0);
  }
  private readLineStatus(): number {
    const value =
      Lsr.THR_EMPTY | Lsr.TRANSMITTER_EMPTY | (this.count > 0 ? Lsr.DATA_READY : 0) | (this.overrun ? Lsr.OVERRUN : 0);
    this.overrun = false;
    this.polled = true;
    this.schedule(this.clock.now);
    this.update();
    return value;
  }
  private transmit(value: number): void {
    // The holding register is empty again at once, so its interrupt falls and rises within the write.
    if (this.thrEmptyLatched) {
      this.thrEmptyLatched = false;
      this.update();
    }
    this.thrEmptyLatched = true;
    if (this.mcr & Mcr.LOOP) this.take(value);
    else this.onTransmit(value);
  }
  private writeInterruptEnable(value: number): void {
    const enabled = value & 0xf;
    // Enabling the transmitter's interrupt while THR is empty raises it, each time anew.
    if ((enabled ^ this.ier) & Ier.THR_EMPTY) this.thrEmptyLatched = (enabled & Ier.THR_EMPTY) !== 0;
    this.ier = enabled;
  }
  private writeFifoControl(value: number): void {
    const toggled = ((value ^ this.fcr) & Fcr.ENABLE) !== 0;
    if (toggled || (value & Fcr.ENABLE && value & Fcr.CLEAR_RECEIVER)) this.count = 0;
    // The other bits are programmable only while the FIFOs are on.
    this.fcr = value & Fcr.ENABLE ? value & Fcr.KEPT : 0;
  }
  private writeModemControl(value: number): void {
    this.mcr = value & 0x1f;
    this.mcrWritten = true;
    const lines = this.mcr & Mcr.LOOP ? this.loopedLines : CONNECTED;
    const changed = lines ^ this.modemLines;
    // The ring indicator counts only when it ends.
    const ringStarted = (changed & lines & Msr.RI) !== 0;
    this.modemDeltas |= (changed >> 4) & (ringStarted ? ~Msr.RI_DELTA : Msr.DELTAS);
    this.modemLines = lines;
  }
  private get loopedLines(): number {
    const m = this.mcr;
    return (
      (m & Mcr.RTS ? Msr.CTS : 0) |
      (m & Mcr.DTR ? Msr.DSR : 0) |
      (m & Mcr.OUT1 ? Msr.RI : 0) |
      (m & Mcr.OUT2 ? Msr.DCD : 0)
    );
  }

  /** A character is complete in the shift register. */
  private take(value: number): void {
    const room = this.fcr & Fcr.ENABLE ? FIFO_BYTES : 1;
    if (this.count >= room) {
      this.overrun = true;
      // Without FIFO the new character destroys the old one; with it, the new one is lost.
      if (room === 1) this.fifo[this.first] = value;
      return;
    }
    if (this.count > 0) this.fifo[(this.first + this.count) % FIFO_BYTES] = value;
    else {
      this.first = (this.first + 1) % FIFO_BYTES;
      this.fifo[this.first] = value;
    }
    this.count++;
  }

  private get hostMaySend(): boolean {
    if (this.mcr & Mcr.LOOP || this.count >= (this.fcr & Fcr.ENABLE ? FIFO_BYTES : 1)) return false;
    return (this.mcr & Mcr.RTS) !== 0 || (this.ier & Ier.RECEIVED_DATA) !== 0 || (!this.mcrWritten && this.polled);
  }
  /** Starts or stops the line's next character. */
  private schedule(now: number): void {
    const wanted = this.head < this.queue.length && this.hostMaySend;
    if (wanted === this.arrival >= 0) return;
    this.arrival = wanted ? now + CHARACTER_CYCLES * Math.max(1, this.divisor) : -1;
    this.clock.arm(this.timer, wanted ? this.arrival : Infinity);
  }
  private arrived(now: number): void {
    this.arrival = -1;
    this.take(this.queue[this.head++]!);
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    }
    this.schedule(now);
    this.update();
  }

  /** The interrupt of highest priority, as IIR bits 3:0. */
  private get source(): number {
    if (this.ier & Ier.LINE_STATUS && this.overrun) return Iir.LINE_STATUS;
    if (this.ier & Ier.RECEIVED_DATA && this.count > 0) {
      if (!(this.fcr & Fcr.ENABLE) || this.count >= TRIGGER_LEVELS[(this.fcr >> 6) as 0 | 1 | 2 | 3])
        return Iir.RECEIVED_DATA;
      // The datasheet waits for four character times; here the line knows that nothing follows.
      if (this.arrival < 0) return Iir.CHARACTER_TIMEOUT;
    }
    if (this.ier & Ier.THR_EMPTY && this.thrEmptyLatched) return Iir.THR_EMPTY;
    if (this.ier & Ier.MODEM_STATUS && this.modemDeltas !== 0) return Iir.MODEM_STATUS;
    return Iir.NONE;
  }
  /** On a PC, OUT2 enables the driver of the interrupt line; loop-back forces the pin inactive. */
  private update(): void {
    const open = (this.mcr & (Mcr.OUT2 | Mcr.LOOP)) === Mcr.OUT2;
    this.line.set(open && this.source !== Iir.NONE);
  }

  registerName(offset: number, write: boolean): string {
    if (this.lcr & Lcr.DLAB && offset < 2) return offset === 0 ? 'DLL' : 'DLM';
    return (write ? WRITE_NAMES : READ_NAMES)[offset] ?? `+${offset}`;
  }

  /** What the host has typed is the host's: it stays. */
  reset(): void {
    const typed = this.queue.slice(this.head);
    this.loadState([
      0,
      0,
      0,
      0,
      0,
      1,
      CONNECTED,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      -1,
      typed.length,
      ...Array<number>(FIFO_BYTES).fill(0),
      ...typed,
    ]);
    this.update();
  }
  /** A fixed part, then the characters that the host typed and the guest has not received: the only part of variable length. */
  saveState(): number[] {
    // Delivered characters need not be kept; nobody sees the difference.
    this.queue = this.queue.slice(this.head);
    this.head = 0;
    return [
      this.ier,
      this.fcr,
      this.lcr,
      this.mcr,
      this.scratch,
      this.divisor,
      this.modemLines,
      this.modemDeltas,
      Number(this.overrun),
      Number(this.thrEmptyLatched),
      Number(this.mcrWritten),
      Number(this.polled),
      this.first,
      this.count,
      this.arrival,
      this.waiting,
      ...this.fifo,
      ...this.queue,
    ];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== FIXED_WORDS + (state[15] ?? 0))
      throw new Error(`${this.name}: state of ${state.length} words does not fit`);
    this.ier = state[0]!;
    this.fcr = state[1]!;
    this.lcr = state[2]!;
    this.mcr = state[3]!;
    this.scratch = state[4]!;
    this.divisor = state[5]!;
    this.modemLines = state[6]!;
    this.modemDeltas = state[7]!;
    this.overrun = state[8] === 1;
    this.thrEmptyLatched = state[9] === 1;
    this.mcrWritten = state[10] === 1;
    this.polled = state[11] === 1;
    this.first = state[12]!;
    this.count = state[13]!;
    this.arrival = state[14]!;
    this.fifo.set(state.slice(16, FIXED_WORDS));
    this.queue = state.slice(FIXED_WORDS);
    this.head = 0;
    this.clock.arm(this.timer, this.arrival < 0 ? Infinity : this.arrival);
  }
}
