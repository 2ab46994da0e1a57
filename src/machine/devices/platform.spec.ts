import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advance } from '../../../test/support/device-world.ts';
import { Bus } from '../bus.ts';
import { Clock } from '../clock.ts';
import { CHARACTER_CYCLES } from './uart.ts';
import { PcPlatform } from './platform.ts';

const world = () => {
  const clock = new Clock();
  const bus = new Bus();
  const memory = new Uint8Array(0x100000);
  const serial: number[] = [];
  const debug: number[] = [];
  const exits: number[] = [];
  let resets = 0;
  const platform = new PcPlatform({
    bus,
    clock,
    memoryBytes: 64 * 1024 * 1024,
    read8: (pa) => memory[pa]!,
    onSerialByte: (byte) => serial.push(byte),
    onDebugByte: (byte) => debug.push(byte),
    onReset: () => resets++,
    onDebugExit: (value) => exits.push(value),
  });
  /** Vectors 20h and 28h, all lines open. */
  const initializePics = (): void => {
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0xa0, 0x11], [0xa1, 0x28], [0xa1, 2], [0xa1, 1], [0x21, 0], [0xa1, 0]] as const) bus.out(port, 1, value); // prettier-ignore
  };
  return { clock, bus, memory, serial, exits, platform, initializePics, resets: () => resets };
};

test('every chip answers at its ports', () => {
  const { bus, platform } = world();
  const owners: readonly (readonly [number, string])[] = [
    [0x00, 'dma0'], [0x20, 'pic0'], [0x43, 'pit'], [0x60, 'i8042'], [0x61, 'port61'], [0x64, 'i8042'], [0x71, 'rtc'], [0x80, 'post'],
    [0x87, 'dma-pages'], [0x92, 'port92'], [0xa1, 'pic1'], [0xd6, 'dma1'], [0xf0, 'coprocessor-error'], [0xf4, 'debug-exit'], [0x3c0, 'vga'], [0x3d5, 'vga'],
    [0x3da, 'vga'], [0x3f8, 'uart0'], [0x3ff, 'uart0'], [0x402, 'debug-console'], [0x4d1, 'elcr'], [0xcf9, 'reset'],
  ]; // prettier-ignore
  for (const [port, name] of owners) assert.equal(bus.portOwner(port)?.device.name, name, port.toString(16));
  assert.equal(bus.portOwner(0x64)?.offset, 4);
  assert.equal(new Set(platform.devices.map((device) => device.name)).size, platform.devices.length);
  // Nobody is at COM2, at the mono adapter, at the PCI data port.
  for (const port of [0x2f8, 0x3b4, 0x3d6, 0xcfc]) assert.equal(bus.in(port, 1), 0xff);
});

test('a typed character arrives as vector 24h, the echo leaves', () => {
  const { clock, bus, platform, serial, initializePics } = world();
  initializePics();
  bus.out(0x3fc, 1, 0x0b);
  bus.out(0x3f9, 1, 1);
  platform.typeSerial([0x41]);
  advance(clock, CHARACTER_CYCLES);
  assert.equal(platform.interrupts.intr, true);
  assert.equal(platform.interrupts.acknowledge(), 0x24);
  const byte = bus.in(0x3f8, 1);
  bus.out(0x3f8, 1, byte);
  bus.out(0x20, 1, 0x20);
  assert.deepEqual(serial, [0x41]);
  assert.equal(platform.interrupts.intr, false);
});

test('keyboard and clock interrupts: vectors 21h and 28h', () => {
  const { clock, bus, platform, initializePics } = world();
  initializePics();
  platform.keyboard.key([0x1c]);
  advance(clock, 1_000_000);
  assert.equal(platform.interrupts.acknowledge(), 0x21);
  assert.equal(bus.in(0x60, 1), 0x1e);
  bus.out(0x20, 1, 0x20);
  bus.out(0x70, 1, 0x0b);
  bus.out(0x71, 1, 0x12);
  advance(clock, 1_000_000_000);
  assert.equal(platform.interrupts.acknowledge(), 0x28);
});

test('Linux writes a burst through the THRE interrupt', () => {
  const { bus, platform, serial, initializePics } = world();
  initializePics();
  bus.out(0x3fa, 1, 0x81);
  bus.out(0x3fc, 1, 0x0b);
  const text = [...'The quick brown fox jumps over the lazy dog\n'].map((c) => c.charCodeAt(0));
  const pending = [...text];
  bus.out(0x3f9, 1, 2);
  let interrupts = 0;
  while (platform.interrupts.intr) {
    assert.equal(platform.interrupts.acknowledge(), 0x24);
    interrupts++;
    while ((bus.in(0x3fa, 1) & 1) === 0) {
      if ((bus.in(0x3fd, 1) & 0x20) === 0) continue;
      for (let i = 0; i < 16 && pending.length > 0; i++) bus.out(0x3f8, 1, pending.shift()!);
      if (pending.length === 0) bus.out(0x3f9, 1, 0);
    }
    bus.out(0x20, 1, 0x20);
    assert.ok(interrupts < 100);
  }
  assert.deepEqual(serial, text);
});

test('resets, debug exit and screen reach their owner', () => {
  const { bus, memory, platform, exits, resets } = world();
  bus.out(0xf4, 4, 0x1234);
  bus.out(0x64, 1, 0xfe);
  bus.out(0x92, 1, 3);
  bus.out(0xcf9, 1, 6);
  assert.deepEqual([exits, resets()], [[0x1234], 3]);
  memory[0xb8000] = 0x4b;
  assert.equal(platform.vgaText().trimEnd(), 'K');
});

test('reset is the state after power-on, but for the battery', () => {
  const { bus, clock, platform } = world();
  const devices = platform.devices.filter((device) => device !== platform.rtc && device !== platform.pit);
  const before = devices.map((device) => device.saveState());
  advance(clock, 5_000_000_000);
  for (const [port, value] of [[0x3f9, 15], [0x21, 0x55], [0x43, 0x34], [0x40, 9], [0x40, 9], [0x3d4, 3], [0x80, 1], [0x61, 3], [0x60, 0xf5], [0x92, 0], [0x87, 9], [0x0f, 0], [0x3c8, 7], [0x70, 0x0b], [0x71, 0x72]] as const) bus.out(port, 1, value); // prettier-ignore
  advance(clock, 5_000_000);
  platform.typeSerial([]);
  assert.notDeepEqual(devices.map((device) => device.saveState()), before); // prettier-ignore
  platform.reset();
  assert.deepEqual(devices.map((device) => device.saveState()), before); // prettier-ignore
  assert.equal(platform.rtc.seconds, 1199145605);
  assert.equal(platform.interrupts.intr, false);
  assert.equal(clock.nextDeadline, Infinity);
});

/** What a guest and its user may do. */
const PORTS = [
  0x00, 0x05, 0x08, 0x0b, 0x0c, 0x0f, 0x20, 0x21, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x81, 0x92, 0xa0, 0xa1, 0xc4, 0xf0,
  0x3c0, 0x3c1, 0x3c4, 0x3c5, 0x3c7, 0x3c8, 0x3c9, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3da, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff,
  0x4d0, 0xcf9,
]; // prettier-ignore
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('out' as const), at: fc.constantFrom(...PORTS), value: fc.nat(255) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('in' as const), at: fc.constantFrom(...PORTS), value: fc.constant(0) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), at: fc.constant(0), value: fc.nat(2_000_000_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), at: fc.constant(0), value: fc.nat(100_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('type' as const), at: fc.nat(30), value: fc.nat(255) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('key' as const), at: fc.nat(5), value: fc.nat(255) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), at: fc.constant(0), value: fc.constant(0) }),
  },
);
type World = ReturnType<typeof world>;
const perform = (w: World, { kind, at, value }: { kind: string; at: number; value: number }): unknown => {
  switch (kind) {
    case 'out':
      return w.bus.out(at, 1, value);
    case 'in':
      return w.bus.in(at, 1);
    case 'wait':
      return advance(w.clock, value);
    case 'type':
      return w.platform.typeSerial(Array<number>(at).fill(value));
    case 'key':
      return w.platform.keyboard.key(Array<number>(at).fill(value));
    default:
      return w.platform.interrupts.intr ? w.platform.interrupts.acknowledge() : -1;
  }
};
/** Sensible settings first, so that random steps find timers running and interrupts on their way. */
const prepare = (w: World): void => {
  w.initializePics();
  for (const [port, value] of [[0x43, 0x34], [0x40, 0x9c], [0x40, 0x2e], [0x70, 0x0b], [0x71, 0x72], [0x3fa, 0x81], [0x3fc, 0x0b], [0x3f9, 0x0f]] as const) w.bus.out(port, 1, value); // prettier-ignore
};

test('property: a loaded platform goes on exactly as the saved one', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(step, { maxLength: 60 }), (before, after) => {
      const original = world();
      prepare(original);
      for (const s of before) perform(original, s);
      const saved = original.platform.saveState();
      assert.ok(saved.every((word) => Number.isSafeInteger(word)));
      const copy = world();
      copy.clock.set(original.clock.now);
      copy.platform.loadState(saved);
      assert.deepEqual(copy.platform.saveState(), saved);
      assert.equal(copy.clock.nextDeadline, original.clock.nextDeadline);
      original.serial.length = 0;
      const resets = original.resets();
      for (const s of after) {
        assert.deepEqual(perform(copy, s), perform(original, s));
        assert.equal(copy.platform.interrupts.intr, original.platform.interrupts.intr);
      }
      assert.deepEqual(copy.serial, original.serial);
      assert.equal(copy.resets(), original.resets() - resets);
      assert.deepEqual(copy.platform.saveState(), original.platform.saveState());
    }),
    { numRuns: 150 },
  );
});

test('property: two platforms under the same steps are equal, whatever the slices of time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 2, max: 7 }), (steps, slices) => {
      const whole = world();
      const sliced = world();
      prepare(whole);
      prepare(sliced);
      for (const s of steps) {
        const result = perform(whole, s);
        if (s.kind !== 'wait') assert.deepEqual(perform(sliced, s), result);
        else {
          const part = Math.floor(s.value / slices);
          for (let i = 1; i < slices; i++) advance(sliced.clock, part);
          advance(sliced.clock, s.value - part * (slices - 1));
        }
      }
      assert.deepEqual(sliced.platform.saveState(), whole.platform.saveState());
    }),
    { numRuns: 150 },
  );
});

test('a state that does not fit is our bug', () => {
  const { platform } = world();
  const state = platform.saveState();
  assert.throws(() => platform.loadState(state.slice(0, -1)));
  assert.throws(() => platform.loadState([...state, 0]), /platform/);
  for (const device of platform.devices) {
    if (device.name !== 'elcr') assert.throws(() => device.loadState([...device.saveState(), 1]), device.name);
  }
});
