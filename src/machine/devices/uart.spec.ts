import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordingLine, advance, inb, out } from '../../../test/support/device-world.ts';
import { Clock } from '../clock.ts';
import { CHARACTER_CYCLES, Uart16550 } from './uart.ts';

const RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7; // prettier-ignore
const NO_INTERRUPT = 1;

const world = () => {
  const clock = new Clock();
  const line = new RecordingLine();
  const sent: number[] = [];
  const uart = new Uart16550('uart0', line, clock, (byte) => sent.push(byte));
  return { clock, line, sent, uart };
};
/** As a driver leaves it: FIFOs with trigger level 8, receive and line-status interrupts, OUT2. */
const driven = () => {
  const w = world();
  out(w.uart, FCR, 0x81);
  out(w.uart, LCR, 3);
  out(w.uart, MCR, 0x0b);
  out(w.uart, IER, 5);
  return w;
};
const typed = (n: number) => Uint8Array.from({ length: n }, (_, i) => i & 0xff);

test('Linux 8250 autoconfig finds a 16550A and nothing better', () => {
  const { uart } = world();
  out(uart, IER, 0);
  assert.equal(inb(uart, IER), 0);
  out(uart, IER, 0x0f);
  assert.equal(inb(uart, IER) & 0x0f, 0x0f);
  out(uart, IER, 0);
  // Loop-back: RTS and OUT2 come back as CTS and DCD.
  out(uart, MCR, 0x10 | 0x0a);
  assert.equal(inb(uart, MSR) & 0xf0, 0x90);
  out(uart, MCR, 0);
  assert.equal(inb(uart, MSR) & 0xf0, 0xb0);
  out(uart, FCR, 1);
  assert.equal(inb(uart, IIR) >> 6, 3);
  // 16750: the 64-byte bit must not stick, with or without DLAB.
  out(uart, FCR, 0x21);
  assert.equal(inb(uart, IIR) >> 5, 6);
  out(uart, LCR, 0x80);
  out(uart, FCR, 0x21);
  assert.equal(inb(uart, IIR) >> 5, 6);
  // Extended features register of other families: IIR shows through, and is not 0.
  assert.notEqual(inb(uart, IIR), 0);
  out(uart, LCR, 0xbf);
  assert.notEqual(inb(uart, IIR), 0);
  out(uart, LCR, 0);
  // XScale's unit-enable bit must not stick either.
  out(uart, IER, 0x40);
  assert.equal(inb(uart, IER), 0);
  out(uart, FCR, 0);
  assert.equal(inb(uart, IIR) >> 6, 0);
});

test('Linux THRE test: enabling ETBEI raises THRI each time, reading IIR clears it', () => {
  const { uart, line } = world();
  out(uart, MCR, 8);
  for (let round = 1; round <= 3; round++) {
    out(uart, IER, 2);
    assert.equal(line.level, true);
    assert.equal(inb(uart, IIR), 2);
    assert.equal(line.level, false);
    assert.equal(inb(uart, IIR), NO_INTERRUPT);
    assert.equal(inb(uart, LSR), 0x60);
    out(uart, IER, 0);
    assert.equal(line.edges, round);
  }
  // Without a change of the enable bit nothing is raised anew.
  out(uart, IER, 2);
  inb(uart, IIR);
  out(uart, IER, 3);
  assert.equal(inb(uart, IIR), NO_INTERRUPT);
});

test('every write to THR sends at once and gives a new edge', () => {
  const { uart, line, sent } = world();
  out(uart, MCR, 8);
  out(uart, IER, 2);
  out(uart, THR, 0x41);
  out(uart, THR, 0x42);
  assert.deepEqual(sent, [0x41, 0x42]);
  assert.equal(line.edges, 3);
  assert.equal(inb(uart, IIR), 2);
  out(uart, THR, 0x43);
  assert.equal(line.edges, 4);
});

test('OUT2 gates the line, loop-back closes it', () => {
  const { uart, line } = world();
  out(uart, IER, 2);
  assert.equal(line.level, false);
  out(uart, MCR, 8);
  assert.equal(line.level, true);
  out(uart, MCR, 0x18);
  assert.equal(line.level, false);
});

test('divisor latch hides RBR, THR and IER', () => {
  const { uart, sent } = world();
  out(uart, IER, 5);
  out(uart, LCR, 0x83);
  out(uart, 0, 0x0c);
  out(uart, 1, 0x01);
  assert.deepEqual(
    [inb(uart, 0), inb(uart, 1), uart.registerName(0, true), uart.registerName(1, false)],
    [0x0c, 1, 'DLL', 'DLM'],
  );
  out(uart, LCR, 3);
  assert.equal(inb(uart, IER), 5);
  assert.deepEqual(sent, []);
  out(uart, SCR, 0xa5);
  assert.equal(inb(uart, SCR), 0xa5);
});

test('loop-back receives what it sends, 17 characters overrun the FIFO', () => {
  const { uart, sent } = world();
  out(uart, FCR, 1);
  out(uart, IER, 4);
  out(uart, MCR, 0x1b);
  for (let i = 0; i < 17; i++) out(uart, THR, 0x60 + i);
  assert.deepEqual(sent, []);
  assert.equal(inb(uart, IIR), 0xc6);
  assert.equal(inb(uart, LSR), 0x63);
  assert.equal(inb(uart, LSR), 0x61);
  for (let i = 0; i < 16; i++) assert.equal(inb(uart, RBR), 0x60 + i);
  assert.equal(inb(uart, LSR), 0x60);
  assert.equal(inb(uart, RBR), 0x6f);
});

test('modem status: deltas, TERI on the falling edge only, interrupt of lowest priority', () => {
  const { uart } = world();
  out(uart, MCR, 0x10);
  assert.equal(inb(uart, MSR), 0x0b, 'CTS, DSR and DCD fell');
  assert.equal(inb(uart, MSR), 0);
  out(uart, IER, 8);
  out(uart, MCR, 0x14);
  assert.equal(inb(uart, IIR), NO_INTERRUPT, 'RI rose');
  out(uart, MCR, 0x10);
  assert.equal(inb(uart, IIR), 0);
  assert.equal(inb(uart, MSR), 4);
  assert.equal(inb(uart, IIR), NO_INTERRUPT);
});

test('trigger level, then character timeout when nothing follows', () => {
  const { uart, clock, line } = driven();
  uart.receive(typed(10));
  advance(clock, 7 * CHARACTER_CYCLES);
  assert.equal(inb(uart, LSR) & 1, 1);
  assert.equal(line.level, false, 'seven characters, more on the way');
  advance(clock, CHARACTER_CYCLES);
  assert.equal(line.level, true);
  assert.equal(inb(uart, IIR), 0xc4);
  assert.equal(inb(uart, RBR), 0);
  assert.equal(line.level, false);
  advance(clock, 2 * CHARACTER_CYCLES);
  assert.equal(inb(uart, IIR), 0xc4);
  inb(uart, RBR);
  inb(uart, RBR);
  assert.equal(inb(uart, IIR), 0xcc);
  for (let i = 3; i < 10; i++) assert.equal(inb(uart, RBR), i);
  assert.equal(inb(uart, IIR), 0xc1);
  assert.equal(line.level, false);
});

test('characters are one character time apart, scaled by the divisor', () => {
  const { uart, clock } = driven();
  out(uart, LCR, 0x83);
  out(uart, 0, 12);
  out(uart, LCR, 3);
  uart.receive([1, 2]);
  advance(clock, 12 * CHARACTER_CYCLES - 1);
  assert.equal(inb(uart, LSR) & 1, 0);
  advance(clock, 1);
  assert.equal(inb(uart, RBR), 1);
  assert.equal(inb(uart, LSR) & 1, 0);
  advance(clock, 12 * CHARACTER_CYCLES);
  assert.equal(inb(uart, RBR), 2);
});

test('the host waits: for RTS or the receive interrupt, or for a poll if the guest has no modem control', () => {
  const polled = world();
  polled.uart.receive([1]);
  advance(polled.clock, 10 * CHARACTER_CYCLES);
  assert.equal(inb(polled.uart, LSR) & 1, 0);
  advance(polled.clock, CHARACTER_CYCLES);
  assert.equal(inb(polled.uart, LSR) & 1, 1);

  for (const [register, value] of [
    [MCR, 2],
    [IER, 1],
  ] as const) {
    // prettier-ignore
    const { uart, clock } = world();
    out(uart, MCR, 0);
    uart.receive([1]);
    inb(uart, LSR);
    advance(clock, 10 * CHARACTER_CYCLES);
    assert.equal(inb(uart, LSR) & 1, 0);
    out(uart, register, value);
    advance(clock, CHARACTER_CYCLES);
    assert.equal(inb(uart, LSR) & 1, 1);
  }
});

test('property: nothing typed is lost or reordered, however the guest reads', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      fc.array(fc.record({ wait: fc.nat(2_000_000), reads: fc.nat(20) }), { maxLength: 20 }),
      fc.boolean(),
      (batches, steps, fifo) => {
        const { uart, clock } = driven();
        if (!fifo) out(uart, FCR, 0);
        const got: number[] = [];
        const drain = (limit: number): void => {
          for (let i = 0; i < limit && inb(uart, LSR) & 1; i++) got.push(inb(uart, RBR));
        };
        for (const batch of batches) uart.receive(batch);
        for (const { wait, reads } of steps) {
          advance(clock, wait);
          drain(reads);
        }
        while (uart.waiting > 0) {
          advance(clock, CHARACTER_CYCLES);
          drain(16);
        }
        drain(16);
        assert.deepEqual(
          got,
          batches.flatMap((batch) => [...batch]),
        );
        assert.equal(inb(uart, LSR) & 2, 0);
      },
    ),
  );
});

test('reset keeps what the host typed and nothing else', () => {
  const { uart, clock, line } = driven();
  uart.receive(typed(3));
  advance(clock, CHARACTER_CYCLES);
  uart.reset();
  assert.deepEqual([line.level, uart.waiting, inb(uart, IER), inb(uart, MCR)], [false, 2, 0, 0]);
});
