import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordingLine, advance, inb, out } from '../../../test/support/device-world.ts';
import { CYCLES_PER_SECOND, Clock } from '../clock.ts';
import { DEFAULT_DATE, MC146818, RtcRegister } from './rtc.ts';

const SECOND = CYCLES_PER_SECOND;
const MIB = 1024 * 1024;

const world = (options: { memory?: number; start?: number } = {}) => {
  const clock = new Clock();
  const line = new RecordingLine();
  const rtc = new MC146818(clock, line, options.memory ?? 64 * MIB, options.start);
  const get = (index: number): number => {
    out(rtc, 0, index);
    return inb(rtc, 1);
  };
  const put = (index: number, value: number): void => {
    out(rtc, 0, index);
    out(rtc, 1, value);
  };
  const date = (): number[] => [RtcRegister.CENTURY, 9, 8, 7, 4, 2, 0].map(get);
  return { clock, line, rtc, get, put, date };
};

test('starts on the fixed date and follows virtual time', () => {
  const { clock, date, get } = world();
  assert.equal(DEFAULT_DATE, 1199145600);
  assert.deepEqual(date(), [0x20, 0x08, 0x01, 0x01, 0, 0, 0]);
  assert.equal(get(6), 3, 'a Tuesday');
  advance(clock, (59 + 59 * 60 + 23 * 3600) * SECOND);
  assert.deepEqual(date(), [0x20, 0x08, 0x01, 0x01, 0x23, 0x59, 0x59]);
  advance(clock, SECOND);
  assert.deepEqual(date(), [0x20, 0x08, 0x01, 0x02, 0, 0, 0]);
});

test('BCD and binary, 24 and 12 hours', () => {
  const { put, date } = world({ start: Date.UTC(1999, 11, 31, 13, 45, 59) / 1000 });
  assert.deepEqual(date(), [0x19, 0x99, 0x12, 0x31, 0x13, 0x45, 0x59]);
  put(RtcRegister.B, 0x06);
  assert.deepEqual(date(), [19, 99, 12, 31, 13, 45, 59]);
  put(RtcRegister.B, 0x04);
  assert.deepEqual(date(), [19, 99, 12, 31, 0x81, 45, 59]);
  put(RtcRegister.B, 0);
  assert.equal(date()[4], 0x81);
  const noon = world({ start: Date.UTC(2008, 0, 1, 12) / 1000 });
  noon.put(RtcRegister.B, 0);
  assert.equal(noon.get(4), 0x92);
  const midnight = world();
  midnight.put(RtcRegister.B, 0);
  assert.equal(midnight.get(4), 0x12);
});

test('the update is announced 244 us before it happens, and not while SET', () => {
  const { clock, get, put } = world();
  advance(clock, SECOND - 244_001);
  assert.equal(get(RtcRegister.A), 0x26);
  advance(clock, 1);
  assert.equal(get(RtcRegister.A), 0xa6);
  put(RtcRegister.B, 0x82);
  assert.equal(get(RtcRegister.A), 0x26);
  put(RtcRegister.B, 0x02);
  advance(clock, 244_000);
  assert.equal(get(RtcRegister.A), 0x26);
  assert.equal(get(0), 1);
});

test('Linux sets the time: SET and divider reset, write, release; the next second comes 500 ms later', () => {
  const { clock, get, put, date } = world();
  advance(clock, 700_000_000);
  const b = get(RtcRegister.B);
  put(RtcRegister.B, b | 0x80);
  const a = get(RtcRegister.A);
  put(RtcRegister.A, a | 0x70);
  for (const [index, value] of [[9, 0x24], [8, 0x02], [7, 0x28], [4, 0x23], [2, 0x59], [0, 0x59], [0x32, 0x20]] as const) put(index, value); // prettier-ignore
  advance(clock, 5 * SECOND);
  assert.deepEqual(date(), [0x20, 0x24, 0x02, 0x28, 0x23, 0x59, 0x59], 'held');
  put(RtcRegister.B, b);
  put(RtcRegister.A, a);
  advance(clock, 499_999_999);
  assert.equal(get(0), 0x59);
  advance(clock, 1);
  assert.deepEqual(date(), [0x20, 0x24, 0x02, 0x29, 0, 0, 0], 'a leap day');
});

test('the day of the week is whatever software wrote, and goes on from there', () => {
  const { clock, get, put } = world();
  put(6, 7);
  assert.equal(get(6), 7);
  advance(clock, 86_400 * SECOND);
  assert.equal(get(6), 1);
});

test('periodic interrupt: 1024 Hz, one flag a read of register C', () => {
  const { clock, line, get, put } = world();
  put(RtcRegister.B, 0x42);
  let count = 0;
  const step = SECOND / 32768;
  for (let i = 0; i < 3200; i++) {
    clock.set(Math.ceil((i + 1) * step));
    clock.runDue();
    if (!line.level) continue;
    assert.equal(get(RtcRegister.C), 0xc0);
    assert.equal(line.level, false);
    count++;
  }
  assert.equal(count, 100);
});

test('rates: 1 and 2 are those of 8 and 9; 0 is off', () => {
  const rate = (value: number): number => {
    const { clock, line, put, get } = world();
    put(RtcRegister.A, 0x20 | value);
    put(RtcRegister.B, 0x42);
    const end = SECOND / 4;
    while (clock.nextDeadline <= end) {
      clock.set(clock.nextDeadline);
      clock.runDue();
      get(RtcRegister.C);
    }
    return line.edges * 4;
  };
  assert.deepEqual([0, 1, 2, 3, 6, 8, 9, 13].map(rate), [0, 256, 128, 8192, 1024, 256, 128, 8]);
});

test('update-ended flag: polled without interrupts, and on IRQ 8 when enabled', () => {
  const { clock, line, get, put } = world();
  get(RtcRegister.C);
  advance(clock, SECOND - 1);
  assert.equal(get(RtcRegister.C) & 0x10, 0);
  advance(clock, 1);
  assert.equal(get(RtcRegister.C) & 0x90, 0x10, 'no IRQF: not enabled');
  assert.equal(get(RtcRegister.C), 0);
  assert.equal(line.edges, 0);
  put(RtcRegister.B, 0x12);
  for (let i = 1; i <= 3; i++) {
    advance(clock, SECOND);
    assert.equal(line.edges, i);
    assert.equal(get(RtcRegister.C) & 0x90, 0x90);
  }
});

test('alarm: once at its time, each minute with don’t-care bytes', () => {
  const { clock, line, get, put } = world();
  put(1, 0x05);
  put(3, 0x01);
  put(5, 0x00);
  put(RtcRegister.B, 0x22);
  advance(clock, 65 * SECOND - 1);
  assert.equal(line.level, false);
  advance(clock, 1);
  assert.equal(line.level, true);
  assert.equal(get(RtcRegister.C) & 0xa0, 0xa0);
  advance(clock, 3600 * SECOND);
  assert.equal(line.level, false);
  put(3, 0xff);
  put(5, 0xc0);
  for (let i = 0; i < 5; i++) {
    advance(clock, 60 * SECOND);
    assert.equal(get(RtcRegister.C) & 0xa0, 0xa0);
  }
  assert.equal(line.edges, 6);
});

test('CMOS tells the memory size; its checksum is right; the rest is memory', () => {
  const small = world({ memory: 64 * MIB });
  const word = (w: ReturnType<typeof world>, at: number): number => w.get(at) | (w.get(at + 1) << 8);
  assert.deepEqual(
    [0x15, 0x17, 0x30, 0x34].map((at) => word(small, at)),
    [640, 63 * 1024, 63 * 1024, 768],
  );
  const large = world({ memory: 2048 * MIB });
  assert.deepEqual(
    [0x15, 0x17, 0x30, 0x34].map((at) => word(large, at)),
    [640, 0xffff, 0xffff, (2032 * MIB) / 65536],
  );
  const tiny = world({ memory: 4 * MIB });
  assert.deepEqual(
    [0x17, 0x34].map((at) => word(tiny, at)),
    [3072, 0],
  );
  let sum = 0;
  for (let i = 0x10; i <= 0x2d; i++) sum += small.get(i);
  assert.equal((small.get(0x2e) << 8) | small.get(0x2f), sum);
  assert.equal(small.get(0x14), 2);
  small.put(0x8f, 0x0a);
  assert.equal(small.get(0x0f), 0x0a, 'bit 7 of the index masks the NMI');
  small.rtc.reset();
  assert.equal(small.get(0x0f), 0x0a, 'on the battery');
  assert.equal(small.get(RtcRegister.D), 0x80);
  assert.equal(inb(small.rtc, 0), 0xff);
});

test('property: any valid date written in any format is read back, and lasts', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4_000_000_000 }),
      fc.constantFrom(0, 2, 4, 6),
      fc.nat(3 * SECOND),
      (seconds, format, phase) => {
        const source = world({ start: seconds });
        source.put(RtcRegister.B, format);
        const w = world();
        advance(w.clock, phase);
        w.put(RtcRegister.B, 0x80 | format);
        for (const index of [0, 2, 4, 6, 7, 8, 9, RtcRegister.CENTURY]) w.put(index, source.get(index));
        w.put(RtcRegister.B, format);
        assert.equal(w.rtc.seconds, seconds);
        assert.deepEqual(w.date(), source.date());
        assert.equal(w.get(6), source.get(6));
        advance(w.clock, SECOND);
        assert.equal(w.rtc.seconds, seconds + 1);
      },
    ),
  );
});

test('property: garbage never throws and never stops the clock', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(0x3f), fc.nat(255), fc.nat(2 * SECOND)), { maxLength: 60 }), (writes) => {
      const { clock, put, get, rtc } = world();
      for (const [index, value, wait] of writes) {
        put(index, value);
        get(index);
        clock.set(clock.now + wait);
        if (clock.nextDeadline <= clock.now) clock.runDue();
        get(RtcRegister.C);
      }
      put(RtcRegister.A, 0x26);
      put(RtcRegister.B, 0x02);
      const before = rtc.seconds;
      advance(clock, SECOND);
      assert.equal(rtc.seconds, before + 1);
    }),
  );
});

test('a saved clock goes on: date, day of the week, held divider, interrupts on their way', () => {
  const original = world();
  advance(original.clock, 1_300_000_000);
  original.put(6, 6);
  original.put(RtcRegister.B, 0x12);
  const copy = world();
  copy.clock.set(original.clock.now);
  copy.rtc.loadState(original.rtc.saveState());
  assert.equal(copy.get(6), 6);
  advance(copy.clock, 699_999_999);
  assert.equal(copy.line.level, false);
  advance(copy.clock, 1);
  assert.equal(copy.line.level, true);
  copy.put(RtcRegister.A, 0x76);
  const stopped = world();
  stopped.clock.set(copy.clock.now);
  stopped.rtc.loadState(copy.rtc.saveState());
  const before = stopped.rtc.seconds;
  advance(stopped.clock, 10 * SECOND);
  assert.equal(stopped.rtc.seconds, before);
});
