// Every form that takes in patched immediates: as an instruction that overwrites its own, once and again, against one that has its operand elsewhere.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { EAX, EBX, ESP } from '../cpu/state.ts';
import { opcodeTable } from '../isa/table.ts';
import type { Row } from '../isa/row.ts';
import { immediateBytes } from './immediates.ts';

const word = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255];
const CODE = 0x1000;
const ELSEWHERE = 0x5000;
const START = [0x91, 0x83, 0xa2, 0x7c];

/** The instruction of a row, with its memory operand at an address. */
const encode = (row: Row, size: 16 | 32, address: number, immediate: readonly number[]): number[] => [
  ...(size === 16 ? [0x66] : []),
  ...(row.map === 1 ? [0x0f] : []),
  row.opcode,
  ...(row.modrm ? [0x05 | ((row.digit < 0 ? EBX : row.digit) << 3), ...word(address)] : []),
  ...immediate,
];

const machine = new BareProcessor(1 << 16, 'threaded');
const { s } = machine.cpu;

/** Executes it twice; what can be seen after each time. `own`: its operand begins with its immediate. `wider`: it goes on behind the instruction. */
const outcome = (row: Row, size: 16 | 32, own: boolean, wider: boolean): unknown => {
  const bytes = immediateBytes(row, size);
  const immediate = START.slice(0, bytes);
  const behind = CODE + encode(row, size, 0, immediate).length;
  const address = own ? behind - bytes : ELSEWHERE;
  const code = encode(row, size, address, immediate);
  machine.reset();
  // The stack's operand lies below ESP.
  const stack = row.stack ? size / 8 : 0;
  const result: unknown[] = [];
  machine.load(ELSEWHERE, [...immediate, 0xeb, 0xfe]);
  let now = immediate;
  for (let time = 0; time < 2; time++) {
    if (!own || time === 0) machine.load(CODE, [...encode(row, size, address, now), 0xeb, 0xfe]);
    for (const r of [EAX, EBX]) s.setGpr(r, 0x12345678);
    s.setGpr(ESP, address + stack);
    s.eflags = 2;
    s.eip = CODE;
    if (wider) machine.processor.step();
    else machine.run(70);
    now = [...machine.memory.ram.subarray(address, address + bytes)];
    result.push(now, s.gpr(EAX), s.gpr(EBX), s.eflags, s.eip, machine.faults.length, code.length);
  }
  return result;
};

describe('immediates that an instruction overwrites itself', () => {
  let checked = 0;
  for (const row of opcodeTable.rows) {
    if (row.semantics === undefined || row.map > 1 || row.fixedModrm >= 0 || row.prefix > 0) continue;
    const [first] = row.operands;
    const memory = first?.kind === 'E' || first?.kind === 'M';
    if (!memory && !(row.stack && first?.kind === 'I')) continue;
    for (const size of [32, 16] as const) {
      const bytes = immediateBytes(row, size);
      const width = row.stack ? size : first!.bits > 0 ? first!.bits : size;
      if (bytes === 0 || row.onlySize === 48 - size) continue;
      const wider = width > 8 * bytes;
      checked++;
      it(`${row.mnemonic} ${row.operands.map(({ code }) => code).join(', ')} ${row.opcode.toString(16)}h, ${size}`, () => {
        assert.deepEqual(outcome(row, size, true, wider), outcome(row, size, false, wider));
      });
    }
  }
  it('are those of many forms', () => assert.ok(checked > 40, `${checked}`));
});
