import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field, fieldByEncoding, FIELDS } from './fields.ts';

const WIDTHS = [16, 64, 32, 'natural'] as const;
const GROUPS = ['control', 'exit-info', 'guest', 'host'] as const;

test('the encoding of each field says its width and group (SDM table 24-21)', () => {
  for (const field of FIELDS) {
    assert.equal(field.encoding & 1, 0, field.id);
    assert.equal((field.encoding >>> 12) & 1, 0, field.id);
    assert.equal(field.encoding >>> 15, 0, field.id);
    assert.equal(WIDTHS[(field.encoding >>> 13) & 3], field.width, field.id);
    assert.equal(GROUPS[(field.encoding >>> 10) & 3], field.group, field.id);
    assert.equal(Field[field.id], field.encoding);
  }
});

test('encodings are unique and ascend', () => {
  for (let i = 1; i < FIELDS.length; i++) {
    assert.ok(FIELDS[i]!.encoding > FIELDS[i - 1]!.encoding, FIELDS[i]!.id);
    assert.equal(FIELDS[i]!.index, i);
  }
});

test('names begin with their group', () => {
  for (const field of FIELDS) {
    if (field.id.startsWith('GUEST_') && field.group === 'guest') {
      assert.ok(field.name.startsWith('Guest') || field.name.startsWith('VMX-preemption'), field.id);
    }
    if (field.group === 'host') assert.ok(field.id.startsWith('HOST_') && field.name.startsWith('Host '), field.id);
  }
});

test('segment fields are equally spaced in the order of the segment registers', () => {
  const order = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'] as const;
  order.forEach((name, n) => {
    assert.equal(Field[`GUEST_${name}_SELECTOR`], Field.GUEST_ES_SELECTOR + 2 * n);
    assert.equal(Field[`GUEST_${name}_BASE`], Field.GUEST_ES_BASE + 2 * n);
    assert.equal(Field[`GUEST_${name}_LIMIT`], Field.GUEST_ES_LIMIT + 2 * n);
    assert.equal(Field[`GUEST_${name}_AR_BYTES`], Field.GUEST_ES_AR_BYTES + 2 * n);
  });
});

test('a field is found by its encoding, a 64-bit field also by its high half', () => {
  assert.equal(fieldByEncoding(0x681e)?.id, 'GUEST_RIP');
  assert.equal(fieldByEncoding(0x2011)?.id, 'TSC_OFFSET');
  assert.equal(fieldByEncoding(0x681f), undefined);
  assert.equal(fieldByEncoding(0x7ffe), undefined);
});
