// The 8259A pair: scenarios of the datasheet, then random traffic against a second model of it, written down the plain way: requests,
// services and masks as lists, priority as a list of levels.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inb, out } from '../../../test/support/device-world.ts';
import { Pic8259Pair } from './pic.ts';

const MASTER_BASE = 0x20;
const SLAVE_BASE = 0x70;

/** As a PC's firmware does it; `icw4` of both chips. */
const initialized = (icw4 = 1, slaveIcw4 = icw4): Pic8259Pair => {
  const pic = new Pic8259Pair();
  for (const [chip, base, cascade, last] of [
    [pic.master, MASTER_BASE, 4, icw4],
    [pic.slave, SLAVE_BASE, 2, slaveIcw4],
  ] as const) {
    out(chip, 0, 0x11);
    out(chip, 1, base);
    out(chip, 1, cascade);
    out(chip, 1, last);
  }
  return pic;
};
const irr = (pic: Pic8259Pair, chip: 'master' | 'slave'): number => (out(pic[chip], 0, 0x0a), inb(pic[chip], 0));
const isr = (pic: Pic8259Pair, chip: 'master' | 'slave'): number => (out(pic[chip], 0, 0x0b), inb(pic[chip], 0));
const raise = (pic: Pic8259Pair, ...irqs: number[]): void => irqs.forEach((irq) => pic.line(irq).set(true));
const lower = (pic: Pic8259Pair, ...irqs: number[]): void => irqs.forEach((irq) => pic.line(irq).set(false));
const EOI = 0x20;

describe('8259A', () => {
  it('acknowledges by priority, IRQ 0 first, the slave between 1 and 3', () => {
    const pic = initialized(3);
    raise(pic, 7, 3, 15, 8, 1, 0);
    const vectors: number[] = [];
    while (pic.intr) vectors.push(pic.acknowledge());
    assert.deepEqual(vectors, [0x20, 0x21, 0x70, 0x77, 0x23, 0x27]);
  });
  it('a request in service holds back itself and lower ones until EOI, not higher ones', () => {
    const pic = initialized();
    raise(pic, 4);
    assert.equal(pic.acknowledge(), 0x24);
    raise(pic, 5);
    assert.equal(pic.intr, false);
    raise(pic, 1);
    assert.equal(pic.acknowledge(), 0x21);
    assert.equal(isr(pic, 'master'), 0x12);
    out(pic.master, 0, EOI);
    assert.equal(isr(pic, 'master'), 0x10, 'the non-specific EOI ends the highest');
    assert.equal(pic.intr, false);
    out(pic.master, 0, EOI);
    assert.equal(pic.acknowledge(), 0x25);
  });
  it('ICW4 is expected only with IC4; vectors take the upper five bits of ICW2; OCW1 follows', () => {
    const pic = new Pic8259Pair();
    out(pic.master, 0, 0x12);
    assert.equal(pic.master.registerName(1, true), 'ICW2');
    out(pic.master, 1, 0x4f);
    assert.equal(pic.master.registerName(1, true), 'IMR');
    out(pic.master, 1, 0xfe);
    assert.equal(inb(pic.master, 1), 0xfe);
    raise(pic, 0);
    assert.equal(pic.acknowledge(), 0x48);
  });
  it('ICW1 forgets edges, masks and modes: a line that is high must fall and rise again', () => {
    const pic = initialized(3);
    out(pic.master, 1, 0xff);
    raise(pic, 5);
    out(pic.master, 0, 0x11);
    assert.equal(pic.intr, false);
    out(pic.master, 1, MASTER_BASE);
    out(pic.master, 1, 4);
    out(pic.master, 1, 1);
    assert.equal(inb(pic.master, 1), 0);
    assert.equal(irr(pic, 'master'), 0);
    lower(pic, 5);
    raise(pic, 5);
    assert.equal(pic.acknowledge(), 0x25);
    assert.equal(isr(pic, 'master'), 0x20, 'no automatic EOI any more');
  });
  it('rotation: on EOI, on a specific EOI, by set priority, in automatic EOI', () => {
    const pic = initialized();
    raise(pic, 3, 4);
    assert.equal(pic.acknowledge(), 0x23);
    out(pic.master, 0, 0xa0);
    raise(pic, 0);
    assert.equal(pic.acknowledge(), 0x24, '4 is highest after 3 was made lowest');
    out(pic.master, 0, 0xe4);
    raise(pic, 1, 6);
    assert.equal(pic.acknowledge(), 0x26, '5 is highest now, 0 comes after 7');
    out(pic.master, 0, 0x66);
    out(pic.master, 0, 0xc0);
    assert.equal(pic.acknowledge(), 0x21, '1 is highest now');

    const automatic = initialized(3);
    out(automatic.master, 0, 0x80);
    raise(automatic, 0, 1, 3);
    assert.equal(automatic.acknowledge(), 0x20);
    lower(automatic, 0);
    raise(automatic, 0);
    assert.deepEqual([automatic.acknowledge(), automatic.acknowledge(), automatic.acknowledge()], [0x21, 0x23, 0x20]);
    out(automatic.master, 0, 0x00);
    lower(automatic, 0);
    raise(automatic, 0);
    automatic.acknowledge();
    lower(automatic, 0, 1);
    raise(automatic, 0, 1);
    assert.equal(automatic.acknowledge(), 0x21, 'not rotated further: 0 is still lowest');
  });
  it('special mask: a masked request in service holds nothing back; the non-specific EOI passes it by', () => {
    const pic = initialized();
    raise(pic, 3);
    pic.acknowledge();
    raise(pic, 5);
    assert.equal(pic.intr, false);
    out(pic.master, 1, 0x08);
    out(pic.master, 0, 0x68);
    assert.equal(pic.acknowledge(), 0x25);
    out(pic.master, 0, EOI);
    assert.equal(isr(pic, 'master'), 0x08);
    out(pic.master, 0, 0x48);
    raise(pic, 6);
    assert.equal(pic.intr, false, 'special mask is off again');
  });
  it('special fully nested: the slave interrupts itself by priority, IRQ 3 to 7 stay below it', () => {
    const pic = initialized(0x11, 1);
    raise(pic, 12);
    assert.equal(pic.acknowledge(), 0x74);
    raise(pic, 4);
    assert.equal(pic.intr, false, 'IRQ 4 is below the slave in service');
    raise(pic, 13);
    assert.equal(pic.intr, false);
    raise(pic, 9);
    assert.equal(pic.intr, true);
    assert.equal(pic.acknowledge(), 0x71);
    out(pic.slave, 0, EOI);
    assert.equal(isr(pic, 'slave'), 0x10);
    const plain = initialized();
    raise(plain, 12);
    plain.acknowledge();
    raise(plain, 9);
    assert.equal(plain.intr, false, 'without it the master waits for the EOI');
    out(plain.master, 0, EOI);
    assert.equal(plain.intr, true);
  });
  it('spurious: an edge that is gone answers 7 or 15, no bit in service but the cascade', () => {
    const pic = initialized();
    raise(pic, 5);
    lower(pic, 5);
    assert.equal(pic.intr, false);
    assert.equal(pic.acknowledge(), 0x27);
    assert.equal(isr(pic, 'master'), 0);
    raise(pic, 7);
    assert.equal(pic.acknowledge(), 0x27);
    assert.equal(isr(pic, 'master'), 0x80, 'a true IRQ 7 has its bit');
  });
  it('spurious IRQ 15: the slave loses its request between the acknowledge cycles', () => {
    const pic = initialized();
    const log: unknown[] = [];
    pic.observer = {
      edge: () => undefined,
      intack: (...event) => log.push(event),
      eoi: () => undefined,
      command: () => undefined,
    };
    // The slave's request is taken away behind the master's back, as if its line fell between the two cycles.
    raise(pic, 9);
    const slave = pic.slave.saveState();
    slave[0] = 0;
    pic.slave.loadState(slave);
    assert.equal(pic.acknowledge(), 0x77);
    assert.deepEqual(log, [[15, 0x77, true]]);
    assert.equal(isr(pic, 'slave'), 0);
    assert.equal(isr(pic, 'master'), 4, 'the master needs its EOI');
  });
  it('ELCR: a level stays requested while it is high, also one that was high before; the fixed lines stay edges', () => {
    const pic = initialized();
    raise(pic, 5);
    pic.acknowledge();
    out(pic.master, 0, EOI);
    assert.equal(pic.intr, false);
    out(pic.elcr, 0, 0xff);
    out(pic.elcr, 1, 0xff);
    assert.deepEqual([inb(pic.elcr, 0), inb(pic.elcr, 1)], [0xf8, 0xde]);
    assert.equal(pic.intr, true);
    assert.equal(pic.acknowledge(), 0x25);
    out(pic.master, 0, EOI);
    assert.equal(pic.acknowledge(), 0x25);
    lower(pic, 5);
    out(pic.master, 0, EOI);
    assert.equal(pic.intr, false);
  });
  it('poll: the read acknowledges and tells the level; 0 when nothing waits', () => {
    const pic = initialized();
    out(pic.master, 0, 0x0c);
    assert.equal(inb(pic.master, 0), 0);
    raise(pic, 6);
    out(pic.master, 0, 0x0c);
    assert.equal(inb(pic.master, 0), 0x86);
    assert.equal(pic.intr, false);
    assert.equal(isr(pic, 'master'), 0x40);
    raise(pic, 10);
    out(pic.slave, 0, 0x0c);
    assert.equal(inb(pic.slave, 1), 0x82);
    assert.equal(pic.intr, false, 'the slave has nothing more to ask for');
  });
  it('there is no line 2', () => {
    for (const irq of [-1, 2, 16]) assert.throws(() => new Pic8259Pair().line(irq));
  });
});

/** One chip, as the datasheet tells it. */
class ReferenceChip {
  readonly request = Array<boolean>(8).fill(false);
  readonly service = Array<boolean>(8).fill(false);
  readonly masked = Array<boolean>(8).fill(false);
  readonly high = Array<boolean>(8).fill(false);
  readonly levelTriggered = Array<boolean>(8).fill(false);
  /** Highest first. */
  priority = [0, 1, 2, 3, 4, 5, 6, 7];
  specialMask = false;
  constructor(
    readonly automatic: boolean,
    readonly nested: boolean,
  ) {}
  rotateAutomatically = false;

  line(level: number, high: boolean): void {
    if (this.levelTriggered[level] || !high) this.request[level] = high;
    else if (!this.high[level]) this.request[level] = true;
    this.high[level] = high;
  }
  get choice(): number | undefined {
    return this.priority.find((level, rank) => {
      if (!this.request[level] || this.masked[level]) return false;
      const above = this.priority.slice(0, rank);
      if (!this.specialMask && above.some((other) => this.service[other])) return false;
      return !this.service[level] || (this.nested && level === 2);
    });
  }
  rotate(lowest: number): void {
    while (this.priority[7] !== lowest) this.priority.push(this.priority.shift()!);
  }
  acknowledge(): number | undefined {
    const level = this.choice;
    if (level === undefined) return undefined;
    if (!this.levelTriggered[level]) this.request[level] = false;
    if (!this.automatic) this.service[level] = true;
    else {
      // The automatic EOI clears the level whatever it was before.
      this.service[level] = false;
      if (this.rotateAutomatically) this.rotate(level);
    }
    return level;
  }
  end(level: number | undefined, rotate: boolean): void {
    const ended = level ?? this.priority.find((l) => this.service[l] && !(this.specialMask && this.masked[l]));
    if (ended === undefined) return;
    this.service[ended] = false;
    if (rotate) this.rotate(ended);
  }
}
const byte = (bits: readonly boolean[]): number => bits.reduce((n, bit, i) => n | (bit ? 1 << i : 0), 0);

class ReferencePair {
  readonly chips: readonly [ReferenceChip, ReferenceChip];
  constructor(icw4: number, slaveIcw4: number) {
    this.chips = [
      new ReferenceChip((icw4 & 2) !== 0, (icw4 & 16) !== 0),
      new ReferenceChip((slaveIcw4 & 2) !== 0, false),
    ];
  }
  update(): void {
    this.chips[0].line(2, this.chips[1].choice !== undefined);
  }
  get intr(): boolean {
    return this.chips[0].choice !== undefined;
  }
  /** [vector, spurious] */
  acknowledge(): [number, boolean] {
    const level = this.chips[0].acknowledge();
    if (level !== 2) return [MASTER_BASE + (level ?? 7), level === undefined];
    const second = this.chips[1].acknowledge();
    this.chips[0].line(2, false);
    return [SLAVE_BASE + (second ?? 7), second === undefined];
  }
  poll(index: 0 | 1): number {
    const level = this.chips[index].acknowledge();
    if (level !== undefined && index === 1) this.chips[0].line(2, false);
    return level === undefined ? 0 : 0x80 | level;
  }
}

type Step =
  | { kind: 'line'; irq: number; high: boolean }
  | { kind: 'mask'; chip: 0 | 1; value: number }
  | { kind: 'ocw2'; chip: 0 | 1; value: number }
  | { kind: 'special'; chip: 0 | 1; on: boolean }
  | { kind: 'elcr'; chip: 0 | 1; value: number }
  | { kind: 'poll'; chip: 0 | 1 }
  | { kind: 'inta' };

const chip = fc.constantFrom(0 as const, 1 as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('line' as const), irq: fc.constantFrom(0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), high: fc.boolean() }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'inta' as const }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('ocw2' as const), chip, value: fc.constantFrom(0x20, 0x20, 0x60, 0xa0, 0xc0, 0xe0, 0x00, 0x80, 0x40).chain((v) => fc.nat(7).map((l) => v | l)) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mask' as const), chip, value: fc.oneof(fc.constant(0), fc.nat(255)) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('special' as const), chip, on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('elcr' as const), chip, value: fc.nat(255) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('poll' as const), chip }) },
); // prettier-ignore

/** What the step answered: a vector, a poll byte, or nothing. */
const apply = (pic: Pic8259Pair, s: Step): number | undefined => {
  const device = 'chip' in s ? (s.chip === 0 ? pic.master : pic.slave) : pic.master;
  switch (s.kind) {
    case 'line':
      pic.line(s.irq).set(s.high);
      return undefined;
    case 'mask':
      out(device, 1, s.value);
      return undefined;
    case 'ocw2':
      out(device, 0, s.value);
      return undefined;
    case 'special':
      out(device, 0, s.on ? 0x68 : 0x48);
      return undefined;
    case 'elcr':
      out(pic.elcr, s.chip, s.value);
      return undefined;
    case 'poll':
      out(device, 0, 0x0c);
      return inb(device, 0);
    case 'inta':
      return pic.acknowledge();
  }
};
const applyReference = (pic: ReferencePair, s: Step): number | undefined => {
  const c = 'chip' in s ? pic.chips[s.chip] : pic.chips[0];
  let answer: number | undefined;
  switch (s.kind) {
    case 'line':
      pic.chips[s.irq >> 3 === 0 ? 0 : 1].line(s.irq & 7, s.high);
      break;
    case 'mask':
      for (let i = 0; i < 8; i++) c.masked[i] = (s.value & (1 << i)) !== 0;
      break;
    case 'ocw2': {
      const level = s.value & 7;
      const command = s.value >> 5;
      if (command === 1 || command === 5) c.end(undefined, command === 5);
      else if (command === 3 || command === 7) c.end(level, command === 7);
      else if (command === 6) c.rotate(level);
      else if (command === 4 || command === 0) c.rotateAutomatically = command === 4;
      break;
    }
    case 'special':
      c.specialMask = s.on;
      break;
    case 'elcr': {
      const value = s.value & (s.chip === 0 ? 0xf8 : 0xde);
      for (let i = 0; i < 8; i++) {
        c.levelTriggered[i] = (value & (1 << i)) !== 0;
        if (c.levelTriggered[i]) c.request[i] = c.high[i]!;
      }
      break;
    }
    case 'poll':
      answer = pic.poll(s.chip);
      break;
    case 'inta':
      answer = pic.acknowledge()[0];
      break;
  }
  pic.update();
  return answer;
};
const registers = (pic: Pic8259Pair): number[] =>
  (['master', 'slave'] as const).flatMap((c) => [irr(pic, c), isr(pic, c), inb(pic[c], 1)]);
const icw4s = fc.tuple(fc.constantFrom(1, 3, 0x11, 0x13), fc.constantFrom(1, 3));

describe('8259A properties', () => {
  it('random traffic: vectors, INTR and registers are those of the plain model', () => {
    fc.assert(
      fc.property(icw4s, fc.array(step, { maxLength: 60, size: 'max' }), ([icw4, slaveIcw4], steps) => {
        const pic = initialized(icw4, slaveIcw4);
        const reference = new ReferencePair(icw4, slaveIcw4);
        for (const s of steps) {
          assert.equal(apply(pic, s), applyReference(reference, s), JSON.stringify(s));
          assert.equal(pic.intr, reference.intr, JSON.stringify(s));
          const expected = reference.chips.flatMap((c) => [byte(c.request), byte(c.service), byte(c.masked)]);
          assert.deepEqual(registers(pic), expected, JSON.stringify(s));
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
  it('a masked line is never acknowledged', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const pic = initialized();
        let spurious = false;
        pic.observer = {
          edge: () => undefined,
          intack: (_i, _v, s) => (spurious = s),
          eoi: () => undefined,
          command: () => undefined,
        };
        for (const s of steps) {
          const masks = [inb(pic.master, 1), inb(pic.slave, 1)] as const;
          const vector = apply(pic, s);
          if (s.kind !== 'inta' || spurious) continue;
          const irq = vector! >= SLAVE_BASE ? 8 + vector! - SLAVE_BASE : vector! - MASTER_BASE;
          assert.equal(masks[irq >> 3]! & (1 << (irq & 7)), 0, `IRQ ${irq}`);
          if (irq > 7) assert.equal(masks[0] & 4, 0, 'the cascade is masked');
        }
      }),
      { numRuns: 500, seed: 2 },
    );
  });
  it('saved and loaded, it goes on as before', () => {
    fc.assert(
      fc.property(
        icw4s,
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.array(step, { maxLength: 40, size: 'max' }),
        ([icw4, slaveIcw4], before, later) => {
          const pic = initialized(icw4, slaveIcw4);
          for (const s of before) apply(pic, s);
          const copy = new Pic8259Pair();
          copy.master.loadState(pic.master.saveState());
          copy.slave.loadState(pic.slave.saveState());
          copy.changed();
          assert.equal(copy.intr, pic.intr);
          for (const s of later) {
            assert.equal(apply(copy, s), apply(pic, s));
            assert.equal(copy.intr, pic.intr);
          }
          assert.deepEqual(registers(copy), registers(pic));
          assert.deepEqual(copy.master.saveState(), pic.master.saveState());
        },
      ),
      { numRuns: 500, seed: 3 },
    );
  });
  it('a state of the wrong length is refused; reset gives the state of a new pair', () => {
    const pic = initialized();
    assert.throws(() => pic.master.loadState([1, 2]), /words/);
    raise(pic, 4, 12);
    pic.master.reset();
    pic.slave.reset();
    assert.deepEqual(
      [pic.master.saveState(), pic.slave.saveState()],
      [new Pic8259Pair().master.saveState(), new Pic8259Pair().slave.saveState()],
    );
  });
});
