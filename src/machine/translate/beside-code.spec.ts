// Stores to pages with decoded code that go beside it: translated code makes them itself, and whatever else looks at the page sees them all the same.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { PageFlag } from '../cpu/page-flags.ts';
import { EAX, EBX, ECX, EDI, EDX, ESP } from '../cpu/state.ts';
import { LinearLayout } from '../memory.ts';

const word = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
const CODE = 0x1000;
const DATA = 0x1800;
/** inc dword [DATA]; mov [DATA+4], ecx; push ecx; pop eax; mov [DATA+8], cl; mov [DATA+10], cx; inc ecx; jmp CODE */
const LOOP = [
  [0xff, 0x05, ...word(DATA)],
  [0x89, 0x0d, ...word(DATA + 4)],
  [0x51, 0x58],
  [0x88, 0x0d, ...word(DATA + 8)],
  [0x66, 0x89, 0x0d, ...word(DATA + 10)],
  [0x41],
].flat();
const CODE_LOOP = [...LOOP, 0xeb, 256 - LOOP.length - 2];
const INSTRUCTIONS = 8;

for (const tiers of ['threaded', 'eager'] as const)
  describe(`stores beside code, ${tiers}`, () => {
    const machine = new BareProcessor(1 << 20, tiers);
    const { cpu, memory, processor } = machine;
    const { s, mmu } = cpu;
    /** Stores that TypeScript made. */
    let slow = 0;
    for (const name of ['storeSlow', 'hostWriteSlow'] as const) {
      const path = mmu[name].bind(mmu) as (...how: number[]) => number;
      mmu[name] = (...how: number[]): number => {
        slow++;
        return path(...how);
      };
    }
    const paged = (entry: (page: number) => number = (page) => (page << 12) | 3): void => {
      memory.write32(0x10000, 0x11003);
      for (let page = 0; page < 256; page++) memory.write32(0x11000 + page * 4, entry(page));
      s.cr3 = 0x10000;
      s.cr0 = 0x80010033;
      mmu.controlsChanged();
      cpu.modeDirty = true;
    };
    const begin = (): void => {
      machine.load(CODE, CODE_LOOP);
      s.eip = CODE;
      s.setGpr(ESP, 0x1f00);
      s.setGpr(ECX, 0);
    };
    const check = (rounds: number): void => {
      assert.equal(memory.read32(DATA), rounds);
      assert.equal(memory.read32(DATA + 4), rounds - 1);
      assert.equal(memory.read8(DATA + 8), (rounds - 1) & 0xff);
      assert.equal(memory.read16(DATA + 10), (rounds - 1) & 0xffff);
      assert.deepEqual([s.eip, s.gpr(EAX), s.gpr(ECX)], [CODE, rounds - 1, rounds]);
    };
    beforeEach(() => machine.reset());

    for (const paging of [false, true])
      it(`are made without TypeScript${paging ? ', with paging' : ''}`, () => {
        if (paging) paged();
        begin();
        machine.run(200 * INSTRUCTIONS);
        slow = 0;
        machine.run(500 * INSTRUCTIONS);
        check(700);
        assert.equal(slow, 0);
        assert.ok(mmu.pages.of[CODE >>> 12]! & PageFlag.code);
      });
    it('are noted where changed pages are', () => {
      begin();
      machine.run(200 * INSTRUCTIONS);
      mmu.pages.watchChanges();
      machine.run(INSTRUCTIONS);
      assert.deepEqual(mmu.pages.watchChanges(), [CODE >>> 12]);
      machine.run(INSTRUCTIONS);
      assert.deepEqual(mmu.pages.watchChanges(), [CODE >>> 12]);
      machine.run(100 * INSTRUCTIONS);
      check(302);
    });
    it('are seen by MONITOR', () => {
      begin();
      machine.run(200 * INSTRUCTIONS);
      mmu.pages.protect(CODE >>> 12, PageFlag.monitored);
      const { onMonitoredStore } = mmu.pages;
      const seen: number[] = [];
      mmu.pages.onMonitoredStore = (pa) => void seen.push(pa);
      machine.run(INSTRUCTIONS);
      mmu.pages.onMonitoredStore = onMonitoredStore;
      mmu.pages.unprotect(CODE >>> 12, PageFlag.monitored);
      assert.deepEqual(seen, [DATA, DATA + 4, 0x1efc, DATA + 8, DATA + 10]);
    });
    it('meet data breakpoints', () => {
      begin();
      machine.run(200 * INSTRUCTIONS);
      s.setDr(0, DATA + 8);
      s.setDr(7, 0x10402);
      cpu.modeDirty = true;
      machine.run(10 * INSTRUCTIONS);
      assert.deepEqual(
        machine.faults.map(({ vector, address, retired }) => [vector, address, retired]),
        [[1, 1, 200 * INSTRUCTIONS + 5]],
      );
    });
    it('fault in a page that may not be written, wherever linear memory puts it', () => {
      // Armed elsewhere, it leaves page walks to TypeScript.
      s.setDr(0, 0x9000);
      s.setDr(7, 0x10402);
      // The linear page whose number is that of the code in linear memory: its TLB word is zero.
      const linear = LinearLayout.ram + CODE;
      paged();
      memory.write32(0x10000 + (linear >>> 22) * 4, 0x12003);
      memory.write32(0x12000 + ((linear >>> 12) & 0x3ff) * 4, CODE | 1);
      begin();
      machine.run(200 * INSTRUCTIONS);
      // mov eax, [edi+800h]; mov [edi+800h], ebx; jmp $
      machine.load(0x3000, [0x8b, 0x87, ...word(0x800), 0x89, 0x9f, ...word(0x800), 0xeb, 0xfe]);
      s.setGpr(EDI, linear);
      s.eip = 0x3000;
      machine.run(100);
      assert.equal(s.gpr(EAX), 200);
      assert.deepEqual(
        machine.faults.map(({ vector, error, address }) => [vector, error, address >>> 0]),
        [[14, 3, linear + 0x800]],
      );
      assert.equal(memory.read32(DATA), 200);
    });
    it('hit code with their last byte', () => {
      // 1: mov [edi], edx; call 1040h; jmp 1b. 1040h: inc eax; ret
      const code = [0x89, 0x17, 0xe8, ...word(0x39), 0xeb, 0xf7];
      machine.load(CODE, code);
      machine.load(0x1040, [0x40, 0xc3]);
      s.setGpr(ESP, 0x8000);
      s.setGpr(EDI, DATA);
      s.eip = CODE;
      machine.run(100 * 5);
      s.setGpr(EDI, 0x103d);
      s.setGpr(EDX, 0x43123456); // inc ebx
      machine.run(100 * 5);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.eip], [100, 100, CODE]);
    });
    it('are ordinary ones soon after the code is gone', () => {
      begin();
      machine.run(200 * INSTRUCTIONS);
      // The loop goes on in another page.
      machine.load(0x3000, [...LOOP, 0xeb, 256 - LOOP.length - 2]);
      s.eip = 0x3000;
      processor.forgetCode(CODE >>> 12);
      machine.run(200 * INSTRUCTIONS);
      assert.equal(mmu.pages.of[CODE >>> 12]! & PageFlag.code, 0);
      slow = 0;
      machine.run(200 * INSTRUCTIONS);
      assert.equal(slow, 0);
      assert.equal(memory.read32(DATA), 600);
    });
  });
