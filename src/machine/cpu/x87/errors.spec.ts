import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA, FloatWorld } from '../../../../test/support/float-world.ts';
import { Cr0 } from '../state.ts';
import { Exception } from './float80.ts';
import { Status, statusWord } from './unit.ts';

/** The world with CR0.NE clear, a pending zero divide and pins that remember. */
const w = new FloatWorld();
const world = (ignne = false) => {
  w.reset();
  w.memory.ram.fill(0, DATA, DATA + 512);
  const levels: boolean[] = [];
  const pins = { ignne, ferr: (level: boolean) => void levels.push(level) };
  w.cpu.errorPins = pins;
  w.s.cr0 &= ~Cr0.NE;
  w.memory.write16(DATA, 0x37f & ~Exception.ZE);
  w.run('d9 2b'); // fldcw
  for (const code of ['d9 e8', 'd9 ee', 'd8 f9']) w.run(code); // fld1, fldz, fdivr st, st(1)
  levels.length = 0;
  return { w, levels, pins };
};
const ERROR = Status.ES | Status.B;
/** MMX, WAIT, an x87 instruction, one that waits and controls. */
const WAITING = ['0f fc c0', '9b', 'd9 e8', 'd9 2b'] as const;

test('a waiting instruction asserts FERR# and does not execute', () => {
  for (const code of WAITING) {
    const { w, levels } = world();
    const before = statusWord(w.s);
    assert.equal(before & ERROR, ERROR);
    for (let tries = 1; tries <= 2; tries++) {
      assert.equal(w.run(code), undefined, code);
      assert.deepEqual([w.s.eip, levels.length, levels.at(-1)], [0x1000, tries, true], code);
      assert.equal(statusWord(w.s), before, code);
    }
  }
});

test('with IGNNE# asserted it executes, and the error stays pending', () => {
  for (const code of WAITING) {
    const { w, levels } = world(true);
    assert.equal(w.run(code), undefined, code);
    assert.equal(w.s.eip, 0x1000 + code.split(' ').length, code);
    assert.deepEqual(levels, [], code);
    assert.equal(statusWord(w.s) & ERROR, ERROR, code);
  }
  const { w } = world(true);
  w.memory.write16(DATA, 0x37f);
  w.run('d9 2b'); // fldcw masks the exception: no error any more
  assert.equal(statusWord(w.s) & ERROR, 0);
});

test('FERR# falls with ES, whatever instruction clears it', () => {
  // fnclex, fninit, fnstenv [ebx], fnsave [ebx], fxrstor of an image without errors
  for (const code of ['db e2', 'db e3', 'd9 33', 'dd 33', '0f ae 0b']) {
    const { w, levels } = world();
    w.run('9b');
    if (code === '0f ae 0b') w.memory.write16(DATA, 0x37f);
    w.run(code);
    assert.deepEqual(levels, [true, false], code);
    assert.equal(statusWord(w.s) & ERROR, 0, code);
  }
  const { w, levels } = world();
  w.run('9b');
  w.run('df e0'); // fnstsw ax
  assert.deepEqual(levels, [true]);
});

test('a frozen processor lets time pass and returns', () => {
  const { w } = world();
  w.memory.write8(0x1000, 0x9b);
  w.s.eip = 0x1000;
  w.processor.forgetCode(1);
  w.processor.run(1000);
  assert.equal(w.cpu.clock.now, 1000);
  assert.equal(w.processor.frozen, true);
  const fired: number[] = [];
  const timer = w.cpu.clock.timer((now) => void fired.push(now));
  w.cpu.clock.arm(timer, 1500);
  const { retired } = w.processor;
  w.processor.run(2000);
  assert.deepEqual([fired, w.cpu.clock.now, w.processor.retired], [[1500], 2000, retired]);
});
