// The 8254 programmable interval timer: three counters, all six modes, latches and read-back. Time is computed from the clock when
// somebody looks; the only timer armed is channel 0's next output change. Intel 8254 datasheet (231164-005).

import type { Clock, Timer } from '../clock.ts';
import { CYCLES_PER_SECOND } from '../clock.ts';
import type { Device, InterruptLine } from './device.ts';

/** Input frequency in Hz: 14.31818 MHz / 12. */
export const PIT_HZ = 1_193_182;
/** DRAM refresh request, seen as a toggling bit on port 61h: every 15 us. */
const REFRESH_TICKS = 18;
const CHANNEL_WORDS = 17;

/** What a channel's gate does in a mode: modes 1 and 5 are triggered by its rising edge, the others are enabled by its level. */
const triggered = (mode: number): boolean => mode === 1 || mode === 5;

class Channel {
  mode = 0;
  bcd = false;
  /** The count that runs: 1..65536 (BCD 1..10000). */
  reload = 0x10000;
  /** Tick at which the running count is loaded (at most one ahead of now); NaN while stopped. */
  private start = NaN;
  /** Ticks counted when the gate stopped the count (modes 0, 2, 3, 4). */
  private stoppedAt = 0;
  /** Output until a count that was written or triggered is loaded, a tick later. */
  private before = false;
  /** Tick at which the count last written gets into the counting element. */
  private loadedAt = 0;
  gate = true;
  /** Read/write format: 1 low byte, 2 high byte, 3 low then high. */
  format = 3;
  private writeLow = -1;
  private readHigh = false;
  private latched = -1;
  private status = -1;
  /** A count that waits for a trigger (modes 1, 2, 3, 5) or the end of the cycle (mode 2) or half cycle (mode 3); 0: none. */
  private next = 0;
  /** It was written in the first half of mode 3's cycle. */
  private firstHalf = false;
  /** Programmed since the mode was set. */
  private loaded = false;

  private get modulus(): number {
    return this.bcd ? 10000 : 0x10000;
  }
  private get running(): boolean {
    return this.loaded && !Number.isNaN(this.start);
  }
  /** Mode 0 stands still between the two bytes of a count. */
  private get halfWritten(): boolean {
    return this.mode === 0 && this.writeLow >= 0;
  }
  /** Ticks of mode 3's high half: an odd count spends one more there. */
  private get high(): number {
    return (this.reload + 1) >> 1;
  }
  /** Ticks counted; shown as 0 in the tick before the count is loaded. */
  private elapsed(tick: number): number {
    return Number.isNaN(this.start) ? this.stoppedAt : Math.max(0, tick - this.start);
  }

  /** Moves `start` to the present cycle, and puts a waiting count in its place where a cycle (mode 3: half) has ended since. */
  private settle(tick: number): void {
    if (!this.running || tick < this.start || (this.mode !== 2 && this.mode !== 3)) return;
    if (this.next !== 0) {
      const low = this.mode === 3 && this.firstHalf ? this.start + this.high : Infinity;
      const end = Math.min(low, this.start + this.reload);
      if (tick < end) return;
      this.reload = this.next;
      this.next = 0;
      this.start = end === low ? end - this.high : end;
    }
    this.start += Math.floor((tick - this.start) / this.reload) * this.reload;
  }

  /** The counting element at a tick. */
  count(tick: number): number {
    this.settle(tick);
    if (!this.loaded) return 0;
    const elapsed = this.elapsed(tick);
    switch (this.mode) {
      case 2:
        return this.reload - (elapsed % this.reload);
      case 3: {
        // Counts by two from an even number.
        const within = elapsed % this.reload;
        return (this.reload & ~1) - 2 * (within < this.high ? within : within - this.high);
      }
      default: {
        const value = this.reload - elapsed;
        return ((value % this.modulus) + this.modulus) % this.modulus;
      }
    }
  }
  output(tick: number): boolean {
    this.settle(tick);
    if (!this.loaded || this.halfWritten) return this.mode !== 0;
    if (tick < this.start) return this.before;
    // Only modes 0 and 4 keep their output while stopped.
    if (!this.running && this.mode !== 0 && this.mode !== 4) return true;
    const elapsed = this.elapsed(tick);
    switch (this.mode) {
      case 0:
      case 1:
        return elapsed >= this.reload;
      case 2:
        return elapsed % this.reload !== this.reload - 1;
      case 3:
        return elapsed % this.reload < this.high;
      default:
        return elapsed !== this.reload;
    }
  }
  /**
   * First tick after `tick` of which the output line must be told; Infinity if its output stays as it is. The low pulses of modes 2, 4
   * and 5 last one tick and are told at their end: their falling edges matter to nobody.
   */
  nextChange(tick: number): number {
    this.settle(tick);
    if (!this.running) return Infinity;
    if (tick < this.start && this.before !== (this.mode !== 0 && this.mode !== 1)) return this.start;
    const elapsed = this.elapsed(tick);
    const cycle = this.start + Math.floor(elapsed / this.reload) * this.reload;
    switch (this.mode) {
      case 0:
      case 1:
        return elapsed < this.reload ? this.start + this.reload : Infinity;
      case 2:
        return cycle + this.reload;
      case 3:
        return tick < cycle + this.high ? cycle + this.high : cycle + this.reload;
      default:
        return elapsed <= this.reload ? this.start + this.reload + 1 : Infinity;
    }
  }

  setMode(mode: number, format: number, bcd: boolean): void {
    this.mode = mode > 5 ? mode - 4 : mode;
    this.format = format;
    this.bcd = bcd;
    this.writeLow = -1;
    this.readHigh = false;
    this.latched = -1;
    this.status = -1;
    this.next = 0;
    this.loaded = false;
    this.start = NaN;
    this.stoppedAt = 0;
    this.before = this.mode !== 0;
  }
  /** The count if it is complete, with this as its last byte; else 0. */
  write(value: number, tick: number): number {
    if (this.format === 3 && this.writeLow < 0) {
      this.writeLow = value;
      // In mode 0 the first byte stops the count and lowers the output (datasheet, mode 0).
      if (this.mode === 0 && this.loaded) {
        this.stoppedAt = this.elapsed(tick);
        this.start = NaN;
      }
      return 0;
    }
    const raw = this.format === 1 ? value : this.format === 2 ? value << 8 : this.writeLow | (value << 8);
    this.writeLow = -1;
    const count = this.decode(raw) || this.modulus;
    const waits = this.mode !== 0 && this.mode !== 4;
    if (waits && this.loaded && (tick < this.start || tick < this.loadedAt)) {
      // The next pulse loads what is written last.
      this.reload = count;
      this.loadedAt = tick + 1;
    } else if (triggered(this.mode)) this.next = count;
    else if (waits && this.loaded) {
      this.settle(tick);
      this.next = count;
      this.firstHalf = tick - this.start < this.high;
    } else {
      this.before = this.mode !== 0 && this.output(tick);
      this.reload = count;
      this.loadedAt = tick + 1;
      this.start = this.gate ? tick + 1 : NaN;
      this.stoppedAt = 0;
    }
    this.loaded = true;
    return count;
  }
  private decode(raw: number): number {
    if (!this.bcd) return raw;
    return (raw & 15) + ((raw >> 4) & 15) * 10 + ((raw >> 8) & 15) * 100 + (raw >> 12) * 1000;
  }
  private encode(count: number): number {
    if (!this.bcd) return count & 0xffff;
    const n = count % 10000;
    return (
      (n % 10) | ((Math.floor(n / 10) % 10) << 4) | ((Math.floor(n / 100) % 10) << 8) | (Math.floor(n / 1000) << 12)
    );
  }
  latchCount(tick: number): void {
    if (this.latched < 0) this.latched = this.encode(this.count(tick));
  }
  latchStatus(tick: number): void {
    if (this.status >= 0) return;
    const empty = !this.loaded || this.next !== 0 || tick < this.loadedAt;
    this.status =
      (this.output(tick) ? 0x80 : 0) | (empty ? 0x40 : 0) | (this.format << 4) | (this.mode << 1) | (this.bcd ? 1 : 0);
  }
  read(tick: number): number {
    if (this.status >= 0) {
      const status = this.status;
      this.status = -1;
      return status;
    }
    const value = this.latched >= 0 ? this.latched : this.encode(this.count(tick));
    if (this.format === 3) {
      this.readHigh = !this.readHigh;
      if (this.readHigh) return value & 0xff;
      this.latched = -1;
      return value >> 8;
    }
    this.latched = -1;
    return this.format === 2 ? value >> 8 : value & 0xff;
  }
  setGate(level: boolean, tick: number): void {
    if (level === this.gate) return;
    this.settle(tick);
    if (level && (triggered(this.mode) || this.mode === 2 || this.mode === 3)) {
      this.gate = true;
      if (!this.loaded) return;
      this.before = this.output(tick);
      if (this.next !== 0) {
        this.reload = this.next;
        this.next = 0;
        this.loadedAt = tick + 1;
      }
      this.start = tick + 1;
      return;
    }
    this.gate = level;
    if (!this.loaded || triggered(this.mode)) return;
    // Modes 0 and 4 go on where they stood.
    if (level && !this.halfWritten) this.start = Math.max(tick, this.loadedAt) - this.stoppedAt;
    else if (!level) {
      this.stoppedAt = this.elapsed(tick);
      this.start = NaN;
    }
  }

  save(): number[] {
    const stopped = Number.isNaN(this.start);
    return [
      this.mode, Number(this.bcd), this.reload, stopped ? 0 : this.start, Number(stopped), this.stoppedAt, Number(this.before), this.loadedAt,
      Number(this.gate), this.format, this.writeLow, Number(this.readHigh), this.latched, this.status, this.next, Number(this.firstHalf),
      Number(this.loaded),
    ]; // prettier-ignore
  }
  load(s: readonly number[]): void {
    this.mode = s[0]!;
    this.bcd = s[1] === 1;
    this.reload = s[2]!;
    this.start = s[4] === 1 ? NaN : s[3]!;
    this.stoppedAt = s[5]!;
    this.before = s[6] === 1;
    this.loadedAt = s[7]!;
    this.gate = s[8] === 1;
    this.format = s[9]!;
    this.writeLow = s[10]!;
    this.readHigh = s[11] === 1;
    this.latched = s[12]!;
    this.status = s[13]!;
    this.next = s[14]!;
    this.firstHalf = s[15] === 1;
    this.loaded = s[16] === 1;
  }
}

/** Instrumentation points; null when nobody watches. */
export interface PitObserver {
  /** A counter got its count. `reload`: 1-65536; `periodCycles`: cycles of the clock that it stands for. */
  program(channel: number, mode: number, reload: number, periodCycles: number): void;
  /** Channel 0's output rose by itself. */
  tick(): void;
}

export class Pit8254 implements Device {
  readonly name = 'pit';
  observer: PitObserver | null = null;
  private readonly channels = [new Channel(), new Channel(), new Channel()] as const;
  private readonly timer: Timer;

  /** @param irq0 follows channel 0's output. */
  constructor(
    private readonly clock: Clock,
    private readonly irq0: InterruptLine,
  ) {
    this.timer = clock.timer(() => this.channel0Changed(true));
    this.channels[2].gate = false;
  }

  /** Input clock ticks since the start: exact, because the product stays below 2^53 for 87 days. */
  private get tick(): number {
    return tickAt(this.clock.now);
  }
  private channel0Changed(byTime: boolean): void {
    const tick = this.tick;
    const channel = this.channels[0];
    const level = channel.output(tick);
    // The low pulse of modes 2, 4 and 5 lasts one tick and is not waited for: its end is the edge.
    if (byTime && level && (channel.mode === 2 || channel.mode >= 4)) this.irq0.set(false);
    this.irq0.set(level);
    if (byTime && level) this.observer?.tick();
    this.arm();
  }
  private arm(): void {
    const change = this.channels[0].nextChange(this.tick);
    this.clock.arm(this.timer, change === Infinity ? Infinity : cycleOf(change));
  }

  get channel2Output(): boolean {
    return this.channels[2].output(this.tick);
  }
  setGate2(level: boolean): void {
    this.channels[2].setGate(level, this.tick);
  }
  get refreshToggle(): boolean {
    return Math.floor(this.tick / REFRESH_TICKS) % 2 === 1;
  }
  /** Channel 0's period in input ticks and mode: for events and panels. */
  get channel0(): { readonly mode: number; readonly reload: number } {
    return this.channels[0];
  }

  read(offset: number): number {
    return offset === 3 ? 0xff : this.channels[offset as 0 | 1 | 2].read(this.tick);
  }
  write(offset: number, _size: number, value: number): void {
    const tick = this.tick;
    if (offset < 3) {
      const channel = this.channels[offset as 0 | 1 | 2];
      const count = channel.write(value, tick);
      if (count > 0) this.observer?.program(offset, channel.mode, count, cycleOf(count));
      if (offset === 0) this.channel0Changed(false);
      return;
    }
    const select = value >> 6;
    if (select === 3) {
      // Read-back: bits 5 and 4 low ask for count and status of the channels in bits 3:1.
      for (const [i, channel] of this.channels.entries()) {
        if ((value & (2 << i)) === 0) continue;
        if (!(value & 0x20)) channel.latchCount(tick);
        if (!(value & 0x10)) channel.latchStatus(tick);
      }
      return;
    }
    const channel = this.channels[select as 0 | 1 | 2];
    const format = (value >> 4) & 3;
    if (format === 0) channel.latchCount(tick);
    else {
      channel.setMode((value >> 1) & 7, format, (value & 1) !== 0);
      if (select === 0) this.channel0Changed(false);
    }
  }
  registerName(offset: number): string {
    return offset === 3 ? 'control word' : `counter ${offset}`;
  }
  reset(): void {
    for (const channel of this.channels) channel.setMode(0, 3, false);
    this.channels[2].gate = false;
    this.irq0.set(false);
    this.arm();
  }
  saveState(): number[] {
    return this.channels.flatMap((channel) => channel.save());
  }
  loadState(state: readonly number[]): void {
    if (state.length !== 3 * CHANNEL_WORDS)
      throw new Error(`pit: state of ${state.length} words, ${3 * CHANNEL_WORDS} expected`);
    this.channels.forEach((channel, i) => channel.load(state.slice(i * CHANNEL_WORDS, (i + 1) * CHANNEL_WORDS)));
    this.arm();
  }
}

/** Ticks completed at a cycle, and the first cycle at which a tick is complete: inverse of each other, in exact integers. */
export const tickAt = (cycle: number): number => {
  const seconds = Math.floor(cycle / CYCLES_PER_SECOND);
  return seconds * PIT_HZ + Math.floor(((cycle - seconds * CYCLES_PER_SECOND) * PIT_HZ) / CYCLES_PER_SECOND);
};
export const cycleOf = (tick: number): number => {
  const seconds = Math.floor(tick / PIT_HZ);
  return seconds * CYCLES_PER_SECOND + Math.ceil(((tick - seconds * PIT_HZ) * CYCLES_PER_SECOND) / PIT_HZ);
};
