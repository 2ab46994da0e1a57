// The table of registers: names are unique, groups have titles, fields lie inside and do not overlap; and how values are told.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeFields, GROUP_TITLES, registerNamed, REGISTERS } from './registers.ts';

describe('registers', () => {
  it('have names of their own, and groups with titles', () => {
    assert.equal(new Set(REGISTERS.map((r) => r.name)).size, REGISTERS.length);
    assert.deepEqual(new Set(REGISTERS.map((r) => r.group)), new Set(Object.keys(GROUP_TITLES)));
  });
  it('have fields inside them that do not overlap', () => {
    for (const { name, bits, fields = [] } of REGISTERS) {
      let next = 0;
      for (const { first, last } of fields) {
        assert.ok(first >= next && last >= first && last < bits, `${name}: bits ${first} to ${last}`);
        next = last + 1;
      }
    }
  });
  it('are told by the names of their fields, highest first', () => {
    const told = (name: string, value: number): string => describeFields(registerNamed(name)!, value);
    assert.equal(told('eflags', 0x3246), 'IOPL=3 IF ZF PF');
    assert.equal(told('CR0', 0x8001_0033), 'PG WP NE ET MP PE');
    assert.equal(told('cs', 0x1b), 'index=3 RPL=3');
    assert.equal(told('cr2', 5), '');
  });
});
