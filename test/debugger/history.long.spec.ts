// A thousand moments of long recordings, of the sample kernel and of a minute of Linux: each has the state of a straight run stopped there. What the
// way to them takes on this host is told, not asserted.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSession } from '../../src/workers/engine-session.ts';
import type { BootConfig, Session } from '../../src/workers/session.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { finish, randomly, record, straight, type Typed } from './travels.ts';

const TARGETS = 500;
const LINES = [
  'fork 20\r',
  'touch 200\r',
  'primes 20000 &\r',
  'ps\r',
  'sleep 20\r',
  'crash\r',
  'fork 9\r',
  'primes 30000\r',
  'echo end\r',
];

interface Recording {
  readonly session: Session;
  readonly typed: readonly Typed[];
}

const travels = (config: BootConfig, { session, typed }: Recording, random: () => number, count: number): void => {
  const { history } = session.debug;
  const targets = Array.from({ length: count }, () => Math.floor(random() * history.newest.instructions));
  const ascending = [...targets].sort((a, b) => a - b);
  const expected = straight(config, typed, ascending);
  const times: { readonly wall: number; readonly processor: number }[] = [];
  for (const target of targets) {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    finish(history.travel({ instructions: target, events: 0 }));
    const { user, system } = process.cpuUsage(cpu);
    times.push({ wall: performance.now() - began, processor: (user + system) / 1000 });
    assert.equal(session.stateHash(), expected[ascending.indexOf(target)], `at ${target}`);
  }
  const seconds = Math.round((history.newest.cycles ?? 0) / 1e9);
  console.log(
    `${history.newest.instructions} instructions in ${seconds} s of virtual time, ${history.bytes >> 20} MiB`,
  );
  for (const kind of ['wall', 'processor'] as const) {
    const sorted = times.map((time) => time[kind]).sort((a, b) => a - b);
    const at = (share: number): string => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(0);
    console.log(
      `${count} moments, ${kind} time: half within ${at(0.5)} ms, 95 % within ${at(0.95)} ms, all within ${at(1)} ms`,
    );
  }
};

describe('a thousand moments', () => {
  for (const bare of [true, false])
    it(bare ? 'of the bare machine' : 'under the hypervisor', () => {
      const config = configOf(TSUBAME, {
        bare,
        memoryBytes: 64 << 20,
        observe: 'none',
        record: { limit: 512 << 20 },
      });
      const random = randomly(17);
      travels(config, record(config, LINES, 400_000_000, random), random, TARGETS);
    });
});

/** Programs, pipes, files, a sleep now and then; without an end. */
const INIT = `#!/bin/sh
mount -t proc proc /proc
i=0
while true; do
  i=$((i + 1))
  seq 1 3000 | sort -n | busybox md5sum > /dev/null
  cat /proc/interrupts /proc/meminfo | wc -l
  busybox dd if=/dev/zero of=/tmp bs=4096 count=200 2> /dev/null
  busybox rm -f /tmp
  busybox usleep 20000
done
`;
const RECORDED_MS = 60_000;
const LINUX_TARGETS = 300;

const guest = linuxGuest();
describe('a minute of Linux', { skip: guest === undefined ? "Debian's kernel is not to be had here" : false }, () => {
  it('is gone through in all directions', () => {
    const config = configOf(guest!.kernel, {
      initrd: { name: 'initramfs', bytes: guest!.initramfsOf(INIT) },
      cmdline: 'console=ttyS0,115200 cryptomgr.notests',
      memoryBytes: 128 << 20,
      bare: true,
      observe: 'none',
      record: { limit: 512 << 20 },
    });
    const session = createSession(config);
    const ran = (): number => {
      const { user, system } = process.cpuUsage(cpu);
      return (user + system) / 1000;
    };
    const cpu = process.cpuUsage();
    // Of the processor's time: what else runs on the host makes it no shorter.
    while (ran() < RECORDED_MS && session.stop === undefined) session.run(20_000_000, 20_000_000);
    assert.match(new TextDecoder('latin1').decode(session.takeSerial()), /Run \/init as init process/);
    travels(config, { session, typed: [] }, randomly(23), LINUX_TARGETS);
  });
});
