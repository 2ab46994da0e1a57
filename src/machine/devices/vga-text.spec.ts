import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, inb, out } from '../../../test/support/device-world.ts';
import { Clock } from '../clock.ts';
import { fromCodePage437 } from './code-page-437.ts';
import { VgaText } from './vga-text.ts';

const CRTC = 0x14;
const GRAPHICS = 0x0e;
const STATUS_1 = 0x1a;
const FRAME = 31_778 * 449;

const world = () => {
  const clock = new Clock();
  const vga = new VgaText(clock);
  const memory = new Uint8Array(0x20000);
  const read8 = (pa: number): number => memory[pa - 0xa0000]!;
  const put = (row: number, text: string, start = 0): void => {
    for (let i = 0; i < text.length; i++)
      memory[0x18000 + (((start + row * 80 + i) * 2) & 0x7fff)] = text.charCodeAt(i);
  };
  const set = (pair: number, index: number, value: number): void => {
    out(vga, pair, index);
    out(vga, pair + 1, value);
  };
  const get = (pair: number, index: number): number => {
    out(vga, pair, index);
    return inb(vga, pair + 1);
  };
  return { clock, vga, memory, read8, put, set, get };
};

test('text: 25 lines without trailing blanks, from the start address', () => {
  const { vga, read8, put, set } = world();
  put(0, 'Hello   ');
  put(24, '  last');
  put(25, 'below');
  const lines = vga.text(read8).split('\n');
  assert.equal(lines.length, 25);
  assert.deepEqual([lines[0], lines[1], lines[24]], ['Hello', '', '  last']);
  // Scrolled by one line, as Linux's vgacon does.
  set(CRTC, 0x0d, 80);
  assert.equal(vga.text(read8).split('\n')[24], 'below');
  // The window wraps at 32 KiB.
  put(0, 'wrapped', 0x4000 - 3);
  set(CRTC, 0x0c, 0x3f);
  set(CRTC, 0x0d, 0xfd);
  assert.equal(vga.text(read8).split('\n')[0]!.slice(0, 7), 'wrapped');
});

test('80x50, 40 columns and graphics modes', () => {
  const { vga, read8, put, set } = world();
  put(49, 'bottom');
  set(CRTC, 0x09, 0x47);
  assert.equal(vga.text(read8).split('\n')[49], 'bottom');
  set(CRTC, 0x11, 0x0e);
  set(CRTC, 0x01, 39);
  assert.equal(vga.size.columns, 40);
  set(GRAPHICS, 6, 0x05);
  assert.equal(vga.text(read8), '');
});

test('cursor', () => {
  const { vga, set } = world();
  set(CRTC, 0x0e, (3 * 80 + 7) >> 8);
  set(CRTC, 0x0f, (3 * 80 + 7) & 0xff);
  assert.deepEqual(vga.cursor, { row: 3, column: 7 });
  set(CRTC, 0x0d, 80);
  assert.deepEqual(vga.cursor, { row: 2, column: 7 });
  set(CRTC, 0x0a, 0x20);
  assert.equal(vga.cursor, undefined);
});

test('attribute flip-flop: 3DAh resets it, the palette is locked while on screen', () => {
  const { vga } = world();
  inb(vga, STATUS_1);
  out(vga, 0, 0x30);
  out(vga, 0, 0x55);
  out(vga, 0, 0x33);
  inb(vga, STATUS_1);
  out(vga, 0, 0x30);
  assert.equal(inb(vga, 1), 0x55);
  inb(vga, STATUS_1);
  out(vga, 0, 0x26);
  out(vga, 0, 0x3f);
  assert.equal(inb(vga, 1), 0x14, 'bit 5 set: not written');
  inb(vga, STATUS_1);
  out(vga, 0, 0x06);
  out(vga, 0, 0x3f);
  assert.equal(inb(vga, 1), 0x3f);
});

test('CRTC registers 0-7 are locked by bit 7 of register 11h, but for the line compare', () => {
  const { set, get } = world();
  set(CRTC, 0, 0x11);
  set(CRTC, 7, 0xef);
  assert.deepEqual([get(CRTC, 0), get(CRTC, 7)], [0x5f, 0x0f]);
  set(CRTC, 0x11, 0x0e);
  set(CRTC, 0, 0x11);
  assert.equal(get(CRTC, 0), 0x11);
  assert.equal(get(CRTC, 0x30), 0);
});

test('DAC: read and write indexes advance by colour', () => {
  const { vga } = world();
  out(vga, 8, 254);
  for (const value of [1, 2, 3, 4, 5, 0xff]) out(vga, 9, value);
  assert.equal(inb(vga, 8), 0);
  assert.equal(inb(vga, 7), 0);
  out(vga, 7, 254);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => inb(vga, 9)),
    [1, 2, 3, 4, 5, 0x3f],
  );
  assert.equal(inb(vga, 7), 3);
  // Brown is not dark yellow: attribute 6 shows colour 14h.
  out(vga, 7, 0x14);
  assert.deepEqual(
    [0, 0, 0].map(() => inb(vga, 9)),
    [0x2a, 0x15, 0],
  );
});

test('retrace follows virtual time: 70 frames a second', () => {
  const { vga, clock } = world();
  let retraces = 0;
  let last = 0;
  for (let i = 0; i < 70 * 449; i++) {
    const now = inb(vga, STATUS_1);
    if (now & 8) assert.equal(now & 1, 1, 'retrace lies within the blank');
    if (now & ~last & 8) retraces++;
    last = now;
    advance(clock, 31_778);
  }
  assert.equal(retraces, 70);
  clock.set(1000 * FRAME);
  assert.equal(inb(vga, STATUS_1) & 9, 0);
  clock.set(1000 * FRAME + 31_000);
  assert.equal(inb(vga, STATUS_1) & 9, 1, 'horizontal blank');
});

test('miscellaneous output and the sequencer keep what is written', () => {
  const { vga, set, get } = world();
  assert.equal(inb(vga, 0x0c), 0x67);
  out(vga, 2, 0x63);
  assert.equal(inb(vga, 0x0c), 0x63);
  set(4, 2, 0x0f);
  assert.equal(get(4, 2), 0x0f);
  vga.reset();
  assert.equal(inb(vga, 0x0c), 0x67);
});

test('code page 437', () => {
  const shown = [0x00, 0x41, 0x7e, 0x7f, 0x80, 0xb0, 0xc4, 0xda, 0xdb, 0xe3, 0xf1, 0xfe, 0xff, 0x1a]
    .map(fromCodePage437)
    .join('');
  assert.equal(shown, ' A~⌂Ç░─┌█π±■ →');
  const all = Array.from({ length: 256 }, (_, code) => fromCodePage437(code));
  assert.ok(all.every((character) => character !== undefined && character.length === 1));
  assert.equal(new Set(all).size, 254, 'three blanks, all else distinct');
});
