import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CORE_DUO, MODERN } from '../cpu/model.ts';
import { PhysicalMemory } from '../memory.ts';
import { Field, FIELDS } from './fields.ts';
import { fieldOffset, LaunchState, supportedEncodings, Vmcs, VMCS_BYTES } from './vmcs.ts';

/** Every encoding with storage of its own: high halves too. */
const ENCODINGS = FIELDS.flatMap((field) =>
  field.width === 64 ? [field.encoding, field.encoding + 1] : [field.encoding],
);

test('fields do not overlap and lie in the region behind its header', () => {
  const offsets = ENCODINGS.map((encoding) => fieldOffset(encoding)!);
  assert.equal(new Set(offsets).size, ENCODINGS.length);
  assert.ok(Math.min(...offsets) >= 16);
  assert.ok(Math.max(...offsets) + 4 <= VMCS_BYTES);
  assert.equal(fieldOffset(0x681f), undefined);
});

test('property: a write is read back, and changes no other field', () => {
  const memory = new PhysicalMemory(0x4000);
  const vmcs = new Vmcs(memory);
  vmcs.address = 0x2000;
  fc.assert(
    fc.property(fc.constantFrom(...ENCODINGS), fc.integer({ min: 0, max: 0xffff_ffff }), (encoding, value) => {
      const before = ENCODINGS.map((e) => vmcs.read(e));
      vmcs.write(encoding, value);
      const width = FIELDS.find((f) => f.encoding === (encoding & ~1))!.width;
      ENCODINGS.forEach((e, i) => {
        assert.equal(vmcs.read(e), e === encoding ? (width === 16 ? value & 0xffff : value) : before[i]);
      });
    }),
    { numRuns: 500 },
  );
});

test('two regions are apart; the header is where software looks for it', () => {
  const memory = new PhysicalMemory(0x4000);
  const vmcs = new Vmcs(memory);
  memory.write32(0x1000, 5);
  vmcs.address = 0x1000;
  vmcs.write(Field.GUEST_RIP, 0x1234);
  vmcs.launchState = LaunchState.LAUNCHED;
  vmcs.abortIndicator = 4;
  vmcs.address = 0x2000;
  assert.equal(vmcs.read(Field.GUEST_RIP), 0);
  assert.equal(vmcs.launchState, LaunchState.CLEAR);
  vmcs.address = 0x1000;
  assert.equal(vmcs.read(Field.GUEST_RIP), 0x1234);
  assert.equal(vmcs.revision, 5);
  assert.equal(memory.read32(0x1004), 4);
});

test('which fields exist depends on the model; exit information is read-only', () => {
  const old = supportedEncodings(CORE_DUO.vmx);
  const modern = supportedEncodings(MODERN.vmx);
  assert.equal(old[Field.GUEST_RIP], 1);
  assert.equal(old[Field.VM_EXIT_REASON], 2);
  assert.equal(old[Field.TSC_OFFSET + 1], 1);
  assert.equal(old[Field.GUEST_RIP + 1], 0);
  for (const field of [
    Field.VIRTUAL_PROCESSOR_ID,
    Field.SECONDARY_VM_EXEC_CONTROL,
    Field.GUEST_PREEMPTION_TIMER,
    Field.HOST_IA32_PAT,
  ]) {
    assert.equal(old[field], 0);
    assert.equal(modern[field], 1);
  }
  assert.equal(modern[Field.EPT_POINTER], 0);
});
