// The self-checking guests in Bochs, with `strict`: Bochs checks what QEMU does not (segment limits, types, error codes), so it is the
// second judge of what a guest expects. README.md of this folder says where Bochs 2.7 itself deviates.
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Bochs, missingBochs } from './bochs.ts';
import { buildGuest, missingCompiler, selfChecking, type Guest } from './build.ts';

const skip = missingCompiler() ?? missingBochs() ?? false;

/** What fails with `strict` in Bochs 2.7, in order. */
const known: Partial<Record<Guest, readonly string[]>> = {
  // Its cache of decoded instructions does not know the limit of CS.
  segments: ['code-limit-same-code'],
  // Its IRET raises #NP for the stack segment.
  'interrupt-gates': ['iret-stack-not-present'],
  // It cuts EIP to 16 bits on the way into virtual-8086 mode, and loads it before the limit is looked at inside.
  'virtual-8086': ['v86-iret-limit', 'v86-iret-limit-cs', 'v86-iretd-limit-eip'],
  // It has no freeze: a waiting instruction raises IRQ 13 and goes on; FXRSTOR that faults has loaded something.
  fpu: [
    'fxrstor-changed-nothing',
    'irq13',
    'irq13-status',
    'irq13-before-the-instruction',
    'ignne-ends-with-the-error',
    'cleared-before-f0h',
    'f0h-without-an-error',
    'irq13-mmx',
    'irq13-mmx-eip',
    'frozen-takes-interrupts',
  ],
  // Its bus does not split wide accesses to byte-wide devices, and an absent device reads as 0.
  io: [
    'out-long',
    'in-long',
    'in-byte-keeps-eax',
    'in-word-keeps-eax',
    'nobody-byte',
    'nobody-word',
    'nobody-long',
    'insl',
    'outsl',
    'cmos-split',
  ],
};

describe('test guests in Bochs', { skip }, () => {
  for (const guest of selfChecking) {
    it(`${guest} finds nothing wrong${known[guest] === undefined ? '' : " but Bochs's known deviations"}`, async () => {
      const bochs = new Bochs(buildGuest(guest), { cmdline: 'strict' });
      try {
        const output = await bochs.waitFor(/\ndone: \d+ ok, \d+ failed\n/);
        const failures = [...output.matchAll(/^FAIL ([^:\n]+)/gm)].map((match) => match[1]);
        assert.deepEqual(failures, known[guest] ?? [], output);
        assert.match(output, /\ndone: \d\d+ ok, \d+ failed\n$/);
      } finally {
        await bochs.close();
      }
    });
  }

  it('triple ends in a shutdown', async () => {
    const bochs = new Bochs(buildGuest('triple'));
    try {
      assert.ok(await bochs.ends());
      assert.match(bochs.output, /^triple/);
      assert.match(bochs.complaints.at(-1)!, />>PANIC<< exception\(\): 3rd \(13\) exception with no resolution/);
    } finally {
      await bochs.close();
    }
  });
});
