// How fast the threaded tier executes: small loops on the processor alone, millions of guest instructions a second. A benchmark, not a
// test: nothing is asserted. `npm run bench` builds and runs it; figures are in docs/performance.md.

import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import { buildProcessor } from '../../src/machine/cpu/build.ts';
import { CORE_DUO } from '../../src/machine/cpu/model.ts';
import { CS, DS, ES, SS } from '../../src/machine/cpu/state.ts';
import { PhysicalMemory } from '../../src/machine/memory.ts';

const CODE = 0x1000;
const ROUNDS = 5;

/** Machine code of endless loops at CODE. */
const LOOPS: Readonly<Record<string, readonly number[]>> = {
  // add eax,ecx; xor edx,eax; lea ebx,[eax+edx*2]; dec ecx; jnz; jmp
  integer: [0x01, 0xc8, 0x31, 0xc2, 0x8d, 0x1c, 0x50, 0x49, 0x75, 0xf6, 0xeb, 0xf4],
  // mov eax,[esi]; add eax,ecx; mov [esi+4],eax; movzx ebx,byte [esi]; dec ecx; jnz; jmp
  memory: [0x8b, 0x06, 0x01, 0xc8, 0x89, 0x46, 0x04, 0x0f, 0xb6, 0x1e, 0x49, 0x75, 0xf3, 0xeb, 0xf1],
  // call f; jmp; f: push ebx; pop ebx; ret
  call: [0xe8, 2, 0, 0, 0, 0xeb, 0xf9, 0x53, 0x5b, 0xc3],
};

const start = performance.now();
const memory = new PhysicalMemory(16 << 20);
const processor = buildProcessor(memory, new Bus(), new Clock(), CORE_DUO, {
  deliverPendingFault: () => {
    throw new Error('the loop faulted');
  },
  deliverEvent: () => true,
});
console.log(`processor built in ${(performance.now() - start).toFixed(0)} ms`);

const s = processor.cpu.s;
s.cr0 = 1;
s.setSegment(CS, 8, 0, 0xffffffff, 0xc09b);
for (const segment of [DS, ES, SS]) s.setSegment(segment, 16, 0, 0xffffffff, 0xc093);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

for (const [name, code] of Object.entries(LOOPS)) {
  memory.ram.set(code, CODE);
  processor.forgetCode(CODE >> 12);
  s.eip = CODE;
  s.setGpr(4, 0x8000);
  s.setGpr(6, 0x2_0000);
  s.eflags = 2;
  processor.cpu.modeDirty = true;
  const speeds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = processor.retired;
    const began = performance.now();
    processor.run(processor.cpu.clock.now + 100_000_000);
    speeds.push((processor.retired - before) / (performance.now() - began) / 1000);
  }
  const spread = `${Math.min(...speeds).toFixed(0)} to ${Math.max(...speeds).toFixed(0)}`;
  console.log(`${name.padEnd(8)} ${median(speeds).toFixed(0)} million instructions a second (${spread})`);
}
