// The guests that check themselves, the hypercall guest and the sample guest, under the hypervisor and on the bare machine. The same
// guests run in QEMU (test/guests): what they expect is the processor manual's, not ours.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Hypercalls } from '../../src/hypervisor/hypercalls.ts';
import type { Vcpu } from '../../src/hypervisor/vcpu.ts';
import { Kind, MASK_ALL } from '../../src/monitor/events.ts';
import { Errno, OBSERVE_OP_HYPERCALL, observeOp, type Observed } from '../../src/monitor/observe-op.ts';
import { RECORD_WORDS } from '../../src/monitor/record.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { buildGuest, missingCompiler, selfChecking } from '../guests/build.ts';
import { configOf, RunningGuest, TSUBAME } from './running-guest.ts';

const skip = missingCompiler() ?? false;
const PLACES = [
  { place: 'under the hypervisor', bare: false },
  { place: 'on the bare machine', bare: true },
] as const;
const PASSED = 33;

describe('self-checking guests', { skip }, () => {
  for (const guest of selfChecking) {
    for (const { place, bare } of PLACES) {
      it(`${guest} finds nothing wrong ${place}`, () => {
        const run = new RunningGuest(configOf(buildGuest(guest), { bare, cmdline: bare ? 'strict' : 'strict native' }));
        const stop = run.waitForStop();
        assert.deepEqual(run.output.match(/^FAIL.*$/gm), null, run.output);
        assert.equal(stop.kind, 'debug-exit', stop.message);
        assert.match(run.output, /\ndone: \d\d+ ok, 0 failed\n$/);
        assert.equal(stop.exitStatus, PASSED);
      });
    }
  }

  it('fpu with an error that no interrupt can answer ends, and names the place', () => {
    const stop = new RunningGuest(configOf(buildGuest('fpu'), { bare: true, cmdline: 'freeze' })).waitForStop();
    assert.equal(stop.kind, 'power-off');
    assert.match(stop.message, /^the guest waits for the interrupt of a floating-point error .* fpu\.c:\d+/);
  });

  for (const { place, bare } of PLACES) {
    it(`triple ends in a triple fault ${place}, and the events stay`, () => {
      const run = new RunningGuest(configOf(buildGuest('triple'), { bare }));
      const stop = run.waitForStop();
      assert.equal(stop.kind, 'triple-fault');
      assert.match(stop.message, /triple fault .*triple\.S:\d+ \(run\+0x[0-9a-f]+\)$/);
      assert.match(stop.details[0]!, /^#UD at triple\.S:\d+ \(run\+0x[0-9a-f]+\) 0x10[0-9a-f]{4}$/);
      assert.ok(stop.details.some((line) => line.startsWith('#DF')));
      const before = run.session.stateHash();
      run.session.run(1000);
      assert.equal(run.session.stateHash(), before);
      if (bare) return;
      const { records, next } = run.session.events(0, 1 << 20);
      assert.equal(next, run.session.counters().events.recorded);
      const kinds = Array.from({ length: next }, (_, i) => records[i * RECORD_WORDS]! & 0xffff);
      assert.equal(kinds.filter((kind) => kind === Kind['dom.shutdown']).length, 1);
      const reasons = kinds.flatMap((kind, i) => (kind === Kind['vmx.exit'] ? [records[i * RECORD_WORDS + 7]!] : []));
      assert.equal(reasons.at(-1), 2);
    });
  }
});

describe('observe_op from a guest', { skip }, () => {
  const calls = (changes: Parameters<typeof configOf>[1]): Map<string, string> => {
    const run = new RunningGuest(configOf(buildGuest('hypercall'), changes));
    assert.equal(run.waitForStop().exitStatus, PASSED);
    return new Map([...run.output.matchAll(/^(ring\d \w+) -> (\S+)/gm)].map(([, call, result]) => [call!, result!]));
  };

  it('works in ring 0 of domain 0, and is refused with EPERM in ring 3', () => {
    const results = calls({});
    assert.equal(results.size, 36);
    for (const [call, result] of results) if (call.startsWith('ring3')) assert.equal(result, '-1', call);
    const done = ['info', 'set_mask', 'get_mask', 'enable', 'marker', 'read_records', 'domain_counters', 'disable'];
    for (const name of done) assert.equal(results.get(`ring0 ${name}`), '0', name);
    for (const name of ['watch_memory', 'unwatch_memory', 'set_weight', 'set_policy', 'bad_operation', 'bad_hypercall'])
      assert.equal(results.get(`ring0 ${name}`), '-38', name);
    for (const name of ['bad_version', 'bad_size', 'bad_domain'])
      assert.equal(results.get(`ring0 ${name}`), '-22', name);
  });

  it('is refused with EPERM in every ring of another domain', () => {
    const results = calls({ domainId: 1 });
    assert.equal(results.size, 36);
    // A number that is no hypercall is that in every domain.
    for (const [call, result] of results) assert.equal(result, call === 'ring0 bad_hypercall' ? '-38' : '-1', call);
  });

  it('is refused for an address that is not memory', () => {
    assert.equal(calls({ cmdline: 'bad_pointer ring0' }).get('ring0 bad_pointer'), '-14');
  });

  it('is #UD on the bare machine, in both rings', () => {
    assert.deepEqual(
      [...calls({ bare: true, cmdline: 'info' })],
      [
        ['ring0 info', '#UD'],
        ['ring3 info', '#UD'],
      ],
    );
  });

  it('a marker reaches the record, and what the guest reads is what was recorded', () => {
    const run = new RunningGuest(configOf(buildGuest('hypercall'), { cmdline: 'ring0 marker info' }));
    assert.equal(run.waitForStop().exitStatus, PASSED);
    const { records, next } = run.session.events(0, 1 << 20);
    const markers = Array.from({ length: next }, (_, i) => i * RECORD_WORDS).filter(
      (at) => (records[at]! & 0xffff) === Kind['guest.marker'],
    );
    assert.deepEqual(
      markers.map((at) => [...records.subarray(at + 7, at + 12)]),
      [[0xa0, 0xa1, 0xa2, 0xa3, 0xa4]],
    );
  });

  it('is refused with EPERM for a domain that is not 0, by the same dispatcher', () => {
    const point = { look: () => undefined, icount: 0, cycles: 0, domain: 0, vcpu: 0, eip: 0, cr3: 0, cpl: 0 };
    const recorder = new Recorder(point, { mask: MASK_ALL });
    const observed: Observed = { recorder, domain: () => ({ instructions: 0, guestCycles: 0, weight: 256 }) };
    const hypercalls = new Hypercalls();
    hypercalls.register(OBSERVE_OP_HYPERCALL, 'observe_op', (caller) =>
      observeOp(
        observed,
        {
          domain: caller.domain.id,
          cpl: caller.cpl,
          readGuest: (_linear, bytes) => {
            const block = new Uint32Array(bytes / 4);
            block.set([1, 24]);
            return new Uint8Array(block.buffer);
          },
          writeGuest: () => true,
        },
        caller.args[0]!,
        caller.args[1]!,
      ),
    );
    /** EAX after VMCALL with observe_op's INFO. */
    const call = (domain: number, cpl: number): number => {
      const registers = [OBSERVE_OP_HYPERCALL, 0x1000, 0, 0, 0, 0, 0, 0];
      const state = {
        gpr: (n: number) => registers[n]!,
        setGpr: (n: number, value: number) => (registers[n] = value | 0),
      };
      hypercalls.dispatch({ domain: { id: domain }, cpl, machine: { state } } as unknown as Vcpu);
      return registers[0]!;
    };
    assert.equal(call(0, 0), 0);
    assert.equal(call(1, 0), -Errno.EPERM);
    assert.equal(call(1, 3), -Errno.EPERM);
    assert.equal(call(0, 3), -Errno.EPERM);
    assert.equal(call(32767, 0), -Errno.EPERM);
  });
});

for (const { place, bare } of PLACES) {
  describe(`tsubame ${place}`, () => {
    const started = (changes: Parameters<typeof configOf>[1] = {}) => {
      const run = new RunningGuest(configOf(TSUBAME, { bare, ...changes }));
      return { run, banner: run.boot() };
    };
    const freeFrames = (run: RunningGuest): number => Number(/frames: (\d+) of/.exec(run.command('mem'))?.[1]);

    it('boots and tells each step, on the serial line and on the screen', () => {
      const { run, banner } = started({ cmdline: 'one two=2' });
      assert.match(banner, /tsubame 1\.0/);
      assert.match(banner, /memory: 65\d\d\d KiB usable/);
      assert.match(banner, /command line: \S+ one two=2\n/);
      for (const step of ['console', 'gdt', 'idt', 'pic', 'frames', 'paging', 'pit', 'keyboard', 'shell']) {
        assert.match(banner, new RegExp(`^\\[ ok \\] ${step}`, 'm'));
        assert.match(run.session.vgaText(), new RegExp(`^\\[ ok \\] ${step}`, 'm'));
      }
      assert.match(run.session.vgaText(), /^tsubame>$/m);
      assert.doesNotMatch(banner, /\[ -- \]/);
    });

    it('runs every command that returns', () => {
      const { run } = started();
      assert.match(run.command('help'), /^fork N +forks N children/m);
      assert.equal(run.command('echo  hello   world'), 'hello   world\n');
      assert.equal(run.command(''), '');
      assert.equal(run.command('xyz'), 'xyz: no such command, try help\n');
      assert.match(
        run.command('ps'),
        /^ +0 +0 runnable .* idle\n +1 +0 sleeping .* shell\n +\d+ +1 runnable .* ps\n$/m,
      );
      assert.match(run.command('uptime'), /^up \d+\.\d\d s, \d+ ticks \(\d+ idle\), \d+ context switches\n$/);
      assert.match(run.command('cpu'), /^vendor: \w{12}\nfamily \d+, model \d+, stepping \d+\nfeatures: fpu /);
      assert.equal(run.command('primes 1000'), 'primes: 168 up to 1000\n');
    });

    it('sleeps as long as it says, by virtual time', () => {
      const { run } = started();
      const before = run.session.counters().virtualSeconds;
      assert.equal(run.command('sleep 3000'), '');
      const slept = run.session.counters().virtualSeconds - before;
      assert.ok(slept >= 3 && slept < 3.1, `${slept} s`);
    });

    it('forks, faults and kills without losing memory', () => {
      const { run } = started();
      run.command('fork 3');
      const before = freeFrames(run);
      assert.equal(run.command('fork 200'), 'fork: 200 children, all waited for\n');
      assert.equal(run.command('touch 1000'), 'touch: 1000 pages, 1000 page faults\n');
      const crash = /^crash\[\d+\]: page fault: bad write, address 00000000, eip 4000[0-9a-f]{4}: killed\n$/;
      assert.match(run.command('crash'), crash);
      assert.equal(freeFrames(run), before);
    });

    it('kills the process that runs out of memory, and only that', () => {
      const { run } = started({ memoryBytes: 8 << 20 });
      assert.match(run.command('touch 4000'), /^touch\[\d+\]: out of memory.*killed\n$/);
      assert.equal(run.command('touch 100'), 'touch: 100 pages, 100 page faults\n');
    });

    it('preempts a process that never gives up the processor', () => {
      const { run } = started();
      assert.match(run.command('primes 100000000 &'), /^\[\d+\] started\n$/);
      run.command('sleep 100');
      assert.match(run.command('ps'), /(\d+) +1 runnable +\d+ +\d+ primes\n/);
    });

    it('edits the line, and keeps what is typed ahead', () => {
      const { run } = started();
      assert.match(run.last('ecjo\x7f\x7fho a', /\ntsubame> $/), /\na\n/);
      assert.match(run.last('garbage\x15echo c', /\ntsubame> $/), /\nc\n/);
      const ahead = run.last('primes 100000\recho d\recho e', /\ntsubame> e\ntsubame> $/);
      assert.match(ahead, /^primes: 9592 up to 100000\n/m);
      assert.doesNotMatch(ahead, /no such command/);
    });

    it('panics with registers and a backtrace', () => {
      const { run } = started();
      const text = run.last('panic', /\nhalted\n$/);
      assert.match(text, /KERNEL PANIC: invalid opcode, error code 00000000\nprocess panic\[\d+\]/);
      assert.match(text, /^eip 0010[0-9a-f]{4} {2}cs {2}00000008 {2}eflags 000100[0-9a-f]{2}$/m); // RF: it was a fault
      assert.match(text, /^backtrace:\n( {2}#\d 0010[0-9a-f]{4}\n){4}/m);
    });

    for (const [command, kind] of [
      ['poweroff', 'debug-exit'],
      ['reboot', 'reset'],
      ['triple', 'triple-fault'],
      ['hlt', 'power-off'],
    ] as const) {
      it(`stops with ${kind} on ${command}`, () => {
        const { run } = started();
        run.type(`${command}\r`);
        const stop = run.waitForStop();
        assert.equal(stop.kind, kind, stop.message);
        assert.equal(stop.exitStatus, kind === 'debug-exit' ? PASSED : undefined);
        if (kind === 'triple-fault') {
          assert.match(stop.message, /machine\.c:\d+ \(machine_triple_fault\+0x[0-9a-f]+\)$/);
          assert.match(stop.details[0]!, /^#BP at machine\.c:\d+ /);
        }
        if (!bare) assert.ok(run.session.counters().events.recorded > 5000);
      });
    }
  });
}
