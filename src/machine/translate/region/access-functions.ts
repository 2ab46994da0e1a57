// Functions that regions call for accesses whose shared TLB lookup (region-memory.ts) was of no use: each looks there for its own page before it
// takes the slow path. Not the slow paths (cpu/region-access.ts) and not the lookups inside regions.

import { type Val, VAL, ValueEmitter } from '../../isa/value-emitter.ts';
import { HOST_OFFSET } from '../../cpu/tlb.ts';
import { Code, I32 } from '../../wasm/code.ts';
import { ModuleBuilder } from '../../wasm/module.ts';
import { type Miss, MISSES } from '../miss-functions.ts';
import { importSlowPaths, type Runtime } from '../runtime.ts';

class Values extends ValueEmitter {}

/** What each gets: the slow path's arguments, then the TLB context. */
export const AGAIN_PARAMETERS: Readonly<Record<Miss, number>> = {
  loadSlow: 3,
  storeSlow: 4,
  hostRead: 3,
  hostWrite: 3,
};

const LINEAR = 0;

const lookingAgain = (name: Miss, runtime: Omit<Runtime, 'shared'>): Code => {
  const parameters = AGAIN_PARAMETERS[name];
  const code = new Code(parameters);
  const e = new Values(code);
  const tlb = parameters - 1;
  const bytes = parameters - 2;
  const entry = e.let(e.tlbWord(tlb, LINEAR, name === 'storeSlow' || name === 'hostWrite'));
  const last = e.let(e.sub(e.add(e.get(LINEAR), e.get(bytes)), e.const(1)));
  const beyond = e.beyondPage(entry, last, e.sub(e.get(bytes), e.const(1)));
  e.if(e.or(beyond, e.notDirect(entry)), () => {
    for (let k = 0; k < parameters - 1; k++) e.get(k);
    code.call(runtime[name]);
    code.return();
  });
  const host = e.let(e.add(e.add(e.get(entry), e.get(LINEAR)), e.const(HOST_OFFSET)));
  if (name === 'hostRead' || name === 'hostWrite') {
    e.get(host);
    return code;
  }
  const sized = (of: (size: 1 | 2 | 4) => Val): void => {
    e.if(e.eq(e.get(bytes), e.const(4)), () => {
      of(4);
      code.return();
    });
    e.if(e.eq(e.get(bytes), e.const(2)), () => {
      of(2);
      code.return();
    });
    of(1);
  };
  const LOADS = { 1: 0x2d, 2: 0x2f, 4: 0x28 } as const;
  const STORES = { 1: 0x3a, 2: 0x3b, 4: 0x36 } as const;
  sized((size) => {
    e.get(host);
    if (name === 'storeSlow') {
      e.get(1);
      code.memory(STORES[size], 0, 0);
      return e.const(0);
    }
    code.memory(LOADS[size], 0, 0);
    return VAL;
  });
  return code;
};

/** An instance of them. `imports`: the memory and the slow paths of regions. */
export const accessFunctions = (
  memory: WebAssembly.Memory,
  imports: Record<string, WebAssembly.ImportValue>,
): Record<Miss, WebAssembly.ExportValue> => {
  const builder = new ModuleBuilder(memory.buffer.byteLength / 65536);
  const runtime = importSlowPaths(builder);
  for (const name of MISSES) {
    const type = builder.type(
      Array.from({ length: AGAIN_PARAMETERS[name] }, () => I32),
      [I32],
    );
    builder.export(name, builder.function(type, lookingAgain(name, runtime)));
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(builder.build()), { env: { memory, ...imports } });
  return instance.exports as Record<Miss, WebAssembly.ExportValue>;
};
