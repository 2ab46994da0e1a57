// Regions are given back to the host: more modules than one table is given to, and what becomes of the first table.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BareProcessor } from '../../../../test/support/bare-processor.ts';
import { EAX, ECX, EDI } from '../../cpu/state.ts';

describe('code that changes', () => {
  it('forms more regions than fit, is right, and holds no old table', async () => {
    const machine = new BareProcessor(1 << 20, 'eager');
    const { cpu, processor } = machine;
    const { s } = cpu;
    // 1000h: inc dword [edi]; add eax, imm32 (the doubleword that EDI points to); inc ecx; jmp 1000h
    machine.load(0x1000, [0xff, 0x07, 0x05, 0, 0, 0, 0, 0x41, 0xeb, 0xf6]);
    s.eip = 0x1000;
    s.setGpr(EDI, 0x1003);
    const table = new WeakRef(processor['module'].instance.table);
    const rounds = 1000;
    machine.run(4 * rounds);
    assert.deepEqual([s.gpr(ECX), s.gpr(EAX)], [rounds, (rounds * (rounds + 1)) / 2]);
    assert.ok(processor.regions.formed > rounds / 2, `${processor.regions.formed} regions`);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let i = 0; i < 10 && table.deref() !== undefined; i++) {
      await setImmediate();
      collect();
    }
    assert.equal(table.deref(), undefined);
  });
});
