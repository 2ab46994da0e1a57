import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DebuggedMachine } from '../machine.ts';
import { english } from '../saying.ts';
import { Postponed } from './postponed.ts';

const bench = (slices: number) => {
  const tasks: (() => void)[] = [];
  const said: string[] = [];
  let read = 0;
  const machine = {
    soon: (task: () => void) => tasks.push(task),
    guests: [{ debug: { indexSome: () => ++read / slices } }],
  };
  const postponed = new Postponed(
    machine as unknown as DebuggedMachine,
    (event, body) => said.push(`${event} ${'percentage' in body ? body.percentage : body.progressId}`),
    english,
  );
  return {
    postponed,
    said,
    add: (request: number, command = 'evaluate') =>
      postponed.add(request, command, (cancelled) => said.push(`${request} ${cancelled ? 'refused' : 'answered'}`)),
    turn: () => tasks.shift()?.(),
    get read() {
      return read;
    },
    get idle() {
      return tasks.length === 0;
    },
  };
};

test('requests that need all names are answered in their order when these are read, with one progress', () => {
  const { add, turn, said } = bench(3);
  add(7);
  turn();
  add(8);
  turn();
  turn();
  assert.deepEqual(said, [
    'progressStart 0',
    'progressUpdate 33',
    'progressUpdate 66',
    'progressEnd names1',
    '7 answered',
    '8 answered',
  ]);
});

test('cancelled, they are refused, and no more is read', () => {
  const one = bench(10);
  one.add(7);
  one.add(8);
  one.turn();
  one.postponed.cancel('names1');
  while (!one.idle) one.turn();
  assert.deepEqual(one.said.slice(-3), ['progressEnd names1', '7 refused', '8 refused']);
  assert.equal(one.read, 1);
  one.add(9);
  one.turn();
  assert.equal(one.read, 2, 'what was read is kept');
});

test('one is cancelled by its number; the work ends when nobody waits', () => {
  const one = bench(10);
  one.add(7);
  one.add(8);
  one.postponed.cancel(undefined, 8);
  one.postponed.cancel(undefined, 99);
  one.postponed.cancel('p1');
  assert.deepEqual(one.said.slice(1), ['8 refused']);
  one.postponed.cancel(undefined, 7);
  assert.deepEqual(one.said.slice(2), ['progressEnd names1', '7 refused']);
  while (!one.idle) one.turn();
  assert.equal(one.read, 0);
});

test('what must not be overtaken is answered at once, with those before it', () => {
  const one = bench(3);
  one.add(7);
  one.postponed.finish(new Set(['setBreakpoints']));
  assert.equal(one.said.length, 1, 'only a question waits');
  one.add(8, 'setBreakpoints');
  one.postponed.finish(new Set(['setBreakpoints']));
  assert.deepEqual(one.said.slice(1), ['progressEnd names1', '7 answered', '8 answered']);
  assert.equal(one.read, 3);
  while (!one.idle) one.turn();
  assert.equal(one.read, 3);
});
