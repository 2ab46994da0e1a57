// The 8254 against a second model that does nothing but count input pulses one by one, as the datasheet's mode definitions say; then the
// programming rules (formats, latches, read-back, BCD), channel 0's edges in cycles, and port 61h.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { advance, inb, out, RecordingLine } from '../../../test/support/device-world.ts';
import { Clock, CYCLES_PER_SECOND } from '../clock.ts';
import { cycleOf, Pit8254, PIT_HZ, tickAt } from './pit.ts';
import { SystemControlPortB } from './port61.ts';

/** One counter, pulse by pulse. Counts are written whole, the first byte in mode 0 apart. */
class PulseCounter {
  out = true;
  /** Count register; the counting element's, and whether it has been loaded since the mode was set. */
  private cr = 0;
  ce = 0;
  known = false;
  private n = 0;
  private written = false;
  private counting = false;
  private load = false;
  private trigger = false;
  private strobe = false;
  private half = false;
  nullCount = true;

  constructor(
    readonly mode: number,
    readonly bcd: boolean,
    public gate: boolean,
  ) {
    this.out = mode !== 0;
  }
  get modulus(): number {
    return this.bcd ? 10000 : 65536;
  }
  /** The element is about to be loaded: what it shows until then is not defined. */
  get settled(): boolean {
    return this.known && !this.load && !this.trigger;
  }
  firstByte(): void {
    if (this.mode !== 0) return;
    this.counting = false;
    this.half = true;
    this.out = false;
  }
  write(count: number): void {
    this.half = false;
    this.cr = count === 0 ? this.modulus : count;
    this.nullCount = true;
    if (this.mode === 0) this.out = false;
    if (this.mode === 0 || this.mode === 4 || ((this.mode === 2 || this.mode === 3) && !this.written)) this.load = true;
    this.written = true;
  }
  setGate(level: boolean): void {
    if (level === this.gate) return;
    this.gate = level;
    if (level && this.written && [1, 2, 3, 5].includes(this.mode)) this.trigger = true;
    if (!level && (this.mode === 2 || this.mode === 3)) this.out = true;
  }
  private take(): void {
    this.n = this.cr;
    this.ce = this.mode === 3 ? this.n & ~1 : this.n;
    this.known = true;
    this.nullCount = false;
  }
  pulse(): void {
    if (this.load || this.trigger) {
      this.take();
      this.load = this.trigger = false;
      this.counting = !this.half;
      this.strobe = true;
      this.out = this.mode !== 0 && this.mode !== 1;
      return;
    }
    if (!this.counting || (!this.gate && this.mode !== 1 && this.mode !== 5)) return;
    switch (this.mode) {
      case 2:
        if (--this.ce === 0) this.take();
        this.out = this.ce !== 1;
        return;
      case 3:
        // An odd count's high half lasts one pulse more: zero is seen.
        if (this.out && this.n & 1 ? this.ce === 0 : this.ce === 2) {
          this.out = !this.out;
          this.take();
        } else this.ce -= 2;
        return;
      default:
        this.ce = this.ce === 0 ? this.modulus - 1 : (this.ce - 1) % this.modulus;
        if (this.mode === 0 || this.mode === 1) this.out ||= this.ce === 0;
        else {
          this.out = !(this.strobe && this.ce === 0);
          if (this.ce === 0) this.strobe = false;
        }
    }
  }
}

const bcd = (n: number): number => parseInt(String(n), 16);

type Step =
  | { readonly kind: 'mode'; readonly mode: number; readonly bcd: boolean }
  | { readonly kind: 'count'; readonly count: number; readonly split: number }
  | { readonly kind: 'gate'; readonly level: boolean }
  | { readonly kind: 'wait'; readonly ticks: number };
const count = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 2, max: 9 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 9999, 300) },
);
const steps = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('mode' as const), mode: fc.nat(5), bcd: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('count' as const), count, split: fc.constantFrom(0, 0, 0, 1, 3) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('gate' as const), level: fc.boolean() }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('wait' as const), ticks: fc.integer({ min: 1, max: 25 }) }) },
  ),
  { maxLength: 30, size: 'max' },
); // prettier-ignore

/** A PIT whose time is moved pulse by pulse, and the model beside it. */
class Rig {
  readonly clock = new Clock();
  readonly line = new RecordingLine();
  readonly pit = new Pit8254(this.clock, this.line);
  model: PulseCounter;
  tick = 0;
  /** Ticks of the model's rising edges. */
  readonly edges: number[] = [];
  constructor(readonly channel: 0 | 2) {
    this.model = new PulseCounter(0, false, channel === 0);
    this.mode(0, false);
  }
  mode(mode: number, inBcd: boolean): void {
    const before = this.model.out;
    out(this.pit, 3, (this.channel << 6) | 0x30 | (mode << 1) | (inBcd ? 1 : 0));
    this.model = new PulseCounter(mode, inBcd, this.model.gate);
    if (this.model.out && !before) this.edges.push(this.tick);
  }
  pass(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      this.tick++;
      advance(this.clock, cycleOf(this.tick) - this.clock.now);
      const before = this.model.out;
      this.model.pulse();
      if (this.model.out && !before) this.edges.push(this.tick);
      this.compare();
    }
  }
  compare(): void {
    const { model, pit, channel } = this;
    out(pit, 3, 0xc0 | (2 << channel));
    const status = inb(pit, channel);
    const raw = inb(pit, channel) | (inb(pit, channel) << 8);
    const where = `tick ${this.tick}`;
    assert.equal((status & 0x80) !== 0, model.out, `output, ${where}`);
    assert.equal((status & 0x40) !== 0, model.nullCount, `null count, ${where}`);
    assert.equal(status & 0x3f, 0x30 | (model.mode << 1) | (model.bcd ? 1 : 0), `status, ${where}`);
    if (model.settled) assert.equal(raw, model.bcd ? bcd(model.ce % 10000) : model.ce & 0xffff, `count, ${where}`);
    if (channel === 2) assert.equal(pit.channel2Output, model.out);
  }
  run(s: Step): void {
    switch (s.kind) {
      case 'mode':
        // A control word in the pulse of modes 2, 4 and 5 ends it with an edge that channel 0 does not tell.
        if (this.channel === 0 && !this.model.out && [2, 4, 5].includes(this.model.mode)) return;
        this.mode(s.mode, s.bcd);
        break;
      case 'count': {
        const value = this.model.bcd ? bcd(s.count) : s.count;
        out(this.pit, this.channel, value & 0xff);
        this.model.firstByte();
        if (s.split > 0) this.pass(s.split);
        out(this.pit, this.channel, value >> 8);
        this.model.write(s.count);
        break;
      }
      case 'gate':
        if (this.channel === 0) return;
        this.pit.setGate2(s.level);
        this.model.setGate(s.level);
        break;
      case 'wait':
        this.pass(s.ticks);
        return;
    }
    this.compare();
  }
}

describe('8254 against counting every pulse', () => {
  it('all modes, counts, gates and rewrites: output, count, null count', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const rig = new Rig(2);
        for (const s of list) rig.run(s);
      }),
      { numRuns: 600, seed: 1 },
    );
  });
  it("channel 0: the line's rising edges are the output's, at their exact cycles", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const rig = new Rig(0);
        const cycles: number[] = [];
        let level = rig.line.level;
        rig.line.set = (next): void => {
          if (next && !level) cycles.push(rig.clock.now);
          level = next;
        };
        for (const s of list) rig.run(s);
        assert.deepEqual(cycles, rig.edges.map(cycleOf));
      }),
      { numRuns: 600, seed: 2 },
    );
  });
  it('saved and loaded, it goes on as before', () => {
    fc.assert(
      fc.property(steps, steps, (before, later) => {
        const rig = new Rig(2);
        for (const s of before) rig.run(s);
        const copy = new Rig(2);
        copy.clock.set(rig.clock.now);
        copy.pit.loadState(rig.pit.saveState());
        copy.tick = rig.tick;
        copy.model = rig.model;
        assert.deepEqual(copy.pit.saveState(), rig.pit.saveState());
        for (const s of later) copy.run(s);
      }),
      { numRuns: 200, seed: 3 },
    );
  });
  it('the whole range: 65536 counts and 10000 in BCD', () => {
    for (const inBcd of [false, true])
      for (const mode of [0, 2, 3, 4]) {
        const rig = new Rig(2);
        rig.pit.setGate2(true);
        rig.model.setGate(true);
        rig.run({ kind: 'mode', mode, bcd: inBcd });
        rig.run({ kind: 'count', count: 0, split: 0 });
        const all = inBcd ? 10000 : 65536;
        for (const at of [1, 2, all / 2, all - 1, all, all + 1, all + 2, all + 3]) {
          while (rig.tick < at) {
            rig.tick++;
            rig.model.pulse();
          }
          rig.clock.set(cycleOf(rig.tick));
          rig.compare();
        }
      }
  });
});

describe('8254 programming', () => {
  const make = (): { clock: Clock; line: RecordingLine; pit: Pit8254 } => {
    const clock = new Clock();
    const line = new RecordingLine();
    return { clock, line, pit: new Pit8254(clock, line) };
  };
  it('low byte only, high byte only', () => {
    const { clock, pit } = make();
    out(pit, 3, 0x54);
    out(pit, 1, 0x12);
    clock.set(cycleOf(1));
    assert.deepEqual([inb(pit, 1), inb(pit, 1)], [0x12, 0x12]);
    out(pit, 3, 0x64);
    out(pit, 1, 0x12);
    clock.set(cycleOf(2));
    assert.deepEqual([inb(pit, 1), inb(pit, 1)], [0x12, 0x12]);
    clock.set(cycleOf(3));
    assert.equal(inb(pit, 1), 0x11, '1200h has become 11FFh');
  });
  it('a latched count stays until it is read; the second latch is ignored', () => {
    const { clock, pit } = make();
    out(pit, 3, 0x34);
    out(pit, 0, 0x00);
    out(pit, 0, 0x10);
    advance(clock, cycleOf(1));
    out(pit, 3, 0x00);
    advance(clock, cycleOf(501) - clock.now);
    out(pit, 3, 0x00);
    assert.deepEqual([inb(pit, 0), inb(pit, 0)], [0x00, 0x10]);
    assert.deepEqual([inb(pit, 0), inb(pit, 0)], [(0x1000 - 500) & 0xff, (0x1000 - 500) >> 8]);
  });
  it('read-back: several channels at once; status comes before the count', () => {
    const { clock, pit } = make();
    for (const channel of [0, 1]) {
      out(pit, 3, (channel << 6) | 0x34);
      out(pit, channel, 0x34);
      out(pit, channel, 0x12);
    }
    out(pit, 3, 0xe6);
    assert.deepEqual([inb(pit, 0), inb(pit, 1)], [0xf4, 0xf4], 'the counts are not loaded yet');
    clock.set(cycleOf(1));
    out(pit, 3, 0xc2);
    clock.set(cycleOf(9));
    out(pit, 3, 0xc2);
    assert.deepEqual([inb(pit, 0), inb(pit, 0), inb(pit, 0)], [0xb4, 0x34, 0x12]);
    out(pit, 3, 0xd4);
    clock.set(cycleOf(20));
    assert.deepEqual([inb(pit, 1), inb(pit, 1)], [0x34 - 8, 0x12]);
  });
  it('modes 6 and 7 are 2 and 3; the control word itself cannot be read', () => {
    const { pit } = make();
    out(pit, 3, 0x3c);
    out(pit, 3, 0xe2);
    assert.equal(inb(pit, 0) & 0xe, 4);
    out(pit, 3, 0x3e);
    out(pit, 3, 0xe2);
    assert.equal(inb(pit, 0) & 0xe, 6);
    assert.equal(inb(pit, 3), 0xff);
  });
  it('programming mode 2 gives no edge; the first comes a period after the count was loaded', () => {
    const { clock, line, pit } = make();
    out(pit, 3, 0x34);
    const edges = line.edges;
    out(pit, 0, 0xa9);
    out(pit, 0, 0x04);
    advance(clock, cycleOf(1 + 0x4a9) - 1);
    assert.equal(line.edges, edges);
    advance(clock, 1);
    assert.equal(line.edges, edges + 1);
  });
  it('mode 4 gives one edge for each count written: the clock event of an operating system', () => {
    const { clock, line, pit } = make();
    out(pit, 3, 0x38);
    let edges = line.edges;
    for (let i = 0; i < 5; i++) {
      out(pit, 0, 100);
      out(pit, 0, 0);
      assert.equal(line.edges, edges);
      advance(clock, cycleOf(150));
      assert.equal(line.edges, ++edges);
    }
  });
  it('100 Hz for three hours: every edge in its place, none lost', () => {
    const { clock, line, pit } = make();
    const reload = 11932;
    out(pit, 3, 0x34);
    out(pit, 0, reload & 0xff);
    out(pit, 0, reload >> 8);
    const first = line.edges;
    let at = 0;
    line.set = (level): void => {
      if (level && !line.level) {
        line.edges++;
        at = clock.now;
      }
      line.level = level;
    };
    const hours = 3 * 3600;
    advance(clock, hours * CYCLES_PER_SECOND);
    const periods = Math.floor((hours * PIT_HZ - 1) / reload);
    assert.equal(line.edges - first, periods);
    const tick = BigInt(1 + periods * reload);
    const exact = (tick * BigInt(CYCLES_PER_SECOND) + BigInt(PIT_HZ) - 1n) / BigInt(PIT_HZ);
    assert.equal(BigInt(at), exact);
  });
  it('ticks and cycles: exact against BigInt for 80 days', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 80 * 86400 * CYCLES_PER_SECOND }), (cycle) => {
        const tick = tickAt(cycle);
        assert.equal(BigInt(tick), (BigInt(cycle) * BigInt(PIT_HZ)) / BigInt(CYCLES_PER_SECOND));
        assert.equal(tickAt(cycleOf(tick)), tick);
        assert.ok(tick === 0 || tickAt(cycleOf(tick) - 1) === tick - 1);
      }),
      { seed: 4 },
    );
  });
});

describe('port 61h', () => {
  const clock = new Clock();
  const pit = new Pit8254(clock, new RecordingLine());
  const port = new SystemControlPortB(pit);
  it('bit 0 is the gate of channel 2, bit 5 its output: a delay loop in mode 0', () => {
    out(port, 0, 0);
    out(pit, 3, 0xb0);
    out(pit, 2, 100);
    out(pit, 2, 0);
    advance(clock, cycleOf(1000));
    assert.equal(inb(port, 0) & 0x2f, 0);
    out(port, 0, 0xff);
    assert.equal(inb(port, 0) & 0xcf, 0x0f, 'the upper bits cannot be written');
    const start = tickAt(clock.now);
    advance(clock, cycleOf(start + 100) - clock.now - 1);
    assert.equal(inb(port, 0) & 0x20, 0);
    advance(clock, 1);
    assert.equal(inb(port, 0) & 0x20, 0x20);
    out(port, 0, 0);
    assert.equal(inb(port, 0) & 0x20, 0x20, 'the gate does not take the output back');
  });
  it('bit 4 toggles every 15 microseconds', () => {
    let toggles = 0;
    let last = inb(port, 0) & 0x10;
    for (let i = 0; i < 10000; i++) {
      advance(clock, 1000);
      const now = inb(port, 0) & 0x10;
      if (now !== last) toggles++;
      last = now;
    }
    assert.ok(Math.abs(toggles - 10_000_000 / 15_086) < 2, `${toggles}`);
  });
  it('saved, loaded, reset', () => {
    out(port, 0, 3);
    const copy = new SystemControlPortB(pit);
    copy.loadState(port.saveState());
    assert.equal(inb(copy, 0) & 0xf, 3);
    port.reset();
    assert.equal(inb(port, 0) & 0xf, 0);
    assert.throws(() => port.loadState([]));
  });
});
