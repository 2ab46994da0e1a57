// Observation does not disturb: the guest's state, hash for hash, is the same with no event recorded, with all of them and with some,
// however the run is sliced; and a recorder that does disturb the guest is found out, so the comparison means something.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Recorder, type RecorderOptions } from '../../src/monitor/recorder.ts';
import { createSession, type MakeRecorder } from '../../src/workers/engine-session.ts';
import type { BootConfig } from '../../src/workers/session.ts';
import { flatLinux, missingXz } from './flat-linux.ts';
import { linuxGuest } from './linux-guest.ts';
import { configOf, TSUBAME } from './running-guest.ts';

/** An odd mixture: both words of the mask, halves of pairs that belong together. */
const SOME = ['vmx.exit.info', 'shadow.fault', 'mem.cr3', 'pit.tick', 'irq.inject', 'io.pio', 'sched.runstate'];

interface Run {
  readonly hashes: readonly string[];
  readonly last: string;
  readonly output: string;
  readonly instructions: number;
  readonly recorded: number;
}

interface Plan {
  readonly config: BootConfig;
  /** Typed before the first instruction. */
  readonly input: string;
  readonly limit: number;
  /** Lengths of the slices, repeated; one slice if empty. */
  readonly slices?: readonly number[];
  readonly makeRecorder?: MakeRecorder;
}

const run = ({ config, input, limit, slices = [], makeRecorder }: Plan): Run => {
  const session = createSession(config, makeRecorder);
  session.typeSerial(new TextEncoder().encode(input));
  const decoder = new TextDecoder('latin1');
  let output = '';
  for (let i = 0; session.stop === undefined; i++) {
    const { instructions } = session.counters();
    const left = limit - instructions;
    if (left <= 0) break;
    session.run(Math.min(left, slices[i % slices.length] ?? left));
    output += decoder.decode(session.takeSerial());
  }
  const { instructions, events } = session.counters();
  return { hashes: session.stateHashes, last: session.stateHash(), output, instructions, recorded: events.recorded };
};

/** Takes a cycle of the guest's time for each VM exit it records: what a monitor inside the guest's world cannot help. */
class DisturbingRecorder extends Recorder {
  constructor(
    point: ConstructorParameters<typeof Recorder>[0],
    options: RecorderOptions,
    private readonly clock: { readonly now: number; set(cycles: number): void },
  ) {
    super(point, options);
  }
  override vmExit(...exit: Parameters<Recorder['vmExit']>): void {
    super.vmExit(...exit);
    if (this.mask.low !== 0) this.clock.set(this.clock.now + 1);
  }
}
const disturbing: MakeRecorder = (point, options, clock) => new DisturbingRecorder(point, options, clock);

const same = (a: Run, b: Run): void => {
  const differs = a.hashes.findIndex((hash, i) => hash !== b.hashes[i]);
  assert.equal(differs, -1, `hash ${differs} of ${a.hashes.length} differs`);
  assert.equal(a.hashes.length, b.hashes.length);
  assert.equal(a.last, b.last);
  assert.equal(a.output, b.output);
  assert.equal(a.instructions, b.instructions);
};

const shell = (changes: Partial<BootConfig> = {}): Plan => ({
  config: configOf(TSUBAME, { stateHashEvery: 100_003, ...changes }),
  input: 'fork 20\rtouch 100\rprimes 5000 &\rsleep 50\rps\rcrash\recho end\rpoweroff\r',
  limit: 50_000_000,
});

describe('tsubame', () => {
  const quiet = run(shell({ observe: 'none' }));

  it('runs its script', () => {
    assert.match(quiet.output, /fork: 20 children[^]*primes: 669 up to 5000[^]*killed[^]*power off/);
    assert.ok(quiet.hashes.length >= 20, `${quiet.hashes.length} hashes`);
    assert.equal(new Set(quiet.hashes).size, quiet.hashes.length);
    assert.equal(quiet.recorded, 0);
  });
  for (const [name, observe] of [
    ['everything', 'all'],
    ['some of it', SOME],
    ['only what the mask has last', ['run.hash']],
  ] as const) {
    it(`is the same with ${name} observed`, () => {
      const observed = run(shell({ observe }));
      same(quiet, observed);
      assert.equal(observed.recorded > 1000, name !== 'only what the mask has last');
    });
  }
  it('is the same however the run is sliced', () => {
    // From single instructions to all at once.
    const slices = fc.array(fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 3_000_000 })), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(
        slices.filter((s) => s.reduce((a, b) => a + b) / s.length > 1500),
        (lengths) => same(quiet, run({ ...shell(), slices: lengths })),
      ),
      { numRuns: 8, seed: 20260401 },
    );
  });
  it('is the same on the bare machine however the run is sliced', () => {
    const whole = run(shell({ bare: true }));
    same(whole, run({ ...shell({ bare: true }), slices: [777, 12_345, 1, 999_999] }));
  });
  it("is found out when the recorder takes the guest's time", () => {
    const disturbed = run({ ...shell(), makeRecorder: disturbing });
    assert.notDeepEqual(disturbed.hashes, quiet.hashes);
    assert.notEqual(disturbed.hashes[0], quiet.hashes[0]);
    // With nothing to record it disturbs nothing: the difference comes from recording alone.
    same(quiet, run({ ...shell({ observe: 'none' }), makeRecorder: disturbing }));
  });
});

describe('Linux', { skip: missingXz() ?? false }, () => {
  const guest = linuxGuest();
  const skip = guest === undefined ? "Debian's kernel is not to be had here" : false;
  const image = skip === false ? flatLinux(readFileSync(guest!.kernel)) : new Uint8Array();
  const linux = (observe: BootConfig['observe'], more: Partial<Plan> = {}): Plan => ({
    config: configOf(TSUBAME, {
      image: { name: 'vmlinux', bytes: image },
      cmdline: 'console=ttyS0,115200 nokaslr cryptomgr.notests',
      initrd: { name: 'initramfs.cpio', bytes: guest!.initramfs('reboot') },
      observe,
      stateHashEvery: 20_000_000,
    }),
    input: '',
    limit: 2_000_000_000,
    ...more,
  });
  let quiet: Run | undefined;

  it('boots to its end with nothing observed', { skip }, () => {
    quiet = run(linux('none'));
    assert.match(quiet.output, /^@INIT[^]*^@DONE[^]*reboot: /m);
    assert.ok(quiet.hashes.length > 15, `${quiet.hashes.length} hashes`);
  });
  it('is the same with everything observed, in other slices', { skip }, () => {
    const observed = run(linux('all', { slices: [1_000_001, 37, 50_000_000] }));
    assert.ok(observed.recorded > 1_000_000);
    same(quiet!, observed);
  });
  it('is the same with some of it observed', { skip }, () => same(quiet!, run(linux(SOME, { slices: [33_333_333] }))));
  it("is found out when the recorder takes the guest's time", { skip }, () => {
    const disturbed = run({ ...linux('all'), makeRecorder: disturbing, limit: 100_000_000 });
    assert.notEqual(disturbed.hashes[0], quiet!.hashes[0]);
  });
});
