// A debugger's stop points: the guest does not notice them (state hash by state hash, in both tiers, bare and under the hypervisor), and each is
// met where it says, as often as the guest comes there. The sample kernel and its shell are the guest.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DebugStop, StopDetail, StopPoint } from '../../src/debugger/target.ts';
import type { Tiers } from '../../src/machine/cpu/cpu.ts';
import { ExitReason } from '../../src/machine/vmx/exit-reasons.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { Session } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';

const LIMIT = 20_000_000;
const INPUT = 'fork 2\rtouch 40\rprimes 500 &\rsleep 20\rps\rcrash\recho end\rpoweroff\r';
/** Not a multiple of anything that the guest does. */
const EVERY = 60_013;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const start = (bare: boolean, tiers: Tiers, input = INPUT): Session => {
  const session = createSession(configOf(TSUBAME, { bare, tiers, observe: 'none', stateHashEvery: EVERY }));
  session.typeSerial(bytesOf(input));
  return session;
};
const symbol = (session: Session, name: string): number => {
  const address = session.lookup(name);
  assert.ok(address !== undefined, `the sample kernel has no ${name}`);
  return address;
};

interface Outcome {
  readonly hashes: readonly string[];
  readonly last: string;
  readonly output: string;
  readonly instructions: number;
}
const outcomeOf = (session: Session): Outcome => ({
  hashes: [...session.stateHashes],
  last: session.stateHash(),
  output: new TextDecoder('latin1').decode(session.takeSerial()),
  instructions: session.counters().instructions,
});
const plain = (bare: boolean): Outcome => {
  const session = start(bare, 'threaded');
  while (session.stop === undefined && session.counters().instructions < LIMIT) session.run(LIMIT);
  return outcomeOf(session);
};

interface Debugged extends Outcome {
  /** How often each point was met. */
  readonly met: ReadonlyMap<number, number>;
  readonly details: readonly StopDetail[];
}
const debugged = (session: Session, points: readonly StopPoint[], check?: (stop: DebugStop) => void): Debugged => {
  const met = new Map<number, number>();
  const details: StopDetail[] = [];
  session.debug.setPoints(points);
  for (;;) {
    const stop = session.debug.run(LIMIT);
    if (stop.kind === 'ended' || stop.kind === 'waiting') break;
    if (stop.kind !== 'point') continue;
    check?.(stop);
    for (const id of stop.ids) met.set(id, (met.get(id) ?? 0) + 1);
    if (stop.detail !== undefined && details.length < 1000) details.push(stop.detail);
  }
  return { ...outcomeOf(session), met, details };
};
const same = (a: Outcome, b: Outcome): void => {
  const differs = a.hashes.findIndex((hash, i) => hash !== b.hashes[i]);
  assert.equal(differs, -1, `hash ${differs} of ${a.hashes.length} differs`);
  for (const what of ['last', 'output', 'instructions'] as const) assert.equal(b[what], a[what]);
  assert.ok(a.hashes.length > 10);
};

const POINTS = {
  schedule: 1,
  tty: 2,
  ticks: 3,
  current: 4,
  stack: 5,
  pageFault: 6,
  irq: 7,
  uart: 8,
  exit: 9,
  int80: 10,
  isr80: 11,
} as const;
const pointsOf = (session: Session): StopPoint[] => [
  { id: POINTS.schedule, on: 'execute', address: symbol(session, 'schedule') },
  { id: POINTS.tty, on: 'execute', address: symbol(session, 'tty_write') },
  { id: POINTS.ticks, on: 'write', address: symbol(session, 'ticks'), bytes: 4 },
  { id: POINTS.current, on: 'change', address: symbol(session, 'current'), bytes: 4 },
  // Nothing is there; pages of the kernel's data that are used all the time are.
  { id: POINTS.stack, on: 'access', address: symbol(session, 'processes') + 0xff0, bytes: 9000 },
  { id: POINTS.pageFault, on: 'exception', vectors: [14] },
  { id: POINTS.irq, on: 'interrupt' },
  { id: POINTS.int80, on: 'interrupt', vectors: [0x80] },
  // The second instruction of its handler: a run that starts at the first one passes that.
  { id: POINTS.isr80, on: 'execute', address: symbol(session, 'isr_128') + 2 },
  { id: POINTS.uart, on: 'port', first: 0x3f8, last: 0x3f8, direction: 'out' },
  { id: POINTS.exit, on: 'exit', reasons: [ExitReason.CPUID, ExitReason.CR_ACCESS] },
];

for (const bare of [true, false])
  describe(bare ? 'on the bare machine' : 'under the hypervisor', () => {
    const undisturbed = plain(bare);
    const counts: ReadonlyMap<number, number>[] = [];
    for (const tiers of ['threaded', 'adaptive', 'eager'] as const)
      it(`stop points of every kind change nothing (${tiers})`, () => {
        const session = start(bare, tiers);
        const result = debugged(session, pointsOf(session));
        same(undisturbed, result);
        counts.push(result.met);
        for (const [name, id] of Object.entries(POINTS)) {
          if (bare && name === 'exit') continue;
          assert.ok((result.met.get(id) ?? 0) > 0, `${name} was never met`);
        }
        assert.equal(
          result.met.get(POINTS.int80),
          result.met.get(POINTS.isr80),
          'an INT n is delivered to its handler',
        );
        // Each character is an OUT, and one sets the divisor.
        assert.equal(result.met.get(POINTS.uart), result.output.length + 1);
      });
    it('and are met as often in each tier', () => {
      assert.deepEqual([...counts[1]!].sort(), [...counts[0]!].sort());
      assert.deepEqual([...counts[2]!].sort(), [...counts[0]!].sort());
    });

    it('single steps change nothing and end at every boundary', () => {
      const session = start(bare, 'adaptive');
      session.debug.setPoints([{ id: 1, on: 'interrupt' }]);
      session.debug.run(LIMIT);
      session.debug.run(LIMIT);
      session.debug.setPoints([]);
      let { position } = session.debug;
      for (let i = 0; i < 10_000; i++) {
        const stop = session.debug.run(1);
        const next = session.debug.position;
        assert.equal(stop.kind, 'limit');
        const retired = next.instructions - position.instructions;
        assert.ok(
          (retired === 1 && next.events === 0) || (retired === 0 && next.events === position.events + 1),
          `from ${JSON.stringify(position)} to ${JSON.stringify(next)}`,
        );
        position = next;
      }
      same(undisturbed, debugged(session, []));
    });

    it('a watchpoint tells the instruction, the bytes before and those behind', () => {
      const session = start(bare, 'adaptive');
      const ticks = symbol(session, 'ticks');
      const word = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      let seen = 0;
      session.debug.setPoints([{ id: 1, on: 'write', address: ticks, bytes: 4 }]);
      while (seen < 3) {
        const stop = session.debug.run(LIMIT);
        assert.ok(stop.kind === 'point' && stop.detail?.on === 'access');
        const { detail } = stop;
        assert.equal(detail.address, ticks);
        const memory = new Uint8Array(4);
        assert.equal(session.debug.guests[0]!.readMemory(ticks, memory), 4);
        assert.equal(word(memory), word(detail.after));
        assert.match(session.locate(detail.eip).function ?? '', /pit|timer|tick/);
        assert.notEqual(session.debug.guests[0]!.vcpu.read('eip'), detail.eip);
        assert.equal(word(detail.after), word(detail.before) + 1);
        seen++;
      }
    });

    it('a breakpoint stops before its instruction each time, and a run from it passes it once', () => {
      const session = start(bare, 'adaptive');
      const schedule = symbol(session, 'schedule');
      session.debug.setPoints([{ id: 7, on: 'execute', address: schedule }]);
      let last = -1;
      for (let i = 0; i < 20; i++) {
        const stop = session.debug.run(LIMIT);
        assert.deepEqual(stop, { kind: 'point', ids: [7], guest: 0 });
        assert.equal(session.debug.guests[0]!.vcpu.read('eip'), schedule);
        assert.ok(session.debug.position.instructions > last);
        last = session.debug.position.instructions;
      }
    });
    it('a breakpoint where a run came to its end is met by the next one, once', () => {
      const session = start(bare, 'adaptive');
      const { debug } = session;
      const before = debug.position.instructions;
      const points: StopPoint[] = [{ id: 7, on: 'execute', address: symbol(session, 'schedule') }];
      debug.setPoints(points);
      debug.run(LIMIT);
      const at = debug.position;
      debug.run(LIMIT);
      const next = debug.position;

      const other = start(bare, 'adaptive').debug;
      other.setPoints(points);
      assert.equal(other.run(at.instructions - before).kind, 'limit');
      assert.deepEqual(other.position, at);
      assert.equal(other.run(0).kind, 'limit');
      assert.equal(other.run(LIMIT).kind, 'point');
      assert.deepEqual(other.position, at);
      assert.equal(other.run(LIMIT).kind, 'point');
      assert.deepEqual(other.position, next);
    });
    it('but points that are set there do not stop it', () => {
      const { debug } = start(bare, 'adaptive');
      debug.run(100_000);
      const { position } = debug;
      debug.setPoints([{ id: 7, on: 'execute', address: debug.guests[0]!.vcpu.read('eip') }]);
      debug.run(1000);
      assert.notDeepEqual(debug.position, position);
    });

    it('memory and registers that a debugger writes are the guest’s', () => {
      const session = start(bare, 'adaptive', '');
      const { debug } = session;
      const write = symbol(session, 'serial_write');
      debug.setPoints([{ id: 1, on: 'execute', address: write }]);
      debug.run(LIMIT);
      const cpu = debug.guests[0]!.vcpu;
      // The function returns at once: 31 C0 C3.
      assert.equal(debug.guests[0]!.writeMemory(write, Uint8Array.of(0x31, 0xc0, 0xc3)), 3);
      assert.ok(cpu.write('ebx', 0x1234_5678));
      assert.ok(
        cpu.writeWide(
          'xmm3',
          Uint8Array.from({ length: 16 }, (_, i) => i),
        ),
      );
      assert.ok(!cpu.write('eax', 2 ** 32));
      const esp = cpu.read('esp');
      assert.equal(debug.run(1).kind, 'limit');
      assert.equal(cpu.read('eax'), 0);
      assert.equal(cpu.read('eip'), write + 2);
      assert.equal(debug.run(1).kind, 'limit');
      assert.equal(cpu.read('esp'), esp + 4);
      assert.equal(cpu.read('ebx'), 0x1234_5678);
      assert.equal(cpu.readWide('xmm3')[15], 15);
      debug.setPoints([]);
      debug.run(5_000_000);
      assert.equal(session.takeSerial().length, 0);
    });
  });
