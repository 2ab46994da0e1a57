// The threaded tier's module: every instruction form of the table and the micro-operations (address entries, block ends) as functions
// in one table. Built once per machine. Not the instructions themselves (isa/) and not their emission context (threaded-emitter.ts).

import { Code, I32 } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Row, Semantics } from '../isa/row.ts';
import { ValueEmitter } from '../isa/value-emitter.ts';
import { LinearLayout } from '../memory.ts';
import { SegmentField, StateLayout } from '../cpu/state.ts';
import { Entry, ENTRY_SIZE, ExitKind, JUMP_LINES } from './entry.ts';
import { MemoryKind, type Runtime } from './form.ts';
import { auxiliaryFunction } from './region/flag-kinds.ts';
import { ThreadedEmitter } from './threaded-emitter.ts';

/** What translated code calls back. Values as in threaded-emitter.ts `Runtime`. */
export interface RuntimeImports {
  loadSlow(linear: number, bytes: number): number;
  storeSlow(linear: number, value: number, bytes: number): number;
  hostRead(linear: number, bytes: number): number;
  hostWrite(linear: number, bytes: number): number;
  commit(host: number): void;
  stackLinear(offset: number, bytesAndWrite: number): number;
  /** (segment slot address, offset, bytes | 256 for a write) -> linear address after the full check; a fault goes to the mailbox. */
  segmentLinear(slot: number, offset: number, bytesAndWrite: number): number;
  raise(vector: number, errorCode: number): void;
}

/** Micro-operations that are no instruction. */
export interface MicroSlots {
  /** ea = base + (index << scale) + disp, checked against a segment (r0: slot address, imm: bytes | 256 for a write). */
  readonly segment32: number;
  readonly segment16: number;
  /** ea = offset only (LEA with 16-bit addressing, helpers' operands). */
  readonly offset32: number;
  readonly offset16: number;
  /** XLAT: ea = EBX (BX) + AL, then as segment32/16. */
  readonly xlat32: number;
  readonly xlat16: number;
  /** End of a block without a jump: continues at imm. Linked like a jump. */
  readonly goto: number;
  /** End of a block of limited length. */
  readonly stop: number;
  /** Overwrites entries whose code page changed. */
  readonly stale: number;
  /** The instruction is a helper's. */
  readonly helper: number;
  /** Head of a block: counts `imm` down, leaves at zero. */
  readonly head: number;
}

export interface ThreadedModule {
  readonly micro: MicroSlots;
  /** Table slot of a form; throws if the table lacks it: a bug of ours. */
  slot(
    row: Row,
    size: 16 | 32,
    memory: number,
    genericStack: boolean,
    limitedCode: boolean,
    addressSize: 16 | 32,
  ): number;
  /** Table slot of the row's prologue. */
  prologueSlot(row: Row, size: 16 | 32, genericStack: boolean): number;
  /** The table of all entry functions, with REGION_SLOTS free slots behind `tableUsed`. */
  readonly table: WebAssembly.Table;
  readonly tableUsed: number;
  /** (kind, result, a, b) -> auxiliary flag word (region/flag-kinds.ts). */
  readonly auxiliary: (kind: number, result: number, a: number, b: number) => number;
  /** Runs from an entry until something needs the run loop. State says why. */
  run(entry: number, budget: number, tlb: number): void;
  readonly formCount: number;
  readonly moduleBytes: number;
}

/** Room for regions in the table: each module that imports it costs time by its size. */
export const REGION_SLOTS = 4096;

class PlainValues extends ValueEmitter {}

const key = (
  rowIndex: number,
  size: number,
  memory: number,
  generic: boolean,
  limited: boolean,
  address: number,
): number =>
  rowIndex * 64 +
  (size === 16 ? 1 : 0) +
  memory * 2 +
  (generic ? 8 : 0) +
  (address === 16 ? 16 : 0) +
  (limited ? 32 : 0);

const memoryKinds = (row: Row): readonly number[] => {
  for (const { kind } of row.operands) {
    if (kind === 'X') return [MemoryKind.ea];
    if (kind === 'O') return [MemoryKind.base, MemoryKind.ea];
    if (kind === 'M') return [MemoryKind.base, MemoryKind.indexed, MemoryKind.ea];
    if (kind === 'E' || kind === 'W' || kind === 'Q')
      return [MemoryKind.none, MemoryKind.base, MemoryKind.indexed, MemoryKind.ea];
  }
  return [MemoryKind.none];
};
const sizes = (row: Row): readonly (16 | 32)[] => {
  if (row.onlySize !== 0) return [row.onlySize];
  return row.sized || row.operands.some((o) => o.bits === 0 || o.bits === -1 || o.kind === 'J') ? [32, 16] : [32];
};

/** The row's size to look a form up by: rows without 16-bit forms answer with 32. */
export const formSize = (row: Row, operandSize: 16 | 32): 16 | 32 =>
  sizes(row).includes(operandSize) ? operandSize : sizes(row)[0]!;

export const buildThreadedModule = (
  rows: readonly Row[],
  memory: WebAssembly.Memory,
  imports: RuntimeImports,
): ThreadedModule => {
  const builder = new ModuleBuilder(memory.buffer.byteLength / 65536, { imported: false, size: REGION_SLOTS });
  const type = builder.type([I32, I32, I32, I32], []);
  const i2i = builder.type([I32, I32], [I32]);
  const i3i = builder.type([I32, I32, I32], [I32]);
  const loadSlow = builder.import('loadSlow', i2i);
  const storeSlow = builder.import('storeSlow', i3i);
  const hostRead = builder.import('hostRead', i2i);
  const hostWrite = builder.import('hostWrite', i2i);
  const commit = builder.import('commit', builder.type([I32], []));
  const stackLinear = builder.import('stackLinear', i2i);
  const segmentLinear = builder.import('segmentLinear', i3i);
  const raise = builder.import('raise', builder.type([I32, I32], []));
  const type3 = builder.type([I32, I32, I32], []);

  const setState = (c: Code, address: number, value: () => void): void => {
    c.i32(0);
    value();
    c.memory(0x36, 2, address);
  };
  const dispatch = (c: Code, entry: number, budget: number, tlb: number): void => {
    c.localGet(entry);
    c.localGet(budget);
    c.i32(0);
    c.localGet(tlb);
    c.localGet(entry);
    c.memory(0x28, 2, Entry.fn);
    c.returnCallIndirect(type, 0);
  };

  // goto(eip, budget, tlb): through the jump cache.
  const g = new Code(3);
  const line = g.local(I32);
  g.localGet(1);
  g.i32(0);
  g.op(0x4e); // budget >= 0
  g.if();
  g.localGet(0);
  g.localGet(0);
  g.i32(12);
  g.op(0x76);
  g.op(0x73);
  g.i32(JUMP_LINES - 1);
  g.op(0x71);
  g.i32(4);
  g.op(0x74);
  g.localTee(line);
  g.memory(0x28, 2, LinearLayout.jumpCache);
  g.localGet(0);
  g.op(0x46);
  g.localGet(line);
  g.memory(0x28, 2, LinearLayout.jumpCache + 4);
  g.i32(0);
  g.memory(0x28, 2, StateLayout.jumpTag);
  g.op(0x46);
  g.op(0x71);
  g.if();
  g.localGet(line);
  g.memory(0x28, 2, LinearLayout.jumpCache + 8);
  g.localSet(line);
  dispatch(g, line, 1, 2);
  g.end();
  g.end();
  setState(g, StateLayout.eip, () => g.localGet(0));
  setState(g, StateLayout.exitBudget, () => g.localGet(1));
  setState(g, StateLayout.exitKind, () => {
    g.i32(ExitKind.budget);
    g.i32(ExitKind.lookup);
    g.localGet(1);
    g.i32(0);
    g.op(0x48);
    g.op(0x1b);
  });
  const goto = builder.function(type3, g);

  // leaveAt(entry, budget, kind): the entry has not executed.
  const l = new Code(3);
  setState(l, StateLayout.eip, () => {
    l.localGet(0);
    l.memory(0x28, 2, Entry.eip);
  });
  setState(l, StateLayout.exitEntry, () => l.localGet(0));
  setState(l, StateLayout.exitBudget, () => {
    l.localGet(1);
    l.localGet(0);
    l.memory(0x2f, 1, Entry.done);
    l.op(0x6b);
  });
  setState(l, StateLayout.exitKind, () => l.localGet(2));
  const leaveAt = builder.function(type3, l);

  const runtime: Runtime = {
    type,
    loadSlow,
    storeSlow,
    hostRead,
    hostWrite,
    commit,
    stackLinear,
    raise,
    goto,
    leaveAt,
  };

  const add = (code: Code): number => builder.element(builder.function(type, code));
  const leave = (kind: number): number => {
    const c = new Code(4);
    if (kind === ExitKind.helper) setState(c, StateLayout.exitEa, () => c.localGet(2));
    c.localGet(0);
    c.localGet(1);
    c.i32(kind);
    c.returnCall(leaveAt);
    return add(c);
  };
  /** Address entries: leave the offset (or linear address) in parameter 2 and go on. */
  const address = (bits: 16 | 32, segment: boolean, xlat: boolean): number => {
    const c = new Code(4);
    const register = (offset: number): void => {
      c.localGet(0);
      c.memory(0x2f, 1, offset);
      c.memory(0x28, 2, 0);
    };
    if (xlat) {
      c.i32(0);
      c.memory(0x28, 2, StateLayout.gpr + 3 * 8);
      c.i32(0);
      c.memory(0x2d, 0, StateLayout.gpr);
      c.op(0x6a);
    } else {
      register(Entry.base);
      register(Entry.index);
      c.localGet(0);
      c.memory(0x2d, 0, Entry.scale);
      c.op(0x74);
      c.op(0x6a);
      c.localGet(0);
      c.memory(0x28, 2, Entry.disp);
      c.op(0x6a);
    }
    if (bits === 16) {
      c.i32(0xffff);
      c.op(0x71);
    }
    c.localSet(2);
    if (segment) {
      const slot = c.local(I32);
      c.localGet(2);
      c.localGet(0);
      c.memory(0x2f, 1, Entry.r0);
      c.localTee(slot);
      c.memory(0x28, 2, SegmentField.readLimit);
      c.localGet(slot);
      c.memory(0x28, 2, SegmentField.writeLimit);
      c.localGet(0);
      c.memory(0x28, 2, Entry.imm);
      c.i32(256);
      c.op(0x71);
      c.op(0x45);
      c.op(0x1b);
      c.op(0x4f); // offset >= limit: the full check
      c.if();
      c.localGet(slot);
      c.localGet(2);
      c.localGet(0);
      c.memory(0x28, 2, Entry.imm);
      c.call(segmentLinear);
      c.localSet(2);
      c.i32(0);
      c.memory(0x28, 2, StateLayout.faultVector);
      c.if();
      c.localGet(0);
      c.localGet(1);
      c.i32(ExitKind.fault);
      c.returnCall(leaveAt);
      c.end();
      c.else();
      c.localGet(2);
      c.localGet(slot);
      c.memory(0x28, 2, SegmentField.base);
      c.op(0x6a);
      c.localSet(2);
      c.end();
    }
    c.localGet(0);
    c.i32(ENTRY_SIZE);
    c.op(0x6a);
    c.localGet(1);
    c.localGet(2);
    c.localGet(3);
    c.localGet(0);
    c.memory(0x28, 2, ENTRY_SIZE + Entry.fn);
    c.returnCallIndirect(type, 0);
    return add(c);
  };

  /** Counts down in the entry; what the block does is in the next one. */
  const head = (): number => {
    const c = new Code(4);
    const count = c.local(I32);
    c.localGet(0);
    c.localGet(0);
    c.memory(0x28, 2, Entry.imm);
    c.i32(1);
    c.op(0x6b);
    c.localTee(count);
    c.memory(0x36, 2, Entry.imm);
    c.localGet(count);
    c.op(0x45);
    c.if();
    c.localGet(0);
    c.localGet(1);
    c.i32(ExitKind.hot);
    c.returnCall(leaveAt);
    c.end();
    c.localGet(0);
    c.i32(ENTRY_SIZE);
    c.op(0x6a);
    c.localGet(1);
    c.localGet(2);
    c.localGet(3);
    c.localGet(0);
    c.memory(0x28, 2, ENTRY_SIZE + Entry.fn);
    c.returnCallIndirect(type, 0);
    return add(c);
  };

  const gotoRow = {
    mnemonic: 'goto',
    operands: [{ kind: 'J', bits: 32 }],
    sized: false,
    semantics: (e: ThreadedEmitter) => e.jump(0),
  } as unknown as Row;
  const plain = {
    size: 32,
    memory: MemoryKind.none,
    genericStack: false,
    limitedCode: false,
    addressSize: 32,
  } as const;
  const micro: MicroSlots = {
    stale: leave(ExitKind.lookup),
    stop: leave(ExitKind.stop),
    helper: leave(ExitKind.helper),
    head: head(),
    segment32: address(32, true, false),
    segment16: address(16, true, false),
    offset32: address(32, false, false),
    offset16: address(16, false, false),
    xlat32: address(32, true, true),
    xlat16: address(16, true, true),
    goto: add(new ThreadedEmitter(runtime, { row: gotoRow, ...plain }).emit()),
  };

  const prologues = new Map<Semantics, number[]>();
  const addPrologue = (row: Row, prologue: Semantics): void => {
    if (prologues.has(prologue)) return;
    const bare: Row = { ...row, operands: [], semantics: prologue };
    const forms = [16, 32].flatMap((size) =>
      [false, true].map((genericStack) => ({ ...plain, row: bare, size: size as 16 | 32, genericStack })),
    );
    prologues.set(
      prologue,
      forms.map((form) => add(new ThreadedEmitter(runtime, form).emit())),
    );
  };
  const slots = new Map<number, number>();
  const indexOf = new Map<Row, number>();
  rows.forEach((row, index) => {
    indexOf.set(row, index);
    if (row.semantics === undefined) return;
    if (row.prologue !== undefined) addPrologue(row, row.prologue);
    const byAddress = row.operands.some((o) => o.kind === 'Y');
    for (const size of sizes(row))
      for (const memoryKind of memoryKinds(row))
        for (const genericStack of row.stack ? [false, true] : [false])
          for (const limitedCode of row.near ? [false, true] : [false])
            for (const addressSize of byAddress ? ([32, 16] as const) : ([32] as const)) {
              const form = { row, size, memory: memoryKind, genericStack, limitedCode, addressSize };
              const code = new ThreadedEmitter(runtime, form).emit();
              slots.set(key(index, size, memoryKind, genericStack, limitedCode, addressSize), add(code));
            }
  });

  const r = new Code(3);
  dispatch(r, 0, 1, 2);
  builder.export('run', builder.function(type3, r));

  builder.export(
    'auxiliary',
    builder.function(builder.type([I32, I32, I32, I32], [I32]), auxiliaryFunction((code) => new PlainValues(code))),
  );

  const bytes = builder.build();
  const module = new WebAssembly.Module(bytes);
  const instance = new WebAssembly.Instance(module, { env: { memory, ...bind(imports) } });
  return {
    micro,
    slot(row, size, memoryKind, genericStack, limitedCode, addressSize) {
      const slot = slots.get(
        key(
          indexOf.get(row)!,
          size,
          memoryKind,
          row.stack && genericStack,
          limitedCode && row.near,
          row.operands.some((o) => o.kind === 'Y') ? addressSize : 32,
        ),
      );
      if (slot === undefined) throw new Error(`no form of ${row.mnemonic} for size ${size}, memory ${memoryKind}`);
      return slot;
    },
    prologueSlot: (row, size, genericStack) =>
      prologues.get(row.prologue!)![(size === 32 ? 2 : 0) + (genericStack ? 1 : 0)]!,
    table: instance.exports['table'] as WebAssembly.Table,
    tableUsed: builder.elementCount,
    auxiliary: instance.exports['auxiliary'] as ThreadedModule['auxiliary'],
    run: instance.exports['run'] as (entry: number, budget: number, tlb: number) => void,
    formCount: slots.size,
    moduleBytes: bytes.length,
  };
};

const bind = (imports: RuntimeImports): Record<string, (...a: number[]) => number | void> => ({
  loadSlow: (a, b) => imports.loadSlow(a!, b!),
  storeSlow: (a, b, c) => imports.storeSlow(a!, b!, c!),
  hostRead: (a, b) => imports.hostRead(a!, b!),
  hostWrite: (a, b) => imports.hostWrite(a!, b!),
  commit: (a) => imports.commit(a!),
  stackLinear: (a, b) => imports.stackLinear(a!, b!),
  segmentLinear: (a, b, c) => imports.segmentLinear(a!, b!, c!),
  raise: (a, b) => imports.raise(a!, b!),
});
