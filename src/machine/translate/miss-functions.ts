// Accesses of translated code that the TLB does not let through: first the emitted page walk, stores beside code, then TypeScript (cpu/mmu.ts, cpu/region-access.ts). A
// #PF of the walk goes to the fault mailbox here. Not the walk (isa/walk-functions.ts) and not who accesses (translation-emitter.ts).

import { Vector } from '../cpu/cpu.ts';
import { StateLayout } from '../cpu/state.ts';
import { HOST_OFFSET } from '../cpu/tlb.ts';
import { FunctionBody } from '../isa/function-body.ts';
import { Filled } from '../isa/walk-functions.ts';
import { type Code, I32, type Local } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { storeBesideCode } from './beside-code.ts';
import type { SlowPaths } from './runtime.ts';

/** Those of the slow paths that begin with a miss of the TLB. */
export const MISSES = ['loadSlow', 'storeSlow', 'hostRead', 'hostWrite'] as const;
export type Miss = (typeof MISSES)[number];
export type MissPaths = Pick<SlowPaths, Miss>;

/** The parameters after the linear address end with the number of bytes. `fill`: index of `fillTranslation`. */
const miss = (
  parameters: number,
  write: boolean,
  fill: number,
  slow: number,
  access: (e: FunctionBody, host: Local, bytes: Local) => void,
  faulted: number,
): Code => {
  const e = new FunctionBody(new Array<typeof I32>(parameters).fill(I32));
  const linear = 0;
  const bytes = parameters - 1;
  const { code } = e;
  const last = e.add(e.and(e.get(linear), e.const(0xfff)), e.get(bytes));
  e.if(e.and(e.eqz(e.gtU(last, e.const(0x1000))), e.eqz(e.state(StateLayout.faultVector))), () => {
    e.get(linear);
    e.const(write ? 1 : 0);
    code.call(fill);
    const filled = e.temporary(I32);
    code.localTee(filled);
    code.if();
    e.get(filled);
    e.const(Filled.done);
    code.op(0x46); // eq
    code.if();
    const context = e.let(e.state(StateLayout.tlb));
    const host = e.let(e.add(e.add(e.tlbWord(context, linear, write), e.get(linear)), e.const(HOST_OFFSET)));
    access(e, host, bytes);
    code.return();
    code.end();
    e.store32(StateLayout.faultVector, e.let(e.const(Vector.PF + 1)));
    e.store32(StateLayout.faultError, e.let(e.sub(e.get(filled), e.const(Filled.fault))));
    e.store32(StateLayout.faultHasError, e.let(e.const(1)));
    e.store32(StateLayout.faultAddress, linear);
    e.const(faulted);
    code.return();
    code.end();
    if (write)
      storeBesideCode(e, linear, bytes, (host) => {
        access(e, host, bytes);
        code.return();
      });
  });
  for (let i = 0; i < parameters; i++) e.get(i);
  code.returnCall(slow);
  return code;
};

/** One, two or four bytes. */
const sized = (e: FunctionBody, bytes: Local, act: (size: 1 | 2 | 4) => void): void => {
  const when = (size: 2 | 4): void =>
    e.if(e.eq(e.get(bytes), e.const(size)), () => {
      act(size);
      e.code.return();
    });
  when(4);
  when(2);
  act(1);
};
const OPCODES = { load: { 1: 0x2d, 2: 0x2f, 4: 0x28 }, store: { 1: 0x3a, 2: 0x3b, 4: 0x36 } } as const;

/** The functions, by their index in the module. `slow`: what they go on to. */
export const missFunctions = (
  builder: ModuleBuilder,
  slow: Readonly<Record<Miss, number>>,
  fill: number,
): Record<Miss, number> => {
  const two = builder.type([I32, I32], [I32]);
  const three = builder.type([I32, I32, I32], [I32]);
  const direct = (e: FunctionBody, host: Local): void => void e.get(host);
  const load = miss(
    2,
    false,
    fill,
    slow.loadSlow,
    (e, host, bytes) =>
      sized(e, bytes, (size) => {
        e.get(host);
        e.code.memory(OPCODES.load[size], 0, 0);
      }),
    0,
  );
  const store = miss(
    3,
    true,
    fill,
    slow.storeSlow,
    (e, host, bytes) =>
      sized(e, bytes, (size) => {
        e.get(host);
        e.get(1);
        e.code.memory(OPCODES.store[size], 0, 0);
        e.const(0);
      }),
    1,
  );
  return {
    loadSlow: builder.function(two, load),
    storeSlow: builder.function(three, store),
    hostRead: builder.function(two, miss(2, false, fill, slow.hostRead, direct, 0)),
    hostWrite: builder.function(two, miss(2, true, fill, slow.hostWrite, direct, 0)),
  };
};
