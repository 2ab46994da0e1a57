// The 8259A interrupt controller pair of a PC: master and slave, cascaded on IRQ 2, with the edge/level registers (ELCR) of later
// chip sets. Not the local APIC. Intel 8259A datasheet (231468-003); PIIX datasheet for the ELCR.

import type { InterruptSource } from '../cpu/cpu.ts';
import type { Device, InterruptLine } from './device.ts';

/** Instrumentation points of the pair; null when nobody watches. Plain numbers only. */
export interface PicObserver {
  /** A request line changed. `merged`: the edge found its request already waiting. */
  edge(irq: number, level: boolean, merged: boolean, masked: boolean): void;
  intack(irq: number, vector: number, spurious: boolean): void;
  /** `kind`: 0 non-specific, 1 specific, 2 automatic. */
  eoi(irq: number, kind: 0 | 1 | 2): void;
  /** `chip`: 0 master, 1 slave; `word`: 1-4 ICW, 5-7 OCW1-3. */
  command(chip: 0 | 1, word: number, value: number): void;
}

const CASCADE = 2;
const STATE_WORDS = 14;

/** One 8259A. Requests are bits 0..7. */
class Chip implements Device {
  irr = 0;
  isr = 0;
  imr = 0;
  /** Lines as they stand. */
  lines = 0;
  /** Lines that are level-triggered. */
  elcr = 0;
  vectorBase = 0;
  /** The request with the lowest priority; the one after it has the highest. */
  private lowest = 7;
  private step = 0;
  private needsIcw4 = false;
  private single = false;
  private autoEoi = false;
  private rotateOnAutoEoi = false;
  private fullyNested = false;
  private specialMask = false;
  private readIsr = false;
  private poll = false;
  private levelMode = false;

  constructor(
    readonly name: string,
    private readonly index: 0 | 1,
    private readonly pair: Pic8259Pair,
  ) {}

  setLine(bit: number, level: boolean): void {
    const mask = 1 << bit;
    const rising = level && (this.lines & mask) === 0;
    this.lines = level ? this.lines | mask : this.lines & ~mask;
    if (this.levelMode || this.elcr & mask) {
      this.irr = level ? this.irr | mask : this.irr & ~mask;
    } else if (rising) this.irr |= mask;
    // An edge request whose line falls before it is acknowledged is lost, and answered as spurious.
    else if (!level) this.irr &= ~mask;
  }

  /** The request that would be acknowledged now, or -1. */
  get pending(): number {
    const requests = this.irr & ~this.imr;
    if (requests === 0) return -1;
    for (let rank = 0; rank < 8; rank++) {
      const bit = (this.lowest + 1 + rank) & 7;
      const mask = 1 << bit;
      const inService = (this.isr & mask) !== 0;
      // In special fully nested mode the slave in service may ask again, for a request of higher priority of its own.
      const nestedSlave = this.fullyNested && this.index === 0 && bit === CASCADE;
      if (requests & mask && (!inService || nestedSlave)) return bit;
      // In special mask mode a request in service blocks only itself.
      if (inService && !this.specialMask) return -1;
    }
    return -1;
  }

  /** The acknowledge cycle: moves the request into service. 7 with `spurious` if there is none any more. */
  acknowledge(): number {
    const bit = this.pending;
    this.spurious = bit < 0;
    if (bit < 0) return 7;
    const mask = 1 << bit;
    this.isr |= mask;
    if (!(this.levelMode || this.elcr & mask)) this.irr &= ~mask;
    if (this.autoEoi) {
      this.isr &= ~mask;
      if (this.rotateOnAutoEoi) this.lowest = bit;
      this.pair.observer?.eoi(this.index * 8 + bit, 2);
    }
    return bit;
  }
  spurious = false;

  private endOfInterrupt(bit: number, rotate: boolean, specific: boolean): void {
    if (bit < 0) return;
    this.isr &= ~(1 << bit);
    if (rotate) this.lowest = bit;
    this.pair.observer?.eoi(this.index * 8 + bit, specific ? 1 : 0);
  }
  private get highestInService(): number {
    for (let rank = 0; rank < 8; rank++) {
      const bit = (this.lowest + 1 + rank) & 7;
      if (this.isr & (1 << bit) && !(this.specialMask && this.imr & (1 << bit))) return bit;
    }
    return -1;
  }

  read(offset: number): number {
    if (this.poll) {
      this.poll = false;
      const bit = this.pending;
      if (bit < 0) return 0;
      this.acknowledge();
      if (this.index === 1) this.pair.slaveAcknowledged();
      this.pair.changed();
      return 0x80 | bit;
    }
    if (offset === 1) return this.imr;
    return this.readIsr ? this.isr : this.irr;
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === 0) {
      if (value & 0x10) this.initialize(value);
      else if (value & 8) this.operationWord3(value);
      else this.operationWord2(value);
    } else if (this.step === 0) {
      this.imr = value & 0xff;
      this.pair.observer?.command(this.index, 5, value);
    } else this.initializationWord(value);
    this.pair.changed();
  }
  private initialize(value: number): void {
    this.pair.observer?.command(this.index, 1, value);
    this.imr = 0;
    this.isr = 0;
    this.levelMode = (value & 8) !== 0;
    // The edge detectors are reset: a line that is high must fall and rise again.
    this.irr = this.levelMode ? this.lines : this.lines & this.elcr;
    this.lowest = 7;
    this.specialMask = false;
    this.readIsr = false;
    this.poll = false;
    this.autoEoi = false;
    this.rotateOnAutoEoi = false;
    this.fullyNested = false;
    this.single = (value & 2) !== 0;
    this.needsIcw4 = (value & 1) !== 0;
    this.step = 2;
  }
  private initializationWord(value: number): void {
    this.pair.observer?.command(this.index, this.step, value);
    if (this.step === 2) {
      this.vectorBase = value & 0xf8;
      this.step = this.single ? (this.needsIcw4 ? 4 : 0) : 3;
    } else if (this.step === 3) this.step = this.needsIcw4 ? 4 : 0;
    else {
      this.fullyNested = (value & 0x10) !== 0;
      this.autoEoi = (value & 2) !== 0;
      this.step = 0;
    }
  }
  private operationWord2(value: number): void {
    this.pair.observer?.command(this.index, 6, value);
    const bit = value & 7;
    switch (value >> 5) {
      case 0:
        this.rotateOnAutoEoi = false;
        break;
      case 1:
        this.endOfInterrupt(this.highestInService, false, false);
        break;
      case 3:
        this.endOfInterrupt(bit, false, true);
        break;
      case 4:
        this.rotateOnAutoEoi = true;
        break;
      case 5:
        this.endOfInterrupt(this.highestInService, true, false);
        break;
      case 6:
        this.lowest = bit;
        break;
      case 7:
        this.endOfInterrupt(bit, true, true);
        break;
      default:
        break;
    }
  }
  private operationWord3(value: number): void {
    this.pair.observer?.command(this.index, 7, value);
    if (value & 4) this.poll = true;
    if (value & 2) this.readIsr = (value & 1) !== 0;
    if (value & 0x40) this.specialMask = (value & 0x20) !== 0;
  }

  registerName(offset: number, write: boolean): string {
    if (offset === 1) return this.step !== 0 && write ? `ICW${this.step}` : 'IMR';
    return write ? 'OCW2/OCW3' : this.readIsr ? 'ISR' : 'IRR';
  }
  reset(): void {
    this.loadState(Array<number>(STATE_WORDS).fill(0));
    this.lowest = 7;
  }
  saveState(): number[] {
    const flags = [this.needsIcw4, this.single, this.autoEoi, this.rotateOnAutoEoi, this.fullyNested, this.specialMask];
    const more = [this.readIsr, this.poll, this.levelMode, this.spurious];
    const word = [...flags, ...more].reduce((n, flag, i) => n | (flag ? 1 << i : 0), 0);
    return [
      this.irr,
      this.isr,
      this.imr,
      this.lines,
      this.elcr,
      this.vectorBase,
      this.lowest,
      this.step,
      word,
      0,
      0,
      0,
      0,
      0,
    ];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== STATE_WORDS)
      throw new Error(`${this.name}: state of ${state.length} words, ${STATE_WORDS} expected`);
    this.irr = state[0]!;
    this.isr = state[1]!;
    this.imr = state[2]!;
    this.lines = state[3]!;
    this.elcr = state[4]!;
    this.vectorBase = state[5]!;
    this.lowest = state[6]!;
    this.step = state[7]!;
    const flag = (i: number): boolean => (state[8]! & (1 << i)) !== 0;
    this.needsIcw4 = flag(0);
    this.single = flag(1);
    this.autoEoi = flag(2);
    this.rotateOnAutoEoi = flag(3);
    this.fullyNested = flag(4);
    this.specialMask = flag(5);
    this.readIsr = flag(6);
    this.poll = flag(7);
    this.levelMode = flag(8);
    this.spurious = flag(9);
  }
}

/** Edge/level control: one bit a line; IRQ 0, 1, 2, 8 and 13 are always edge-triggered. */
class EdgeLevel implements Device {
  readonly name = 'elcr';
  constructor(
    private readonly chips: readonly [Chip, Chip],
    private readonly pair: Pic8259Pair,
  ) {}
  read(offset: number): number {
    return this.chips[offset & 1]!.elcr;
  }
  write(offset: number, _size: number, value: number): void {
    const chip = this.chips[offset & 1]!;
    chip.elcr = value & (offset & 1 ? 0xde : 0xf8);
    // A level-triggered request follows its line, also when the line was high before.
    chip.irr = (chip.irr & ~chip.elcr) | (chip.lines & chip.elcr);
    this.pair.changed();
  }
  registerName(offset: number): string {
    return offset & 1 ? 'ELCR2' : 'ELCR1';
  }
  reset(): void {
    for (const chip of this.chips) chip.elcr = 0;
  }
  saveState(): number[] {
    return [];
  }
  loadState(): void {}
}

export class Pic8259Pair implements InterruptSource {
  private readonly first = new Chip('pic0', 0, this);
  private readonly second = new Chip('pic1', 1, this);
  /** Ports 20h-21h, A0h-A1h and 4D0h-4D1h. */
  readonly master: Device = this.first;
  readonly slave: Device = this.second;
  readonly elcr: Device = new EdgeLevel([this.first, this.second], this);
  observer: PicObserver | null = null;
  /** The master's INT output: the processor's INTR pin. */
  intr = false;

  /** The request line of an IRQ, 0..15 without 2 (the cascade). Idempotent: only changes count. */
  line(irq: number): InterruptLine {
    if (irq < 0 || irq > 15 || irq === CASCADE) throw new Error(`there is no IRQ line ${irq}`);
    return { set: (level) => this.setLine(irq, level) };
  }

  private setLine(irq: number, level: boolean): void {
    const chip = irq < 8 ? this.first : this.second;
    const mask = 1 << (irq & 7);
    if (((chip.lines & mask) !== 0) === level) return;
    this.observer?.edge(irq, level, level && (chip.irr & mask) !== 0, (chip.imr & mask) !== 0);
    chip.setLine(irq & 7, level);
    this.changed();
  }

  /** Recomputes the cascade and the INTR pin after any change. */
  changed(): void {
    this.first.setLine(CASCADE, this.second.pending >= 0);
    this.intr = this.first.pending >= 0;
  }

  /** INTA: returns the vector. A request that vanished gives the spurious vector of line 7 and no in-service bit. */
  acknowledge(): number {
    let irq = this.first.acknowledge();
    let spurious = this.first.spurious;
    let vector = this.first.vectorBase + irq;
    if (irq === CASCADE && !spurious) {
      irq = 8 + this.second.acknowledge();
      spurious = this.second.spurious;
      vector = this.second.vectorBase + (irq & 7);
      this.slaveAcknowledged();
    }
    this.observer?.intack(irq, vector, spurious);
    this.changed();
    return vector;
  }
  /** The slave's INT output falls and rises between requests, which gives the master its next edge. */
  slaveAcknowledged(): void {
    this.first.setLine(CASCADE, false);
  }
}
