// The conventions of the format that no generated file can show: events in real mode with and without `fault`, memory outside the
// areas, segments in `in`, software interrupts in user32.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCase, parseHeader, type Case } from './format.ts';
import { VectorRunner } from './runner.ts';

const header = (context: string, code = 0x1000): string =>
  JSON.stringify({
    format: 'ia32-vectors',
    version: 1,
    origin: 'spec',
    context,
    code: [code, 256],
    data: [0x4000, 4096],
    stack: [0x8000, 4096],
  });
const runner = (context: string, code?: number): VectorRunner =>
  new VectorRunner(parseHeader(header(context, code)), false);
const run = (on: VectorRunner, test: Partial<Case>): string | undefined =>
  on.run(parseCase(JSON.stringify({ name: 'spec', in: {}, out: {}, ...test })));

describe('real16: events', () => {
  const real = runner('real16');
  // Vector 21h at 84h: 2000:1234. The stack gets FLAGS, CS, IP.
  const before = { esp: 0x8100, eflags: 0x202, mem: [[0x84, '34120020']] } as const;
  const entered = { eip: 0x1234, cs: 0x2000, esp: 0x80fa, eflags: 2 };
  const frame = [[0x80fa, '021000000202']] as const;

  it('INT n without fault goes through the vector table', () => {
    assert.equal(run(real, { bytes: 'cd21', in: before, out: { ...entered, mem: frame } }), undefined);
  });
  it('and is noticed where it does not', () => {
    assert.match(run(real, { bytes: 'cd21', in: before, out: { eip: 0x1002 } })!, /esp|eip/);
    assert.match(
      run(real, { bytes: 'cd21', in: before, out: { ...entered, mem: [[0x80fa, '001000000202']] } })!,
      /memory 80fa/,
    );
  });
  it('INT n with fault: behind it, at it, or in the handler', () => {
    const fault = { vector: 0x21 };
    for (const out of [{ eip: 0x1002 }, { eip: 0x1000 }, { ...entered, mem: frame }])
      assert.equal(run(real, { bytes: 'cd21', in: before, out, fault }), undefined);
    assert.match(
      run(real, { bytes: 'cd21', in: before, out: { eip: 0x1002 }, fault: { vector: 0x20 } })!,
      /^vector 33, expected 32/,
    );
    assert.match(run(real, { bytes: 'cd21', in: before, out: { eip: 0x1001 }, fault })!, /^eip/);
  });
  it('a fault: at the instruction with fault, in the handler without', () => {
    const divide = { ...before, mem: [[0, '34120020']] } as const;
    const at = [[0x80fa, '001000000202']] as const;
    // DIV CL by 0.
    assert.equal(run(real, { bytes: 'f6f1', in: divide, out: { eip: 0x1000 }, fault: { vector: 0 } }), undefined);
    assert.equal(run(real, { bytes: 'f6f1', in: divide, out: { ...entered, mem: at } }), undefined);
    assert.equal(
      run(real, { bytes: 'f6f1', in: divide, out: { ...entered, mem: at }, fault: { vector: 0 } }),
      undefined,
    );
    assert.match(run(real, { bytes: 'f6f1', in: divide, out: { eip: 0x1002 } })!, /esp/);
  });
  it('an error code is not asked: real mode has none', () => {
    const limit = { bytes: '67a1ffff0000', in: before, out: { eip: 0x1000 } } as const;
    assert.equal(run(real, { ...limit, fault: { vector: 13, error: 0 } }), undefined);
    assert.equal(run(real, { ...limit, fault: { vector: 13 } }), undefined);
  });
});

describe('real16: memory and segments', () => {
  const real = runner('real16');
  it('outside the areas there is memory: zero, or as in.mem says; out.mem is compared', () => {
    // MOV EAX, [BX]; MOV [BX], AX.
    assert.equal(run(real, { bytes: '8b07', in: { ebx: 0xa000, eax: 1 }, out: { eip: 0x1002, eax: 0 } }), undefined);
    const mem = [[0xa000, '1122']] as const;
    assert.equal(run(real, { bytes: '8b07', in: { ebx: 0xa000, mem }, out: { eip: 0x1002, eax: 0x2211 } }), undefined);
    const store = { bytes: '8907', in: { ebx: 0xa000, eax: 0x2211 } } as const;
    assert.equal(run(real, { ...store, out: { eip: 0x1002, mem } }), undefined);
    assert.match(run(real, { ...store, out: { eip: 0x1002, mem: [[0xa000, '1123']] } })!, /memory a001/);
    assert.equal(run(real, { bytes: '8b07', in: { ebx: 0xa000 }, out: { eip: 0x1002 } }), undefined, 'nothing is left');
  });
  it('a segment register in `in` gives its base; unlisted ones must not change', () => {
    const load = { bytes: '8b07', in: { ds: 0x400, ebx: 8, mem: [[0x4008, '3412']] } } as const;
    assert.equal(run(real, { ...load, out: { eip: 0x1002, eax: 0x1234 } }), undefined);
    // MOV ES, BX.
    assert.equal(run(real, { bytes: '8ec3', in: { ebx: 0x123 }, out: { eip: 0x1002, es: 0x123 } }), undefined);
    assert.match(run(real, { bytes: '8ec3', in: { ebx: 0x123 }, out: { eip: 0x1002 } })!, /^es 123, expected 0/);
  });
  it('A20 is open: FFFF:0010 is the first byte above 1 MiB', () => {
    const mem = [[0x100000, '78']] as const;
    const load = { bytes: '8a07', in: { ds: 0xffff, ebx: 0x10, mem } } as const;
    assert.equal(run(real, { ...load, out: { eip: 0x1002, eax: 0x78 } }), undefined);
  });
  it('what real mode cannot reach is a mistake of the file', () => {
    assert.throws(
      () => run(real, { bytes: '90', in: { mem: [[0x110000, '00']] } }),
      /0x110000, 1 bytes, which real mode/,
    );
  });
  it('CS in `in`: EIP is the offset of the code area', () => {
    assert.equal(run(real, { bytes: '90', in: { cs: 0x80 }, out: { eip: 0x801 } }), undefined);
  });
});

describe('user32', () => {
  const user = runner('user32', 0x40_0000);
  it('INT 3 and INT 4 are let through by their gates, all others are #GP', () => {
    for (const vector of [3, 4])
      assert.equal(run(user, { bytes: `cd0${vector}`, out: { eip: 0x40_0002 }, fault: { vector } }), undefined);
    const refused = { vector: 13, error: 8 * 0x80 + 2 };
    assert.equal(run(user, { bytes: 'cd80', out: { eip: 0x40_0000 }, fault: refused }), undefined);
  });
  it('what the file has wrong is said', () => {
    assert.throws(() => run(user, { bytes: '90', in: { mem: [[0x9999_0000, '00']] } }), /names memory at 0x99990000/);
    assert.throws(() => run(user, { bytes: '9' }), /odd number/);
    assert.throws(() => run(user, { bytes: 'zz' }), /"zz"/);
    assert.throws(() => runner('long64'), /context "long64"/);
  });
});
