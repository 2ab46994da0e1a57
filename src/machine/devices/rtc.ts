// The real-time clock and CMOS memory of a PC: MC146818 at ports 70h-71h with 128 bytes, its three interrupts on IRQ 8, and the
// CMOS bytes firmware would have left. The date runs on virtual time, never on the host's. Motorola MC146818A datasheet.

import { type Clock, CYCLES_PER_SECOND, type Timer } from '../clock.ts';
import type { Device, InterruptLine } from './device.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** The date at virtual time 0 unless the owner says otherwise: 2008-01-01T00:00:00Z. */
export const DEFAULT_DATE = Date.UTC(2008, 0, 1) / 1000;

export const RtcRegister = {
  SECONDS: 0,
  SECONDS_ALARM: 1,
  MINUTES: 2,
  MINUTES_ALARM: 3,
  HOURS: 4,
  HOURS_ALARM: 5,
  DAY_OF_WEEK: 6,
  DAY: 7,
  MONTH: 8,
  YEAR: 9,
  A: 0xa,
  B: 0xb,
  C: 0xc,
  D: 0xd,
  /** The date's first two digits, a convention of PC firmware (ACPI FADT: century). */
  CENTURY: 0x32,
} as const;

const NAMES = [
  'seconds',
  'seconds alarm',
  'minutes',
  'minutes alarm',
  'hours',
  'hours alarm',
  'day of week',
  'day',
  'month',
  'year',
  'register A',
  'register B',
  'register C',
  'register D',
] as const;

const UPDATE_IN_PROGRESS = 0x80;
const B = { SET: 0x80, PIE: 0x40, AIE: 0x20, UIE: 0x10, SQWE: 8, BINARY: 4, HOURS_24: 2 } as const;
const C = { IRQF: 0x80, PERIODIC: 0x40, ALARM: 0x20, UPDATE: 0x10 } as const;
const VALID_RAM_AND_TIME = 0x80;
/** An alarm byte with both top bits set matches everything. */
const DONT_CARE = 0xc0;

const BYTES = 128;
/** Time base of the divider chain and periods between its taps. */
const DIVIDER_HZ = 32768;
/** The update cycle is announced this long before it happens: 244 us. */
const UPDATE_WARNING_CYCLES = 244_000;
const SECONDS_A_DAY = 86400;
const FIXED_WORDS = 8 + BYTES;

/** True for the registers that hold the date and time. */
const isTime = (index: number): boolean =>
  index === RtcRegister.CENTURY ||
  (index <= RtcRegister.YEAR && (index >= RtcRegister.DAY_OF_WEEK || (index & 1) === 0));

export class MC146818 implements Device {
  readonly name = 'rtc';
  private readonly ram = new Uint8Array(BYTES);
  private index = 0;
  private flags = 0;
  /** The date (seconds since 1970) at cycle `origin`, where a second and the divider chain begin. */
  private base: number;
  private origin = 0;
  /** While the divider is held in reset: cycle at which it stopped, else -1. */
  private stopped = -1;
  /** Day-of-week register minus the real day of the week: software may number the days as it likes. */
  private weekdayShift = 0;
  /** Flags in register C are up to date for this cycle. */
  private seen = WIDE_ZERO;
  private readonly timer: Timer;

  /**
   * @param memoryBytes RAM size that the CMOS bytes report.
   * @param startSeconds the date at virtual time 0, seconds since 1970 (UTC).
   */
  constructor(
    private readonly clock: Clock,
    private readonly line: InterruptLine,
    memoryBytes: number,
    startSeconds: number = DEFAULT_DATE,
  ) {
    this.base = startSeconds;
    this.timer = clock.timer((now) => {
      this.catchUp(now);
      this.arm(now);
      this.update();
    });
    this.ram[RtcRegister.A] = 0x26;
    this.ram[RtcRegister.B] = B.HOURS_24;
    this.fillCmos(memoryBytes);
  }

  /** What a PC's firmware records about the machine (IBM PC AT Technical Reference, CMOS RAM; Ralf Brown's CMOS list). */
  private fillCmos(memoryBytes: number): void {
    const word = (at: number, value: number): void => {
      this.ram[at] = value & 0xff;
      this.ram[at + 1] = value >> 8;
    };
    const kib = Math.floor(memoryBytes / 1024);
    const extended = Math.min(Math.max(kib - 1024, 0), 0xffff);
    // Equipment: mathematics coprocessor, EGA or VGA, no diskette drive.
    this.ram[0x14] = 0x02;
    word(0x15, Math.min(kib, 640));
    word(0x17, extended);
    word(0x30, extended);
    // Memory above 16 MiB, in units of 64 KiB.
    word(0x34, Math.min(Math.max(Math.floor((kib - 16 * 1024) / 64), 0), 0xffff));
    let sum = 0;
    for (let i = 0x10; i <= 0x2d; i++) sum += this.ram[i]!;
    this.ram[0x2e] = sum >> 8;
    this.ram[0x2f] = sum & 0xff;
  }

  /** The date, in seconds since 1970, as the chip would show it now. */
  get seconds(): number {
    return this.secondsAt(this.clock.now);
  }

  read(offset: number): number {
    // The index register cannot be read back.
    if (offset === 0) return 0xff;
    const { index } = this;
    const now = this.clock.now;
    if (isTime(index)) return this.held ? this.ram[index]! : this.timeRegister(index, this.secondsAt(now));
    switch (index) {
      case RtcRegister.A:
        return this.ram[index]! | (this.updateInProgress(now) ? UPDATE_IN_PROGRESS : 0);
      case RtcRegister.C: {
        this.catchUp(now);
        const value = this.flags | (this.flags & this.ram[RtcRegister.B]! ? C.IRQF : 0);
        this.flags = 0;
        this.update();
        return value;
      }
      case RtcRegister.D:
        return VALID_RAM_AND_TIME;
      default:
        return this.ram[index]!;
    }
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === 0) {
      // Bit 7 masks the NMI, which nothing here raises.
      this.index = value & 0x7f;
      return;
    }
    const { index } = this;
    const now = this.clock.now;
    this.catchUp(now);
    if (isTime(index)) this.writeTime(index, value, now);
    else if (index === RtcRegister.A) this.writeA(value & 0x7f, now);
    else if (index === RtcRegister.B) this.writeB(value, now);
    else if (index !== RtcRegister.C && index !== RtcRegister.D) this.ram[index] = value;
    this.arm(now);
    this.update();
  }

  /** SET halts the transfer into the date registers: they are plain memory until it is cleared. */
  private get held(): boolean {
    return (this.ram[RtcRegister.B]! & B.SET) !== 0;
  }
  private secondsAt(now: number): number {
    const at = this.stopped < 0 ? now : this.stopped;
    return this.base + Math.floor((at - this.origin) / CYCLES_PER_SECOND);
  }
  private updateInProgress(now: number): boolean {
    if (this.held || this.stopped >= 0) return false;
    const phase = modulo(now - this.origin, CYCLES_PER_SECOND);
    return phase >= CYCLES_PER_SECOND - UPDATE_WARNING_CYCLES;
  }

  private writeTime(index: number, value: number, now: number): void {
    if (!this.held) this.showTime(now);
    this.ram[index] = value;
    if (!this.held) this.takeTime(now);
  }
  private writeA(value: number, now: number): void {
    this.ram[RtcRegister.A] = value;
    // Divider selections 110 and 111 hold the divider in reset.
    const stop = (value & 0x60) === 0x60;
    if (stop === this.stopped >= 0) return;
    if (stop) this.stopped = now;
    else {
      // The first update comes half a second after the divider is let go.
      this.base = this.secondsAt(now);
      this.origin = now - CYCLES_PER_SECOND / 2;
      this.stopped = -1;
    }
  }
  private writeB(value: number, now: number): void {
    const wasHeld = this.held;
    // SET clears the update-ended interrupt enable.
    const next = value & B.SET ? value & ~B.UIE : value;
    if (!wasHeld && next & B.SET) this.showTime(now);
    this.ram[RtcRegister.B] = next;
    if (wasHeld && !(next & B.SET)) this.takeTime(now);
  }

  /** Puts the running date into the registers. */
  private showTime(now: number): void {
    const seconds = this.secondsAt(now);
    for (let i = 0; i <= RtcRegister.YEAR; i++) if (isTime(i)) this.ram[i] = this.timeRegister(i, seconds);
    this.ram[RtcRegister.CENTURY] = this.timeRegister(RtcRegister.CENTURY, seconds);
  }
  /** Takes the registers as the running date; the phase within the second stays. */
  private takeTime(now: number): void {
    const value = (index: number): number => this.decode(this.ram[index]!);
    const year = value(RtcRegister.CENTURY) * 100 + value(RtcRegister.YEAR);
    const date = new Date(0);
    date.setUTCFullYear(year, value(RtcRegister.MONTH) - 1, value(RtcRegister.DAY));
    date.setUTCHours(
      this.decodeHours(this.ram[RtcRegister.HOURS]!),
      value(RtcRegister.MINUTES),
      value(RtcRegister.SECONDS),
    );
    this.weekdayShift = modulo(value(RtcRegister.DAY_OF_WEEK) - 1 - date.getUTCDay(), 7);
    const at = this.stopped < 0 ? now : this.stopped;
    this.base = date.getTime() / 1000;
    this.origin = at - modulo(at - this.origin, CYCLES_PER_SECOND);
  }

  private encode(value: number): number {
    return this.ram[RtcRegister.B]! & B.BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }
  private decode(value: number): number {
    return this.ram[RtcRegister.B]! & B.BINARY ? value : (value >> 4) * 10 + (value & 15);
  }
  private encodeHours(hours: number): number {
    if (this.ram[RtcRegister.B]! & B.HOURS_24) return this.encode(hours);
    return this.encode(hours % 12 || 12) | (hours >= 12 ? 0x80 : 0);
  }
  private decodeHours(value: number): number {
    if (this.ram[RtcRegister.B]! & B.HOURS_24) return this.decode(value);
    return (this.decode(value & 0x7f) % 12) + (value & 0x80 ? 12 : 0);
  }
  /** A date register's contents at a date. */
  private timeRegister(index: number, seconds: number): number {
    const date = new Date(seconds * 1000);
    switch (index) {
      case RtcRegister.SECONDS:
        return this.encode(date.getUTCSeconds());
      case RtcRegister.MINUTES:
        return this.encode(date.getUTCMinutes());
      case RtcRegister.HOURS:
        return this.encodeHours(date.getUTCHours());
      case RtcRegister.DAY_OF_WEEK:
        return this.encode(((date.getUTCDay() + this.weekdayShift) % 7) + 1);
      case RtcRegister.DAY:
        return this.encode(date.getUTCDate());
      case RtcRegister.MONTH:
        return this.encode(date.getUTCMonth() + 1);
      case RtcRegister.YEAR:
        return this.encode(modulo(date.getUTCFullYear(), 100));
      default:
        return this.encode(modulo(Math.floor(date.getUTCFullYear() / 100), 100));
    }
  }

  /** Whether the alarm registers name a second. They are compared as written, so bytes that are no valid time never match. */
  private alarmMatches(seconds: number): boolean {
    for (const index of [RtcRegister.SECONDS, RtcRegister.MINUTES, RtcRegister.HOURS]) {
      const alarm = this.ram[index + 1]!;
      if ((alarm & DONT_CARE) !== DONT_CARE && alarm !== this.timeRegister(index, seconds)) return false;
    }
    return true;
  }

  /** Divider ticks per periodic interrupt, 0 if off: rates 1 and 2 repeat those of 8 and 9. */
  private get period(): number {
    const rate = this.ram[RtcRegister.A]! & 0xf;
    return rate === 0 ? 0 : 1 << (rate < 3 ? rate + 6 : rate - 1);
  }
  private dividerTick(cycle: number): number {
    const elapsed = cycle - this.origin;
    const seconds = Math.floor(elapsed / CYCLES_PER_SECOND);
    return (
      seconds * DIVIDER_HZ + Math.floor(((elapsed - seconds * CYCLES_PER_SECOND) * DIVIDER_HZ) / CYCLES_PER_SECOND)
    );
  }
  private cycleOfTick(tick: number): number {
    const seconds = Math.floor(tick / DIVIDER_HZ);
    return (
      this.origin +
      seconds * CYCLES_PER_SECOND +
      Math.ceil(((tick - seconds * DIVIDER_HZ) * CYCLES_PER_SECOND) / DIVIDER_HZ)
    );
  }

  /** Sets the flags for everything that happened up to a cycle. */
  private catchUp(now: number): void {
    const from = this.seen;
    if (now <= from) return;
    this.seen = now;
    if (this.stopped >= 0) return;
    const { period } = this;
    if (period > 0 && Math.floor(this.dividerTick(now) / period) > Math.floor(this.dividerTick(from) / period)) {
      this.flags |= C.PERIODIC;
    }
    if (this.held) return;
    const last = this.secondsAt(now);
    const first = Math.max(this.secondsAt(from) + 1, last - SECONDS_A_DAY + 1);
    if (last < first) return;
    this.flags |= C.UPDATE;
    if (this.flags & C.ALARM) return;
    for (let second = first; second <= last; second++) {
      if (!this.alarmMatches(second)) continue;
      this.flags |= C.ALARM;
      return;
    }
  }
  /** Arms the timer for the next event that may interrupt; the rest is found out when somebody looks. */
  private arm(now: number): void {
    const enabled = this.ram[RtcRegister.B]!;
    let next = Infinity;
    if (this.stopped < 0) {
      const { period } = this;
      if (enabled & B.PIE && period > 0)
        next = this.cycleOfTick((Math.floor(this.dividerTick(now) / period) + 1) * period);
      if (enabled & (B.UIE | B.AIE) && !this.held) {
        const second = Math.floor((now - this.origin) / CYCLES_PER_SECOND) + 1;
        next = Math.min(next, this.origin + second * CYCLES_PER_SECOND);
      }
    }
    this.clock.arm(this.timer, next);
  }
  private update(): void {
    this.line.set((this.flags & this.ram[RtcRegister.B]! & (C.PERIODIC | C.ALARM | C.UPDATE)) !== 0);
  }

  registerName(offset: number, write: boolean): string {
    if (offset === 0) return write ? 'index' : 'unreadable';
    const { index } = this;
    return NAMES[index] ?? (index === RtcRegister.CENTURY ? 'century' : `CMOS ${index.toString(16).padStart(2, '0')}h`);
  }

  /** RESET clears the interrupt enables and flags; memory, date and alarms live on the battery. */
  reset(): void {
    this.catchUp(this.clock.now);
    this.index = 0;
    this.flags = 0;
    this.ram[RtcRegister.B] = this.ram[RtcRegister.B]! & ~(B.PIE | B.AIE | B.UIE | B.SQWE);
    this.arm(this.clock.now);
    this.update();
  }
  saveState(): number[] {
    return [
      this.index,
      this.flags,
      this.base,
      this.origin,
      this.stopped,
      this.weekdayShift,
      this.seen,
      this.timer.deadline === Infinity ? -1 : this.timer.deadline,
      ...this.ram,
    ];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== FIXED_WORDS) throw new Error(`rtc: state of ${state.length} words, ${FIXED_WORDS} expected`);
    this.index = state[0]!;
    this.flags = state[1]!;
    this.base = state[2]!;
    this.origin = state[3]!;
    this.stopped = state[4]!;
    this.weekdayShift = state[5]!;
    this.seen = state[6]!;
    this.ram.set(state.slice(8));
    this.clock.arm(this.timer, state[7]! < 0 ? Infinity : state[7]!);
  }
}

/** The remainder that is never negative. */
const modulo = (value: number, divisor: number): number => ((value % divisor) + divisor) % divisor;
