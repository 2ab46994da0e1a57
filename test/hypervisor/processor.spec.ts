// What the hypervisor does for a guest by itself, on the emulated processor: guests end the same way, after the same number of instructions,
// with and without it. One recurses through its page directory, writes with CR0.WP off and on, touches device memory and takes its own
// page fault (shadow paging); one goes to real mode and back, which no VM entry accepts; one stands at the end of a 16-bit code segment.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSession } from '../../src/workers/engine-session.ts';
import type { Session } from '../../src/workers/session.ts';

const SCRIPT = 'ENTRY(_start) SECTIONS { . = 1M; .text : { *(.mb) *(.text) } .data : { *(.data) } .bss : { *(.bss) } }';

const build = (name: string): Uint8Array | undefined => {
  const folder = mkdtempSync(join(tmpdir(), 'kansoku-guest-'));
  try {
    const [script, image] = [join(folder, 'link.ld'), join(folder, 'guest.elf')];
    writeFileSync(script, SCRIPT);
    const source = join(import.meta.dirname, `test/hypervisor/${name}.S`);
    const options = ['-m32', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none,--no-warn-rwx-segments'];
    execFileSync('gcc', [...options, '-T', script, '-o', image, source], { stdio: 'ignore' });
    return new Uint8Array(readFileSync(image));
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const start = (bytes: Uint8Array, bare: boolean): Session =>
  createSession({
    image: { name: 'guest.elf', bytes },
    cmdline: '',
    modules: [],
    memoryBytes: 16 << 20,
    cpu: 'core-duo',
    bare,
    observe: 'none',
    stateHashEvery: 0,
  });
const run = (bytes: Uint8Array, bare: boolean, slice: number): Session => {
  const session = start(bytes, bare);
  for (let i = 0; session.stop === undefined && i < 20_000; i++) session.run(slice);
  return session;
};

test('paging under the hypervisor and on the bare machine', (t) => {
  const bytes = build('paging-guest');
  if (bytes === undefined) return t.skip('no 32-bit gcc');
  const bare = run(bytes, true, 100_000);
  const whole = run(bytes, false, 100_000);
  const sliced = run(bytes, false, 7);
  for (const session of [bare, whole, sliced]) assert.equal(session.stop?.exitStatus, 0x21, session.stop?.message);
  const [a, b, c] = [bare.counters(), whole.counters(), sliced.counters()];
  assert.equal(b.instructions, a.instructions);
  assert.equal(whole.vgaText(), bare.vgaText());
  assert.deepEqual([c.instructions, c.exits, c.shadow], [b.instructions, b.exits, b.shadow]);
  for (const outcome of ['propagate', 'fixup', 'mmio', 'emulate', 'emulateWp'])
    assert.ok(b.shadow[outcome]! > 0, outcome);
});

test('real mode under the hypervisor and on the bare machine', (t) => {
  const bytes = build('real-mode-guest');
  if (bytes === undefined) return t.skip('no 32-bit gcc');
  const bare = run(bytes, true, 100_000);
  const whole = run(bytes, false, 100_000);
  const sliced = run(bytes, false, 7);
  for (const session of [bare, whole, sliced]) assert.equal(session.stop?.exitStatus, 0x21, session.stop?.message);
  assert.equal(whole.counters().instructions, bare.counters().instructions);
  assert.equal(sliced.stateHash(), whole.stateHash());
});

test('the last instruction of a 16-bit code segment: EIP does not wrap', (t) => {
  const bytes = build('segment-end-guest');
  if (bytes === undefined) return t.skip('no 32-bit gcc');
  const bare = run(bytes, true, 100_000);
  const whole = run(bytes, false, 100_000);
  for (const session of [bare, whole]) assert.equal(session.stop?.exitStatus, 0x21, session.stop?.message);
  assert.equal(whole.counters().instructions, bare.counters().instructions);
});

test('REP INS and OUTS, in slices: the same instructions at every boundary, the same interrupts between their elements', (t) => {
  for (const name of ['string-io-guest', 'real-mode-guest']) {
    const bytes = build(name);
    if (bytes === undefined) return t.skip('no 32-bit gcc');
    const bare = start(bytes, true);
    const sliced = start(bytes, false);
    const whole = run(bytes, false, 1_000_000);
    for (let i = 1; bare.stop === undefined && i < 20_000; i++) {
      const slice = (i * 7919) % 1009;
      bare.run(slice);
      sliced.run(slice);
      assert.equal(sliced.counters().instructions, bare.counters().instructions, `${name}, slice ${i} of ${slice}`);
    }
    for (const session of [bare, sliced, whole])
      assert.equal(session.stop?.exitStatus, 0x21, `${name}: ${session.stop?.message}`);
    assert.equal(sliced.vgaText(), bare.vgaText());
    assert.deepEqual(sliced.counters(), whole.counters());
    assert.equal(sliced.stateHash(), whole.stateHash());
  }
});
