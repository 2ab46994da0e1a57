// Where the flow graph of a region follows control to an EIP that is computed: a constant that was pushed, or moved into the register.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DecodeResult, Decoder } from '../../isa/decode.ts';
import { opcodeTable } from '../../isa/table.ts';
import { exploreRegion, type FlowNode } from './flow-graph.ts';
import { Instruction } from './instruction.ts';
import { edgesOf } from './structure.ts';

const CODE = 0x1000;
const TARGET = 0x1040;
const RETURN = 0x1060;
const CALLEE = 0x1080;
const word = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
const decoder = new Decoder(opcodeTable);

/** EIPs of the region's instructions, by the place of the code; HLT is in no region. */
const reached = (parts: Readonly<Record<number, readonly number[]>>, known: readonly number[]): Set<number> => {
  const bytes = new Map<number, number>();
  for (const [at, part] of Object.entries(parts)) part.forEach((byte, i) => bytes.set(Number(at) + i, byte));
  const graph = exploreRegion(
    {
      instruction: (eip) => {
        if (!bytes.has(eip)) return undefined;
        assert.equal(
          decoder.decode((i) => bytes.get(eip + i) ?? -1, true),
          DecodeResult.ok,
        );
        return new Instruction(eip, decoder);
      },
      known: (eip) => known.includes(eip),
      hasRegion: () => false,
      tableOfJumps: () => [],
    },
    CODE,
  );
  const nodes = new Set<FlowNode>([graph!]);
  for (const node of nodes) for (const { to } of edgesOf(node)) if (to !== undefined) nodes.add(to);
  return new Set([...nodes].flatMap(({ instructions }) => instructions.map(({ eip }) => eip)));
};
const PUSH = [0x68, ...word(TARGET)];
const MOVE = [0xbf, ...word(TARGET)]; // mov edi, TARGET
const RET = 0xc3;
const NOP = 0x90;

describe('the flow graph goes on', () => {
  const follows: readonly (readonly [string, readonly number[]])[] = [
    ['at what was pushed', [...PUSH, RET]],
    ['at what was pushed, other values above it', [...PUSH, 0x50, 0x51, NOP, 0x58, 0x59, 0xc2, 8, 0]],
    ['at what a pushed register got', [...MOVE, 0x40, 0x57, RET]],
    ['where a register points', [...MOVE, NOP, 0xff, 0xe7]],
    ['where the last MOV lets a register point', [0xbf, ...word(CODE), 0xc7, 0xc7, ...word(TARGET), 0xff, 0xe7]],
  ];
  for (const [what, code] of follows)
    it(what, () => {
      assert.ok(reached({ [CODE]: code, [TARGET]: [NOP] }, [TARGET]).has(TARGET));
      assert.ok(!reached({ [CODE]: code, [TARGET]: [NOP] }, []).has(TARGET), 'to where nothing was executed');
    });
  const stays: readonly (readonly [string, readonly number[]])[] = [
    ['where the constant was popped', [...PUSH, 0x58, RET]],
    ['where another value is above the constant', [...PUSH, 0x50, RET]],
    ['where the register got something else', [...MOVE, 0x89, 0xc7, 0xff, 0xe7]],
    ['where the register was loaded', [...MOVE, 0x8b, 0x38, 0xff, 0xe7]],
    ['for operands of 16 bits', [0x66, ...PUSH.slice(0, 3), 0x66, RET]],
    ['where another register got it', [...MOVE, 0xff, 0xe6]],
  ];
  for (const [what, code] of stays)
    it(`not ${what}`, () => assert.ok(!reached({ [CODE]: code, [TARGET]: [NOP] }, [TARGET]).has(TARGET)));

  it('in a function that it has taken in, and back to its caller from there', () => {
    const call = [0xe8, ...word(CALLEE - CODE - 5), 0xeb, RETURN - CODE - 7];
    const parts = { [CODE]: call, [CALLEE]: [...PUSH, RET], [TARGET]: [0x40, RET], [RETURN]: [NOP] };
    const eips = reached(parts, [CALLEE, TARGET]);
    for (const eip of [CALLEE, TARGET, CODE + 5, RETURN]) assert.ok(eips.has(eip), eip.toString(16));
  });
  it('in a function that is called through a register', () => {
    const call = [0xbf, ...word(CALLEE), 0xff, 0xd7, 0x41];
    const eips = reached({ [CODE]: call, [CALLEE]: [0x40, RET] }, [CALLEE]);
    for (const eip of [CALLEE, CALLEE + 1, CODE + 7]) assert.ok(eips.has(eip), eip.toString(16));
  });
});
