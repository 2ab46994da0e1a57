// Several domains on one processor: each runs as it does alone, the processor is shared by weight and cap, one that ends leaves the others alone, and
// the whole is as deterministic as one domain is. xenalyze reads the run states of both.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CYCLES_PER_SECOND } from '../../src/machine/clock.ts';
import { domainAt, RECORD_WORDS } from '../../src/monitor/record.ts';
import type { Recorder } from '../../src/monitor/recorder.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { BootConfig, DomainConfig, Session, VcpuView } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { kansoku, readReport } from '../cli/kansoku.ts';
import { finish, randomly, record, straight } from '../debugger/travels.ts';
import { debianPackage } from '../oracles/debian-package.ts';
import { BUSY, DIES, domain, EXITS, HALTS, kernel, MEMORY } from './small-kernels.ts';

const main = (image: Uint8Array, domains: readonly DomainConfig[], more: Partial<BootConfig> = {}): BootConfig => ({
  image: { name: 'kernel-0', bytes: image },
  cmdline: '',
  modules: [],
  memoryBytes: MEMORY,
  cpu: 'core-duo',
  bare: false,
  observe: 'none',
  stateHashEvery: 0,
  domains,
  ...more,
});
const sample = (more: Partial<BootConfig> = {}): BootConfig => configOf(TSUBAME, { memoryBytes: MEMORY, ...more });
const further = (id: number, more: Partial<DomainConfig> = {}): DomainConfig => domain(id, sample().image.bytes, more);

const vcpu = (session: Session, id: number): VcpuView => session.domains().find((one) => one.id === id)!.vcpus[0]!;
const ran = (session: Session, id: number): number => vcpu(session, id).spent!.running;
const text = (session: Session, id?: number): string => new TextDecoder().decode(session.takeSerial(id));
const type = (session: Session, line: string, id?: number): void =>
  session.typeSerial(new TextEncoder().encode(line), id);

describe('domains', () => {
  it('each do what they do alone, whatever the others do', () => {
    const lines = ['fork 5\r', 'touch 60\r', 'primes 2000\r', 'crash\r', 'echo end\r'];
    /** What comes on each domain's line: first of the boot, then of one command after the other. */
    const said = (session: Session, ids: readonly number[], instructions: number): string[][] => {
      const answers = ids.map((): string[] => []);
      for (const line of [undefined, ...lines]) {
        if (line !== undefined) for (const id of ids) type(session, line, id);
        session.run(instructions);
        for (const [i, id] of ids.entries()) answers[i]!.push(text(session, id));
      }
      return answers;
    };
    const bytes = sample().image.bytes;
    const image = { name: 'tsubame.elf', bytes };
    const [expected] = said(createSession(sample({ observe: 'none' })), [0], 20_000_000);
    assert.match(expected!.at(-1)!, /^echo end\r\nend\r\ntsubame> $/);
    const others = [further(3, { image }), further(7, { image }), domain(9, BUSY)];
    const session = createSession(sample({ observe: 'none', domains: others }));
    for (const answers of said(session, [0, 3, 7], 400_000_000)) assert.deepEqual(answers, expected);
    assert.deepEqual(
      session.domains().map(({ id, name }) => [id, name]),
      [
        [0, 'tsubame.elf'],
        [3, 'tsubame.elf'],
        [7, 'tsubame.elf'],
        [9, 'kernel-9'],
      ],
    );
  });

  it('keep registers, x87 and SSE of their own', () => {
    // FNINIT; MOV EBX, n; MOV DR0, EBX; FLD1 or FLDPI; JMP itself.
    const keeps = (n: number, constant: number): Uint8Array =>
      kernel(0xdb, 0xe3, 0xbb, n, 0, 0, 0, 0x0f, 0x23, 0xc3, 0xd9, constant, 0xeb, 0xfe);
    const session = createSession(main(keeps(7, 0xe8), [domain(1, keeps(9, 0xeb)), domain(2, keeps(11, 0xee))]));
    const { vcpu: vcpu0 } = session.debug.guests[0]!;
    const st0 = (): number => new DataView(vcpu0.readWide('st0').buffer).getUint16(8, true);
    session.run(100_000_000);
    for (let i = 0; i < 20; i++) {
      session.run(17_000_000);
      assert.deepEqual(
        session.domains().map(({ vcpus }) => vcpus[0]!.registers.general.ebx),
        [7, 9, 11],
      );
      assert.deepEqual([vcpu0.read('ebx'), vcpu0.read('dr0'), st0()], [7, 7, 0x3fff], `after ${i} slices`);
    }
    assert.ok(vcpu0.write('ebx', 5));
    session.run(100_000_000);
    assert.equal(session.domains()[0]!.vcpus[0]!.registers.general.ebx, 5);
  });

  it('share the processor by their weights', () => {
    const session = createSession(main(BUSY, [domain(1, BUSY, { weight: 512 }), domain(2, BUSY, { weight: 128 })]));
    session.run(9_000_000_000);
    const total = session.counters().instructions;
    for (const [id, share] of [
      [0, 256 / 896],
      [1, 512 / 896],
      [2, 128 / 896],
    ] as const)
      assert.ok(Math.abs(ran(session, id) / total - share) < 0.02, `domain ${id}: ${ran(session, id) / total}`);
    assert.equal(ran(session, 0) + ran(session, 1) + ran(session, 2), total);
    const { spent } = vcpu(session, 2);
    assert.equal(spent!.running + spent!.runnable, total, 'who is ready and does not run waits');
  });

  it('get no more than their cap, even where nobody else wants the processor', () => {
    const session = createSession(main(HALTS, [domain(1, BUSY, { cap: 25 })]));
    session.run(100);
    assert.equal(session.stop?.kind, 'power-off');
    const capped = createSession(sample({ observe: 'none', domains: [domain(1, BUSY, { cap: 25 })] }));
    capped.run(100_000_000_000, 6_000_000_000);
    const seconds = capped.counters().virtualSeconds;
    assert.ok(seconds > 5.9, String(seconds));
    const share = ran(capped, 1) / (seconds * CYCLES_PER_SECOND);
    assert.ok(Math.abs(share - 0.25) < 0.02, String(share));
  });

  it('that wake go before those that burn their credits', () => {
    const session = createSession(sample({ observe: 'none', domains: [domain(1, BUSY)] }));
    session.run(600_000_000);
    type(session, 'echo boosted\r');
    const before = vcpu(session, 0).spent!.runnable;
    session.run(40_000_000);
    assert.match(text(session), /boosted\r\n.*boosted/s);
    // Without the boost each of its waits would end with the other's slice of 30 ms.
    assert.ok(vcpu(session, 0).spent!.runnable - before < 1_000_000, String(vcpu(session, 0).spent!.runnable - before));
  });

  it('that end leave the others alone; the session ends with the first', () => {
    const ends = [domain(1, EXITS), domain(2, HALTS), domain(3, DIES)];
    const session = createSession(sample({ domains: ends }));
    session.run(3_000_000);
    assert.deepEqual(
      session.domains().map(({ stop }) => stop?.kind),
      [undefined, 'debug-exit', 'power-off', 'triple-fault'],
    );
    assert.equal(session.domains()[1]!.stop!.exitStatus, 11);
    assert.match(session.domains()[3]!.stop!.message, /^triple fault at 0x100020/);
    type(session, 'echo alive\rpoweroff\r');
    session.run(20_000_000);
    assert.match(text(session), /alive\r\n.*alive/s);
    assert.equal(session.stop?.kind, 'debug-exit');
    const { instructions } = session.counters();
    session.run(1000);
    assert.equal(session.counters().instructions, instructions);
  });

  it('run the same in any slices, observed or not, in any tier', () => {
    const config = (more: Partial<BootConfig>): BootConfig =>
      sample({ domains: [further(1), domain(2, BUSY)], stateHashEvery: 1 << 20, ...more });
    const hashes = (more: Partial<BootConfig>, slices: readonly number[]): readonly string[] => {
      const session = createSession(config(more));
      for (const id of [0, 1]) type(session, 'fork 3\rtouch 30\rprimes 500\r', id);
      for (let i = 0, left = 50_000_000; left > 0; i++) {
        const slice = Math.min(left, slices[i % slices.length]!);
        session.run(slice);
        left -= slice;
      }
      return session.stateHashes;
    };
    const expected = hashes({ observe: 'none' }, [50_000_000]);
    assert.ok(expected.length > 46);
    assert.deepEqual(hashes({ observe: 'all' }, [50_000_000]), expected);
    assert.deepEqual(hashes({ observe: 'none' }, [777_777, 12_345_678, 1]), expected);
    assert.deepEqual(hashes({ observe: 'none', tiers: 'threaded' }, [20_000_001]), expected);
  });

  it('have their records counted apart, in the past too', () => {
    const session = createSession(
      sample({ domains: [domain(1, BUSY), further(2)], record: { limit: 256 << 20, every: 4_000_000 } }),
    );
    const { recorder } = session as unknown as { recorder: Recorder };
    const counted = (): readonly number[] => [0, 1, 2].map((id) => recorder.recordedOf(id));
    const stood = (): readonly number[] => {
      const { records } = recorder.recordsSoFar(0, Infinity);
      const counts = [0, 0, 0];
      for (let at = 0; at < records.length; at += RECORD_WORDS) counts[domainAt(records, at)]!++;
      return counts;
    };
    session.run(50_000_000);
    const middle = { ...session.debug.position, events: 0 };
    session.run(50_000_000);
    assert.deepEqual(counted(), stood());
    assert.ok(
      counted().every((count) => count > 10),
      String(counted()),
    );
    finish(session.debug.history.travel(middle));
    assert.deepEqual(counted(), stood());
    session.run(30_000_000);
    assert.deepEqual(counted(), stood());
  });

  it('travel in time together', () => {
    const config = sample({ domains: [further(1), domain(2, BUSY)], record: { limit: 256 << 20, every: 4_000_000 } });
    const random = randomly(5);
    const { session, typed } = record(config, ['fork 3\r', 'touch 30\r', 'primes 500 &\r'], 90_000_000, random);
    const { history } = session.debug;
    const targets = Array.from({ length: 12 }, () => Math.floor(random() * history.newest.instructions));
    const ascending = [...targets].sort((a, b) => a - b);
    const expected = straight(config, typed, ascending);
    for (const target of targets) {
      finish(history.travel({ instructions: target, events: 0 }));
      assert.equal(session.stateHash(), expected[ascending.indexOf(target)], `at ${target}`);
    }
  });

  it('are refused with a reason where they cannot be', () => {
    const refused = (config: BootConfig, reason: RegExp): void =>
      assert.throws(() => createSession(config), { name: 'UserError', message: reason });
    refused(sample({ bare: true, domains: [further(1)] }), /need the hypervisor/);
    refused(sample({ domains: [further(0)] }), /there is a domain 0 already/);
    refused(sample({ domains: [domain(1, Uint8Array.of(1, 2, 3))] }), /^kernel-1: /);
    refused(sample({ domains: [further(1, { memoryBytes: 5 })] }), /memory of 5 bytes/);
  });
});

describe('kansoku boot --domain', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'kansoku-domains-'));
  after(() => rmSync(scratch, { recursive: true }));
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(scratch, name), content);
    return join(scratch, name);
  };
  const json = (name: string, value: unknown): string => file(name, JSON.stringify(value));

  it('runs them, prints their lines, reports them; xenalyze reads who ran when', async () => {
    file('busy', BUSY);
    file('typed', 'echo from d1\r');
    const one = json('one.json', { image: TSUBAME, memory: '16M', name: 'second', weight: 512, input: 'typed' });
    const two = json('two.json', { image: 'busy', memory: '16M', id: 5 });
    const report = join(scratch, 'report');
    const trace = join(scratch, 'trace');
    const { status, stdout, stderr } = await kansoku([
      ...['boot', TSUBAME, '--memory', '16M', '--domain', one, '--domain', two, '--max-instructions', '400000000'],
      ...['--report', report, '--trace', trace],
    ]);
    assert.equal(status, 3, stderr);
    assert.match(stdout, /^\(d1\) .*from d1$/m);
    const { domains } = readReport(report) as unknown as { domains: readonly Record<string, unknown>[] };
    assert.deepEqual(
      domains.map(({ id, name, weight }) => [id, name, weight]),
      [
        [0, 'tsubame.elf', 256],
        [1, 'second', 512],
        [5, 'busy', 256],
      ],
    );
    assert.match(domains[1]!['serial'] as string, /from d1/);

    const folder = debianPackage('xen-utils-common');
    if (folder === undefined) return;
    const xen = join(scratch, 'xen');
    const exported = await kansoku(['trace', 'export', trace, '--format', 'xentrace', '--out', xen]);
    assert.equal(exported.status, 0, exported.stderr);
    const theirs = spawnSync(join(folder, 'usr/bin/xenalyze'), ['--cpu-hz', String(CYCLES_PER_SECOND), '-s', xen], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    assert.equal(theirs.status, 0, theirs.stderr);
    assert.doesNotMatch(theirs.stderr, /Strange|FATAL|Unexpected|Unknown|skew|invalid/i);
    for (const id of [0, 1, 5]) assert.match(theirs.stdout, new RegExp(`^\\|-- Domain ${id} --\\|$`, 'm'));
  });

  it('says what is wrong with a file', async () => {
    const cases: readonly (readonly [value: unknown, message: RegExp])[] = [
      [{}, /"image" is missing/],
      [[], /give one JSON object/],
      [{ image: TSUBAME, memroy: '1M' }, /there is no "memroy" of a domain; there are image, id/],
      [{ image: 5 }, /"image" must be a path/],
      [{ image: TSUBAME, id: 256 }, /"id" must be a whole number from 0 to 255/],
      [{ image: TSUBAME, weight: 0 }, /"weight" must be a whole number from 1 to 65535/],
      [{ image: TSUBAME, memory: 'much' }, /"memory": "much" is no size/],
      [{ image: 'nowhere' }, /nowhere: cannot read the image: no such file/],
      [{ image: TSUBAME, serial: 'loud' }, /"loud" is none of/],
      [{ image: TSUBAME, id: 0 }, /there is a domain 0 already/],
    ];
    for (const [value, message] of cases) {
      const { status, stderr } = await kansoku(['boot', TSUBAME, '--domain', json('bad.json', value)]);
      assert.equal(status, 2, JSON.stringify(value));
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    }
    const { status, stderr } = await kansoku(['boot', TSUBAME, '--domain', file('text.json', '{')]);
    assert.equal(status, 2);
    assert.match(stderr, /not JSON/);
  });
});
