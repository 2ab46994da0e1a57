// Self-modifying code and the links between decoded jumps: a store into code takes effect at the next instruction, wherever it hits.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP } from '../cpu/state.ts';

const word = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255];
/** mov byte [address], value */
const store8 = (address: number, value: number): number[] => [0xc6, 0x05, ...word(address), value];
const store32 = (address: number, value: number): number[] => [0xc7, 0x05, ...word(address), ...word(value)];
const INC_EAX = 0x40;
const INC_EBX = 0x43;
const INC_ECX = 0x41;

for (const tiers of ['threaded', 'eager'] as const)
  describe(`self-modifying code, ${tiers}`, () => {
    const machine = new BareProcessor(1 << 20, tiers);
    const { s } = machine.cpu;
    beforeEach(() => machine.reset());
    const at = (address: number, ...code: (number | number[])[]): void => {
      machine.load(address, code.flat());
      s.eip = address;
    };
    /** mov [edi], dl */
    const STORE = [0x88, 0x17];
    const aim = (address: number, value: number): void => {
      s.setGpr(EDI, address);
      s.setGpr(EDX, value);
    };
    // First decoded just before the store; then from code that ran many times before, its stores going elsewhere.
    for (const rounds of [0, 1, 50]) {
      const title = `, after ${rounds} rounds`;
      /** Runs the loop of `length` instructions without a hit, then aims at the code and clears the counters. */
      const prepare = (length: number, address: number, value: number): void => {
        const start = s.eip;
        aim(0x9000, 0);
        machine.run(rounds * length);
        assert.equal(s.eip, start);
        for (const r of [EAX, EBX, ECX]) s.setGpr(r, 0);
        aim(address, value);
      };
      it(`the next instruction of the same block${title}`, () => {
        at(0x1000, STORE, INC_EAX, INC_ECX, INC_ECX, [0xeb, 0xf9]);
        prepare(5, 0x1002, INC_EBX);
        machine.run(100);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.gpr(ECX)], [0, 20, 40]);
      });
      it(`64 bytes away in the same page${title}`, () => {
        at(0x1000, STORE, Array<number>(62).fill(0x90), INC_EAX, [0xeb, 0xbd]);
        prepare(65, 0x1040, INC_EBX);
        machine.run(650);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.eip], [0, 10, 0x1000]);
      });
      it(`the end of a block of which a region has but the beginning, then the beginning${title}`, () => {
        // SGDT [9100h] across the granules' border is a helper's alone: it ends the block, the region ends before it.
        const code = [INC_ECX, Array<number>(59).fill(0x90), [0x0f, 0x01, 0x05, ...word(0x9100)], INC_EAX, 0xc3];
        machine.load(0x1000, code.flat());
        s.setGpr(ESP, 0x8000);
        s.setGpr(ESI, 0x9000);
        machine.memory.write32(0x9200, 0x1000);
        // call [9200h], which no region takes in; mov [edi], dl; mov [esi], dl
        at(0x2000, [0xff, 0x15, ...word(0x9200)], STORE, [0x88, 0x16], [0xeb, 0xf4]);
        prepare(67, 0x1043, INC_EBX);
        s.setGpr(ESI, 0x1001);
        machine.run(670);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.gpr(ECX), s.eip], [1, 18, 10, 0x2000]);
      });
      it(`the end of such a block from its region, then the region itself${title}`, () => {
        // 1: add [edi], dl; mov [esi], dh; inc eax; dec ebp; jnz 1b; sgdt [9100h]; mov ebp, ecx; jmp [9200h], to 1b
        at(0x1000, [0x00, 0x17], [0x88, 0x36], INC_EAX, 0x4d, [0x75, 0xf8], [0x0f, 0x01, 0x05, ...word(0x9100)]);
        machine.load(0x100f, [0x89, 0xcd, 0xff, 0x25, ...word(0x9200)]);
        machine.memory.write32(0x9200, 0x1000);
        s.setGpr(ESI, 0x9000);
        s.setGpr(EBP, 10);
        s.setGpr(ECX, 10);
        s.eip = 0x1000;
        aim(0x9000, INC_EBX << 8);
        machine.run(rounds * 53);
        assert.equal(s.eip, 0x1000);
        for (const r of [EAX, EBX]) s.setGpr(r, 0);
        // The displacement of SGDT, then INC EAX.
        aim(0x100b, (INC_EBX << 8) | 1);
        s.setGpr(ESI, 0x1004);
        machine.run(10 * 53);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.eip], [0, 100, 0x1000]);
        assert.equal(machine.memory.read32(0x100b), 0x9100 + 100);
      });
      it(`leaves what lies elsewhere in the page as it was, and links to what goes${title}`, () => {
        // A call of a function 256 bytes on, whose second instruction the store changes; a third block lies between.
        s.setGpr(ESP, 0x8000);
        at(0x1000, STORE, [0xe8, 0xf9, 0x00, 0x00, 0x00], INC_ECX, [0xeb, 0xf6]);
        machine.load(0x1100, [INC_ECX, INC_EAX, 0xc3]);
        prepare(7, 0x1101, INC_EBX);
        machine.run(70);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.gpr(ECX), s.eip], [0, 10, 20, 0x1000]);
        aim(0x1101, INC_EAX);
        machine.run(70);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.gpr(ECX), s.eip], [10, 10, 40, 0x1000]);
      });
      it(`the second page of a page-crossing instruction${title}`, () => {
        // mov eax, imm32 over the border; the store changes the immediate's last byte.
        at(0x1ff9, STORE, [0x90, 0x90], [0xb8, 0x11, 0x22, 0x33, 0x44], [0x01, 0xc3], [0xeb, 0xf3]);
        prepare(6, 0x2001, 0x55);
        machine.run(6);
        assert.equal(s.gpr(EAX), 0x55332211);
        aim(0x2001, 0x66);
        machine.run(6);
        assert.equal(s.gpr(EAX), 0x66332211);
        aim(0x1fff, 0x77);
        machine.run(4);
        assert.equal(s.gpr(EAX), 0x66337711, 'and of the first page');
      });
      it(`the target of a linked jump, and the jump itself${title}`, () => {
        at(0x1020, INC_ECX, [0xeb, 0xdd]);
        at(0x1010, INC_EAX, STORE, [0xeb, 0xeb]);
        at(0x1000, [0xeb, 0x0e]);
        prepare(4, 0x1010, INC_EBX);
        machine.run(40);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [1, 9]);
        aim(0x1001, 0x1e);
        machine.run(4 + 30);
        assert.equal(s.gpr(ECX), 10);
      });
      it(`a page that another page jumps to${title}`, () => {
        at(0x3000, INC_EAX, [0xe9, ...word(0x1002 - 0x3006)]);
        at(0x1000, STORE, [0xe9, ...word(0x3000 - 0x1007)]);
        s.eip = 0x1000;
        machine.load(0x1002, [0xeb, 0x05]);
        machine.load(0x1009, [...STORE, 0xe9, ...word(0x3000 - 0x1010)]);
        // 1009: store; jmp 3000. 3000: inc eax; jmp 1002. 1002: jmp 1009.
        s.eip = 0x1009;
        prepare(5, 0x3000, INC_EBX);
        machine.run(50);
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [0, 10]);
      });
    }

    it('in a slice shorter than a block, at every length', () => {
      for (let slice = 1; slice <= 70; slice++) {
        machine.reset();
        at(0x1000, store8(0x1008, INC_EBX), 0x90, INC_EAX, [0xeb, 0xf5]);
        for (let left = 400; left > 0; left -= slice) machine.run(Math.min(slice, left));
        assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [0, 100], `slices of ${slice}`);
      }
    });
    it('through another linear address of the same page', () => {
      // Paging: 1000h and 5000h are the same page.
      const m = machine.memory;
      m.write32(0x10000, 0x11003);
      for (let page = 0; page < 32; page++) m.write32(0x11000 + page * 4, (page << 12) | 3);
      m.write32(0x11000 + 5 * 4, 0x1003);
      s.cr3 = 0x10000;
      s.cr0 = 0x80010033;
      machine.cpu.mmu.controlsChanged();
      machine.cpu.modeDirty = true;
      at(0x1000, INC_EAX, [0xeb, 0xfd]);
      machine.run(100);
      assert.equal(s.gpr(EAX), 50);
      at(0x3000, store8(0x5000, INC_EBX), [0xe9, ...word(0x1000 - 0x300c)]);
      machine.run(12);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [50, 5]);
    });
    it('an immediate that lies in two pages which are not neighbours', () => {
      const m = machine.memory;
      m.write32(0x10000, 0x11003);
      for (let page = 0; page < 32; page++) m.write32(0x11000 + page * 4, (page << 12) | 3);
      // 2000h is page 5.
      m.write32(0x11000 + 2 * 4, 0x5003);
      // 1: mov [edi], dl; mov eax, imm32; add ebx, eax; jmp 1b
      machine.load(0x1ffb, [...STORE, 0xb8, 0x11, 0x22]);
      machine.load(0x5000, [0x33, 0x44, 0x01, 0xc3, 0xeb, 0xf5]);
      machine.load(0x2000, [0x55, 0x66]);
      s.cr3 = 0x10000;
      s.cr0 = 0x80010033;
      machine.cpu.mmu.controlsChanged();
      machine.cpu.modeDirty = true;
      s.eip = 0x1ffb;
      aim(0x9000, 0);
      machine.run(400);
      const sum = (value: number): number => Math.imul(100, value) >>> 0;
      assert.equal(s.gpr(EBX) >>> 0, sum(0x44332211));
      s.setGpr(EBX, 0);
      aim(0x1ffe, 0x77);
      machine.run(400);
      assert.equal(s.gpr(EBX) >>> 0, sum(0x44332277));
      s.setGpr(EBX, 0);
      aim(0x2001, 0x88);
      machine.run(400);
      assert.equal(s.gpr(EBX) >>> 0, sum(0x88332277));
    });
    it('by other agents on the bus, before and after they tell', () => {
      // 1: mov eax, imm32; add ebx, eax; jmp 1b
      at(0x1000, [0xb8, 1, 0, 0, 0], [0x01, 0xc3], [0xeb, 0xf7]);
      machine.run(300);
      assert.equal(s.gpr(EBX), 100);
      const { pages } = machine.cpu.mmu;
      pages.noteStore(0x1001, 1);
      machine.memory.write8(0x1001, 2);
      machine.run(300);
      assert.equal(s.gpr(EBX), 300);
      machine.memory.write8(0x1001, 3);
      pages.noteStore(0x1001, 1, true);
      machine.run(300);
      assert.equal(s.gpr(EBX), 600);
    });
    it('an immediate behind a breakpoint and under a debugger', () => {
      // 1: mov [edi], edx; inc edx; mov eax, imm32; add ebx, eax; jmp 1b
      at(0x1000, [0x89, 0x17, 0x42], [0xb8, 0, 0, 0, 0], [0x01, 0xc3], [0xeb, 0xf4]);
      aim(0x1004, 1);
      machine.run(5 * 100);
      assert.equal(s.gpr(EBX), 5050);
      s.setDr(0, 0x1008);
      s.setDr(7, 0x402);
      machine.cpu.modeDirty = true;
      machine.onFault = () => void (s.eflagsRest |= 0x10000);
      machine.run(5 * 100);
      machine.onFault = () => void (machine.processor.stopRequested = true);
      // A #DB takes no time here.
      assert.deepEqual([s.gpr(EBX), machine.faults.length], [20100, 100]);
      s.setDr(7, 0x400);
      machine.cpu.modeDirty = true;
      machine.run(5 * 100);
      assert.equal(s.gpr(EBX), 45150);
    });
    it('by REP STOS and REP MOVS over the running code', () => {
      // rep stosb writes inc ebx over everything behind it; the page ends in a jump back that stays.
      at(
        0x1000,
        [0xbf, ...word(0x1010)],
        [0xb9, ...word(8)],
        [0xb0, INC_EBX],
        [0xf3, 0xaa],
        [0x90, 0x90],
        Array<number>(8).fill(INC_EAX),
        [0xf4],
      );
      machine.run(3 + 8 + 2 + 8);
      assert.equal(s.gpr(EBX), 8);
      assert.equal(s.gpr(EAX), INC_EBX, 'no inc eax ran');

      machine.reset();
      at(0x2000, [INC_EBX, INC_EBX, INC_EBX, INC_EBX]);
      at(
        0x1000,
        [0xbe, ...word(0x2000)],
        [0xbf, ...word(0x1011)],
        [0xb9, ...word(1)],
        [0xf3, 0xa5],
        [INC_EAX, INC_EAX, INC_EAX, INC_EAX],
        [0xf4],
      );
      machine.run(3 + 1 + 4);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX), s.gpr(EDI), s.gpr(ESI)], [0, 4, 0x1015, 0x2004]);
    });
    it('by a push, a read-modify-write and a 16-byte store', () => {
      at(
        0x1000,
        [0xbc, ...word(0x1010)],
        [0x68, INC_EBX, INC_EBX, INC_EBX, INC_EBX],
        [0x90, 0x90, INC_EAX, INC_EAX, INC_EAX, INC_EAX],
        [0xf4],
      );
      machine.run(8);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [0, 4]);

      machine.reset();
      // xor byte [1007h], 3: inc eax becomes inc ebx.
      at(0x1000, [0x80, 0x35, ...word(0x1007), 3], INC_EAX, [0xf4]);
      machine.run(2);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [0, 1]);

      machine.reset();
      at(0x2000, Array<number>(16).fill(INC_EBX));
      at(
        0x1000,
        [0x0f, 0x10, 0x05, ...word(0x2000)],
        [0x0f, 0x11, 0x05, ...word(0x100e)],
        Array<number>(16).fill(INC_EAX),
        [0xf4],
      );
      machine.run(18);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [0, 16]);
    });
    it('a store across the border of two code pages', () => {
      at(
        0x1ff0,
        store32(0x1ffe, 0x43434343),
        Array<number>(4).fill(0x90),
        [INC_EAX, INC_EAX, INC_EAX, INC_EAX],
        [0xeb, 0xec],
      );
      machine.run(5 + 4);
      assert.deepEqual([s.gpr(EAX), s.gpr(EBX)], [0, 4]);
      machine.run(1 + 9);
      assert.equal(s.gpr(EBX), 8);
    });
    it('data beside code in one page: the code stays and is right', () => {
      at(0x1000, [0xff, 0x05, ...word(0x1800)], [0x03, 0x15, ...word(0x1800)], [0xeb, 0xf2]);
      machine.run(300);
      assert.equal(s.gpr(EDX), 5050);
      assert.equal(machine.memory.read32(0x1800), 100);
    });
  });
