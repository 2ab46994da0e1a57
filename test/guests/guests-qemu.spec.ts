// The test guests in QEMU: what a guest checks by itself must hold there too, or the guest is wrong (README.md of this folder
// lists where QEMU 7.2 is; those checks need the word `strict`).
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { buildFirmware, buildGuest, missingCompiler, selfChecking, type Guest } from './build.ts';
import { missingQemu, Qemu } from './qemu.ts';

const skip = missingCompiler() ?? missingQemu() ?? false;

async function run(file: string, options: ConstructorParameters<typeof Qemu>[1] = {}) {
  const qemu = new Qemu(file, options);
  try {
    const status = await qemu.status();
    return { status, output: qemu.output };
  } finally {
    await qemu.close();
  }
}

/** What fails with `strict` in QEMU 7.2, in order. */
const known = {
  interrupts: [
    'null-segment',
    'write-read-only',
    'write-code',
    'limit',
    'limit-expand-down',
    'external-gate-not-present',
  ],
  segments: [
    'ltr-null',
    'limits',
    'access-types',
    'access-null',
    'read-execute-only',
    'read-execute-only-cs',
    'stack-limits',
    'code-limit',
    'code-limit-same-code',
  ],
  debug: [
    'instruction-rep-once',
    'length-masks-address',
    'two-at-once',
    'rep-movs-last',
    'general-detect',
    'int1',
    'mov-ss-holds-data',
    'misaligned-read',
    'misaligned-word',
    'misaligned-write',
    'misaligned-modify',
    'misaligned-stack',
    'misaligned-quadword',
    'misaligned-string',
  ],
  gates: [
    'far-limit',
    'call-gates',
    'gate-limit',
    'gate-16-offset',
    'inner-stacks',
    'inner-stack-room',
    'ret-far-errors',
    'ret-far-16-errors',
    'outer-stacks',
    'same-stack-room',
  ],
  'interrupt-gates': [
    'gate-target-errors',
    'gate-16-offset',
    'interrupt-inner-stacks',
    'software-exceptions',
    'int1',
    'iret-errors',
    'iret-16-errors',
    'iret-stack-not-present',
  ],
  'virtual-8086': [
    'v86-handler-level',
    'v86-instructions',
    'v86-iret-limit',
    'v86-iret-limit-cs',
    'v86-iretd-limit',
    'v86-iretd-limit-eip',
  ],
  'double-faults': ['pairs'],
  tasks: ['refused', 'states', 'wrong-segments', 'trap-bit', 'trap-bit-eip', 'trap-bit-dr6'],
  v86: ['frame-rf', 'offset-beyond', 'word-at-end', 'stack-at-end', 'handler-at-ring-1'],
  realmode: [
    'small_limit',
    'small_limit_last',
    'limit_word',
    'limit_dword',
    'limit_address',
    'limit_stack',
    'limit_bp',
    'limit_pop',
    'limit_write',
    'jump_far_wide',
    'call_far_wide',
    'ret_far_wide',
    'iret_wide',
    'jump_wide',
    'jump_register_wide',
    'call_wide',
    'lods_limit',
    'lods-limit-si',
    'lods-limit-cx',
    'stos_limit',
    'stos-limit-di',
    'stos-limit-cx',
    'run-off',
    'run-across',
  ],
  prefixes: ['lock-refused', 'undefined-groups', 'prefixes-at-end', 'crossing-data'],
  'paging-pae': ['large-reserved-bit', 'reserved-address-bit', 'reserved-xd', 'pointer-registers', 'pointer-reserved'],
};

describe('test guests in QEMU', { skip }, () => {
  for (const guest of selfChecking) {
    it(`${guest} finds nothing wrong`, async () => {
      const { status, output } = await run(buildGuest(guest));
      assert.deepEqual(output.match(/^FAIL.*$/gm), null);
      assert.match(output, /\ndone: \d\d+ ok, 0 failed\n$/);
      assert.equal(status, 33);
    });
  }

  for (const [guest, deviations] of Object.entries(known)) {
    it(`${guest} finds QEMU's known deviations, says so and ends with status 35`, async () => {
      const { status, output } = await run(buildGuest(guest as Guest), { cmdline: 'strict' });
      const failures = [...output.matchAll(/^FAIL ([^:\n]+)/gm)].map((match) => match[1]);
      assert.deepEqual(failures, deviations);
      assert.equal(status, 35);
    });
  }

  it('hypercall gets #UD from VMCALL in both rings', async () => {
    const { status, output } = await run(buildGuest('hypercall'), { cmdline: 'info bad_hypercall' });
    const expected = ['ring0 info', 'ring3 info', 'ring0 bad_hypercall', 'ring3 bad_hypercall'];
    assert.equal(output, [...expected.map((call) => `${call} -> #UD`), 'done: 0 ok, 0 failed', ''].join('\n'));
    assert.equal(status, 33);
  });

  it('hypercall makes every call in both rings, or in the one that is named', async () => {
    const all = await run(buildGuest('hypercall'));
    assert.equal(all.output.match(/^ring0 /gm)?.length, 18);
    assert.equal(all.output.match(/^ring3 /gm)?.length, 18);
    const one = await run(buildGuest('hypercall'), { cmdline: 'ring3 enable marker' });
    assert.deepEqual(one.output.match(/^ring.*$/gm), ['ring3 enable -> #UD', 'ring3 marker -> #UD']);
  });

  it('firmware finds its ROM as it must be', async () => {
    const { status, output } = await run(buildFirmware(), { firmware: true });
    assert.match(output, /^(ok [\w-]+\n){19}$/);
    assert.equal(status, 33);
  });

  it('triple ends in a reset', async () => {
    const { status, output } = await run(buildGuest('triple'));
    assert.equal(output, 'triple\n');
    assert.equal(status, 0); // -no-reboot
  });
});
