import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inb, out } from '../../../test/support/device-world.ts';
import { Dma8237, DmaPageRegisters } from './dma.ts';

test('address and count go through the flip-flop, low byte first', () => {
  for (const shift of [0, 1] as const) {
    const dma = new Dma8237('dma', shift);
    const port = (register: number): number => register << shift;
    out(dma, port(0xc), 0);
    out(dma, port(5), 0x34);
    out(dma, port(5), 0x12);
    out(dma, port(4), 0x78);
    out(dma, port(4), 0x56);
    assert.deepEqual(
      [inb(dma, port(5)), inb(dma, port(5)), inb(dma, port(4)), inb(dma, port(4))],
      [0x34, 0x12, 0x78, 0x56],
    );
    inb(dma, port(5));
    out(dma, port(0xc), 0);
    assert.equal(inb(dma, port(5)), 0x34);
    assert.equal(dma.registerName(port(5)), 'channel 2 count');
  }
});

test('masks: single, all, clear, and master clear sets them', () => {
  const dma = new Dma8237('dma0', 0);
  assert.equal(inb(dma, 0xf), 0xff);
  out(dma, 0xa, 2);
  assert.equal(inb(dma, 0xf), 0xfb);
  out(dma, 0xe, 0);
  assert.equal(inb(dma, 0xf), 0xf0);
  out(dma, 0xf, 5);
  assert.equal(inb(dma, 0xf), 0xf5);
  out(dma, 9, 6);
  assert.equal(inb(dma, 8), 0x40);
  out(dma, 0xd, 0);
  assert.deepEqual([inb(dma, 0xf), inb(dma, 8)], [0xff, 0]);
});

test('page registers are latches', () => {
  const pages = new DmaPageRegisters();
  out(pages, 0, 0xab);
  out(pages, 14, 0xcd);
  assert.deepEqual([inb(pages, 0), inb(pages, 14), inb(pages, 3)], [0xab, 0xcd, 0]);
  assert.deepEqual(
    [pages.registerName(0), pages.registerName(6), pages.registerName(3)],
    ['channel 2 page', 'channel 0 page', 'spare page'],
  );
});
