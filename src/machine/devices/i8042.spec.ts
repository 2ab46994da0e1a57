import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordingLine, advance, inb, out } from '../../../test/support/device-world.ts';
import { Clock } from '../clock.ts';
import { I8042, KEYBOARD_BYTE_CYCLES } from './i8042.ts';
import { translateToSet1 } from './scan-codes.ts';

const DATA = 0;
const PORT64 = 4;

const world = () => {
  const clock = new Clock();
  const line = new RecordingLine();
  const a20 = { enabled: true };
  let resets = 0;
  const kbc = new I8042(clock, line, a20, () => resets++);
  const status = (): number => inb(kbc, PORT64);
  const command = (value: number): void => out(kbc, PORT64, value);
  /** Every byte that comes within a virtual second. */
  const drain = (): number[] => {
    const bytes: number[] = [];
    for (let i = 0; i < 200; i++) {
      if (status() & 1) bytes.push(inb(kbc, DATA));
      else advance(clock, KEYBOARD_BYTE_CYCLES);
    }
    return bytes;
  };
  /** A keyboard command and its answer. */
  const keyboard = (...bytes: number[]): number[] => {
    const answer: number[] = [];
    for (const byte of bytes) {
      out(kbc, DATA, byte);
      answer.push(...drain());
    }
    return answer;
  };
  return { clock, line, a20, kbc, status, command, drain, keyboard, resets: () => resets };
};

test('Linux i8042 probing: flush, command byte, self test, and at once no mouse port', () => {
  const { kbc, status, command, drain } = world();
  assert.equal(status() & 1, 0);
  command(0x20);
  const mode = inb(kbc, DATA);
  assert.equal(mode, 0x65);
  // The keyboard interface off, interrupts off: it must read back.
  command(0x60);
  out(kbc, DATA, (mode | 0x10) & ~1);
  command(0x20);
  assert.equal(inb(kbc, DATA), 0x74);
  command(0xaa);
  assert.equal(inb(kbc, DATA), 0x55);
  assert.equal(status() & 4, 4);
  // i8042_check_aux: the looped byte lacks the AUX mark, so the driver gives up after one read; then the port test fails.
  command(0xd3);
  out(kbc, DATA, 0x5a);
  assert.equal(status() & 0x21, 0x01);
  assert.equal(inb(kbc, DATA), 0x5a);
  command(0xa9);
  const test = inb(kbc, DATA);
  assert.ok(test !== 0 && test !== 0xfa && test !== 0xff);
  // Enabling the port does not enable anything.
  command(0xa8);
  command(0x20);
  assert.equal(inb(kbc, DATA) & 0x20, 0x20);
  command(0x60);
  out(kbc, DATA, mode & ~0x20);
  command(0x20);
  assert.equal(inb(kbc, DATA) & 0x20, 0x20);
  command(0xab);
  assert.equal(inb(kbc, DATA), 0);
  // A byte for the mouse: no answer, marked as a time-out of the auxiliary port, without IRQ 1.
  command(0xd4);
  out(kbc, DATA, 0xf2);
  assert.equal(status() & 0x61, 0x61);
  assert.deepEqual(drain(), [0xfe]);
});

test('Linux atkbd probing through the translation', () => {
  const { keyboard } = world();
  assert.deepEqual(keyboard(0xff), [0xfa, 0xaa]);
  assert.deepEqual(keyboard(0xf2), [0xfa, 0xab, 0x41]);
  assert.deepEqual(keyboard(0xed, 0x02), [0xfa, 0xfa]);
  assert.deepEqual(keyboard(0xf3, 0x00), [0xfa, 0xfa]);
  assert.deepEqual(keyboard(0xf4), [0xfa]);
  assert.deepEqual(keyboard(0xee), [0xee]);
  assert.deepEqual(keyboard(0xf0, 0x00), [0xfa, 0xfa, 0x41]);
  assert.deepEqual(keyboard(0xf5), [0xfa]);
  assert.deepEqual(keyboard(0xf6), [0xfa]);
  assert.deepEqual(keyboard(0xe7), [0xfe], 'unknown');
  assert.deepEqual(keyboard(0xfe), [0xfe], 'the last byte again');
});

test('without translation the identity is that of set 2', () => {
  const { kbc, command, keyboard } = world();
  command(0x60);
  out(kbc, DATA, 0x25);
  assert.deepEqual(keyboard(0xf2), [0xfa, 0xab, 0x83]);
  assert.deepEqual(keyboard(0xf0, 0), [0xfa, 0xfa, 0x02]);
});

test('a key: one IRQ 1 edge a byte, translated make and break', () => {
  const { kbc, line, clock, drain } = world();
  kbc.key([0x1c, 0xf0, 0x1c]);
  assert.equal(line.level, false);
  advance(clock, KEYBOARD_BYTE_CYCLES);
  assert.equal(line.level, true);
  assert.equal(inb(kbc, DATA), 0x1e);
  assert.equal(line.level, false);
  assert.deepEqual(drain(), [0x9e]);
  assert.equal(line.edges, 2);
  kbc.key([0xe0, 0x75, 0xe0, 0xf0, 0x75]);
  assert.deepEqual(drain(), [0xe0, 0x48, 0xe0, 0xc8]);
  assert.equal(inb(kbc, DATA), 0xc8, 'an empty buffer shows the last byte');
});

test('scan-code set 1 from the keyboard itself equals the translation', () => {
  const { kbc, command, keyboard, drain } = world();
  assert.deepEqual(keyboard(0xf0, 1), [0xfa, 0xfa]);
  command(0x60);
  out(kbc, DATA, 0x25);
  kbc.key([0xe0, 0x75, 0xe0, 0xf0, 0x75]);
  assert.deepEqual(drain(), [0xe0, 0x48, 0xe0, 0xc8]);
  assert.deepEqual(keyboard(0xf0, 3), [0xfa, 0xfe], 'set 3 is not there');
});

test('keys are lost while scanning is off, and wait while the interface is', () => {
  const { kbc, command, keyboard, drain } = world();
  keyboard(0xf5);
  kbc.key([0x1c]);
  assert.deepEqual(drain(), []);
  keyboard(0xf4);
  command(0xad);
  kbc.key([0x1c]);
  assert.deepEqual(drain(), []);
  command(0xae);
  assert.deepEqual(drain(), [0x1e]);
});

test('no interrupt when the command byte forbids it', () => {
  const { kbc, command, line, drain } = world();
  command(0x60);
  out(kbc, DATA, 0x64);
  kbc.key([0x1c]);
  assert.deepEqual(drain(), [0x1e]);
  assert.equal(line.edges, 0);
});

test('output port: A20 and both ways to reset', () => {
  const { kbc, command, a20, resets } = world();
  command(0xd0);
  assert.equal(inb(kbc, DATA) & 3, 3);
  command(0xd1);
  out(kbc, DATA, 0xdd);
  assert.equal(a20.enabled, false);
  command(0xd0);
  assert.equal(inb(kbc, DATA) & 3, 1);
  command(0xdf);
  assert.equal(a20.enabled, true);
  assert.equal(resets(), 0);
  command(0xff);
  assert.equal(resets(), 0, 'no pin pulsed');
  command(0xfe);
  assert.equal(resets(), 1);
  command(0xd1);
  out(kbc, DATA, 0xde);
  assert.equal(resets(), 2);
});

test('controller memory and answers in order', () => {
  const { kbc, command, drain } = world();
  command(0x6a);
  out(kbc, DATA, 0x77);
  kbc.key([0x1c]);
  command(0x2a);
  command(0xaa);
  assert.deepEqual(drain(), [0x77, 0x55, 0x1e]);
});

test('the translation is one to one on keys', () => {
  const codes = new Set<number>();
  for (let code = 1; code < 0x80; code++) codes.add(translateToSet1(code));
  assert.equal(codes.size, 0x7f);
  for (const code of codes) assert.ok(code > 0 && code < 0x80);
  // Escape, 1, Q, Space, Enter, F1, F12, left Shift, keypad 5.
  const keys = [0x76, 0x16, 0x15, 0x29, 0x5a, 0x05, 0x07, 0x12, 0x73];
  assert.deepEqual(keys.map(translateToSet1), [0x01, 0x02, 0x10, 0x39, 0x1c, 0x3b, 0x58, 0x2a, 0x4c]);
});

test('property: no typed byte is lost, in order, and each has its edge', () => {
  const make = fc.integer({ min: 1, max: 0x7f });
  fc.assert(
    fc.property(fc.array(fc.tuple(make, fc.boolean()), { maxLength: 60 }), (keys) => {
      const { kbc, line, drain } = world();
      for (const [code, release] of keys) kbc.key(release ? [0xf0, code] : [code]);
      const expected = keys.map(([code, release]) => translateToSet1(code) | (release ? 0x80 : 0));
      assert.deepEqual([...drain(), ...drain()], expected);
      assert.equal(line.edges, expected.length);
    }),
  );
});

test('a saved controller goes on in the middle of a release, of a keyboard command and of its own command', () => {
  const copyOf = (original: ReturnType<typeof world>): ReturnType<typeof world> => {
    const copy = world();
    copy.clock.set(original.clock.now);
    copy.kbc.loadState(original.kbc.saveState());
    return copy;
  };
  const release = world();
  release.kbc.key([0xf0, 0x1c]);
  advance(release.clock, KEYBOARD_BYTE_CYCLES);
  assert.deepEqual(copyOf(release).drain(), [0x9e]);

  const leds = world();
  leds.keyboard(0xed);
  const copy = copyOf(leds);
  assert.deepEqual(copy.keyboard(0x05), [0xfa]);
  assert.equal(copy.kbc.keyboard.leds, 5);

  const set1 = world();
  set1.keyboard(0xf0, 1);
  set1.kbc.key([0xf0]);
  const copied = copyOf(set1);
  copied.command(0x60);
  out(copied.kbc, DATA, 0x25);
  copied.kbc.key([0x1c]);
  assert.deepEqual(copied.drain(), [0x9e]);

  const writing = world();
  writing.command(0x60);
  const other = copyOf(writing);
  out(other.kbc, DATA, 0x24);
  other.command(0x20);
  assert.equal(inb(other.kbc, DATA), 0x24);
});
