// The worker's conversation without a thread: a fake port, a fake clock, a fake session.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createSession } from '../../test/extension/fake-session.ts';
import { DIES, domain } from '../../test/hypervisor/small-kernels.ts';
import type { FromMachine, Question, ToMachine } from '../protocol/machine.ts';
import type { TimelineWindow } from '../protocol/timeline.ts';
import type { SourceLocation } from '../symbols/location.ts';
import { createSession as createMachine } from './engine-session.ts';
import { MachineServer } from './machine-server.ts';
import { type BootConfig, type Session, UserError } from './session.ts';

const config = (change: Partial<BootConfig> = {}): BootConfig => ({
  image: { name: 'tsubame.elf', bytes: new Uint8Array(readFileSync('media/guests/tsubame/tsubame.elf')) },
  cmdline: '',
  modules: [],
  memoryBytes: 64 << 20,
  cpu: 'core-duo',
  bare: false,
  observe: 'all',
  stateHashEvery: 0,
  ...change,
});

class Bench {
  readonly sent: FromMachine[] = [];
  private handler: (message: ToMachine) => void = () => {};
  private task: (() => void) | undefined;
  private due = 0;
  now = 0;

  constructor(make: (config: BootConfig) => Session = createSession) {
    new MachineServer(
      { post: (message) => void this.sent.push(message), listen: (handler) => (this.handler = handler) },
      {
        createSession: make,
        now: () => (this.now += 0.2),
        later: (task, ms) => {
          this.task = task;
          this.due = this.now + ms;
          return () => (this.task = undefined);
        },
      },
    );
  }

  tell(message: ToMachine): void {
    this.handler(message);
  }
  /** Runs what is due, `times` times. */
  turn(times = 1): void {
    for (let i = 0; i < times && this.task !== undefined; i++) {
      const { task } = this;
      this.task = undefined;
      this.now = Math.max(this.now, this.due);
      task();
    }
  }
  get resting(): boolean {
    return this.task === undefined;
  }
  of<T extends FromMachine['type']>(type: T): Extract<FromMachine, { readonly type: T }>[] {
    return this.sent.filter((message) => message.type === type) as Extract<FromMachine, { readonly type: T }>[];
  }
  get serial(): string {
    return this.serialOf(undefined);
  }
  serialOf(wanted: number | undefined): string {
    return this.of('serial')
      .filter(({ domain }) => domain === wanted)
      .map(({ bytes }) => new TextDecoder().decode(bytes))
      .join('');
  }
  ask(question: Question): unknown {
    this.tell({ type: 'ask', id: 1, question });
    const last = this.sent.at(-1)!;
    assert.equal(last.type, 'answer', JSON.stringify(last));
    return last.type === 'answer' ? last.answer : undefined;
  }
  type(text: string, domain?: number): void {
    this.tell({ type: 'serial', bytes: new TextEncoder().encode(text), domain });
  }
}

test('boots, prints, answers what is typed', () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config(), paused: false });
  assert.equal(bench.sent[0]?.type, 'booted');
  bench.turn(3);
  assert.match(bench.serial, /tsubame> $/);
  bench.type('ls\r');
  bench.turn();
  assert.match(bench.serial, /ls: done/);
});

test("the user's mistakes are refused with their sentence, ours with a stack", () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config({ image: { name: 'short', bytes: new Uint8Array(3) } }), paused: false });
  assert.deepEqual(bench.sent, [
    { type: 'refused', user: true, message: 'short: the file is too short to be a kernel', detail: '' },
  ]);
  const broken = new Bench(() => {
    throw new TypeError('oops');
  });
  broken.tell({ type: 'boot', config: config(), paused: false });
  const [refused] = broken.of('refused');
  assert.equal(refused?.user, false);
  assert.match(refused?.detail ?? '', /TypeError: oops\n/);
  assert.ok(new UserError('x') instanceof Error);
});

test('pausing stops time, resuming goes on', () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config(), paused: false });
  bench.turn(5);
  bench.tell({ type: 'pause' });
  const { status } = bench.of('status').at(-1)!;
  assert.equal(status.state, 'paused');
  bench.turn(5);
  assert.ok(bench.resting);
  bench.tell({ type: 'run' });
  bench.turn(60);
  bench.tell({ type: 'pause' });
  assert.ok(bench.of('status').at(-1)!.status.instructions > status.instructions);
});

test('a triple fault is reported once, with its place', () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config(), paused: false });
  bench.turn(2);
  bench.type('crash\r');
  bench.turn(5);
  const stops = bench.of('stopped');
  assert.equal(stops.length, 1);
  assert.equal(stops[0]!.stop.kind, 'triple-fault');
  assert.match(stops[0]!.location?.file ?? '', /fault\.c$/);
  assert.equal(bench.of('status').at(-1)!.status.state, 'stopped');
  assert.ok(bench.resting);
});

test('each domain has its console, its log, its symbols and its end', () => {
  const bench = new Bench(createMachine);
  const { image, cmdline, modules, memoryBytes } = config();
  const second = { id: 3, image, cmdline, modules, memoryBytes };
  bench.tell({ type: 'boot', config: config({ domains: [second, domain(5, DIES)] }), paused: false });
  const until = (said: () => boolean): void => {
    for (let turns = 0; turns < 2000 && !said(); turns++) bench.turn();
  };
  until(() => /tsubame> $/.test(bench.serial) && /tsubame> $/.test(bench.serialOf(3)));
  bench.type('echo to 3\r', 3);
  until(() => bench.serialOf(3).includes('\nto 3\r\n'));
  assert.match(bench.serialOf(3), /tsubame> echo to 3\r\nto 3\r\ntsubame> $/);
  assert.match(bench.serial, /tsubame> $/);
  assert.doesNotMatch(bench.serial, /to 3/);
  const [stopped, ...more] = bench.of('domainStopped');
  assert.deepEqual([stopped?.domain, stopped?.stop.kind, more.length], [5, 'triple-fault', 0]);
  assert.equal(bench.of('stopped').length, 0);
  const address = bench.ask({ name: 'lookup', symbol: 'page_fault' }) as number;
  const named = (of?: number): unknown =>
    (bench.ask({ name: 'locate', address, domain: of }) as SourceLocation).function;
  assert.deepEqual([named(), named(3), named(5)], ['page_fault', 'page_fault', undefined]);
  assert.deepEqual(bench.ask({ name: 'guestLog', domain: 5 }), { system: undefined, lines: [] });
});

test('a guest that only input can wake is not run until some comes', () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config(), paused: false });
  bench.turn(2);
  bench.type('wait\r');
  bench.turn(3);
  assert.ok(bench.resting);
  assert.equal(bench.of('status').at(-1)!.status.idle, true);
  bench.type('x');
  bench.turn();
  assert.match(bench.serial, /x$/);
});

test('a defect of the engine is told, not thrown', () => {
  const bench = new Bench((wanted) =>
    Object.assign(createSession(wanted), {
      run: () => {
        throw new RangeError('bug');
      },
    }),
  );
  bench.tell({ type: 'boot', config: config(), paused: false });
  bench.turn();
  assert.equal(bench.of('broken')[0]?.message, 'bug');
  assert.ok(bench.resting);
});

test('views are pushed only while somebody looks', () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config(), paused: false });
  bench.turn(50);
  assert.equal(bench.of('vmState').length + bench.of('vmcs').length, 0);
  bench.tell({ type: 'watch', views: ['vmState', 'vmcs'] });
  bench.turn(200);
  const state = bench.of('vmState').at(-1)!.view;
  const eip = state.domains[0]!.vcpus[0]!.registers.eip;
  assert.ok(state.locations[eip]?.function !== undefined);
  assert.ok(bench.of('vmcs').at(-1)!.view.fields.length > 80);
  bench.tell({ type: 'watch', views: [] });
  const count = bench.of('vmState').length;
  bench.turn(200);
  assert.equal(bench.of('vmState').length, count);
});

test('questions: windows, rows, find, symbols; activity by line', () => {
  const bench = new Bench();
  bench.tell({ type: 'boot', config: config(), paused: false });
  bench.turn(400);
  const { extent } = bench.of('status').at(-1)!.status;
  const window = bench.ask({ name: 'window', t0: extent.start, t1: extent.end + 1, pixels: 50 }) as TimelineWindow;
  const { lanes } = bench.of('booted')[0]!;
  const pageFault = lanes.find((lane) => lane.name.startsWith('Page fault'))!;
  assert.ok(window.lanes.includes(pageFault.code));
  const row = bench.ask({ name: 'find', lane: pageFault.code, from: -1, direction: 1 }) as {
    title: string;
    location: { function?: string };
    sequence: number;
  };
  assert.equal(row.title, 'Page fault (#PF)');
  assert.equal(row.location.function, 'page_fault');
  assert.equal((bench.ask({ name: 'rows', from: row.sequence, count: 7 }) as unknown[]).length, 7);
  const address = bench.ask({ name: 'lookup', symbol: 'page_fault' }) as number;
  assert.equal((bench.ask({ name: 'locate', address }) as { function: string }).function, 'page_fault');
  const line = bench
    .of('activity')
    .at(-1)!
    .lines.find(({ function: name }) => name === 'page_fault')!;
  assert.equal(line.reasons[0]!.name, 'Page fault (#PF)');
  assert.ok(line.functionLine! <= line.line);
});
