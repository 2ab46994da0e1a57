import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MODERN } from '../cpu/model.ts';
import { EntryControl, ExitControl, PinControl, PrimaryControl, SecondaryControl } from './controls.ts';
import { CONTROL_CHECKS, firstFailure, GUEST_CHECKS, HOST_CHECKS, INJECTION_CHECKS } from './entry-checks.ts';
import { Field } from './fields.ts';
import { InstructionError, VM_SUCCEED } from './instruction-errors.ts';
import { IntrInfo } from './qualification.ts';
import {
  fixture,
  MSR_AREA,
  OTHER_VMCS,
  PAGE_DIRECTORY,
  setControls,
  VMCS_REGION,
  writeValidState,
  type Fixture,
} from './vmx.fixture.ts';

const ALL = [...CONTROL_CHECKS, ...INJECTION_CHECKS, ...HOST_CHECKS, ...GUEST_CHECKS];
const {
  PIN_BASED_VM_EXEC_CONTROL: PIN,
  CPU_BASED_VM_EXEC_CONTROL: PRIMARY,
  SECONDARY_VM_EXEC_CONTROL: SECONDARY,
} = Field;
const { VM_EXIT_CONTROLS: EXIT, VM_ENTRY_CONTROLS: ENTRY } = Field;

type Break = (f: Fixture) => void;
const write =
  (field: number, value: number): Break =>
  (f) =>
    void f.vmx.vmwrite(field, value);
const set =
  (field: number, bits: number): Break =>
  (f) =>
    setControls(f.vmx, field, bits);
const clear =
  (field: number, bits: number): Break =>
  (f) =>
    void f.vmx.vmwrite(field, f.vmx.vmread(field) & ~bits);
const both =
  (...list: Break[]): Break =>
  (f) =>
    list.forEach((one) => one(f));
const inject = (vector: number, type: number, errorCode = false): Break =>
  write(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(vector, type, errorCode));

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const access = (n: number): number => Field.GUEST_ES_AR_BYTES + 2 * n;
const selector = (n: number): number => Field.GUEST_ES_SELECTOR + 2 * n;
const limit = (n: number): number => Field.GUEST_ES_LIMIT + 2 * n;
const base = (n: number): number => Field.GUEST_ES_BASE + 2 * n;
const LDTR = 6, TR = 7; // prettier-ignore

const virtual8086: Break = (f) => {
  setControls(f.vmx, Field.GUEST_RFLAGS, 1 << 17);
  for (let n = 0; n < 6; n++) {
    f.vmx.vmwrite(selector(n), 0x1000);
    f.vmx.vmwrite(base(n), 0x1_0000);
    f.vmx.vmwrite(limit(n), 0xffff);
    f.vmx.vmwrite(access(n), 0xf3);
  }
};
const usableLdtr = both(write(selector(LDTR), 0x28), write(limit(LDTR), 0xff), write(access(LDTR), 0x82));

/** A way to break each check of which no earlier one notices. */
const BREAKS: Record<string, Break> = {
  'pin-allowed0': clear(PIN, 2),
  'pin-allowed1': set(PIN, 1 << 7),
  'primary-allowed0': clear(PRIMARY, 2),
  'primary-allowed1': set(PRIMARY, 1),
  'secondary-allowed1': both(set(PRIMARY, PrimaryControl.ACTIVATE_SECONDARY_CONTROLS), set(SECONDARY, 2)),
  'cr3-target-count': write(Field.CR3_TARGET_COUNT, 5),
  'io-bitmap-a': both(set(PRIMARY, PrimaryControl.USE_IO_BITMAPS), write(Field.IO_BITMAP_A, 0x1008)),
  'io-bitmap-b': both(set(PRIMARY, PrimaryControl.USE_IO_BITMAPS), write(Field.IO_BITMAP_B + 1, 1)),
  'msr-bitmap': both(set(PRIMARY, PrimaryControl.USE_MSR_BITMAPS), write(Field.MSR_BITMAP, 0x1800)),
  'virtual-nmis': set(PIN, PinControl.VIRTUAL_NMIS),
  'nmi-window': set(PRIMARY, PrimaryControl.NMI_WINDOW_EXITING),
  vpid: both(
    set(PRIMARY, PrimaryControl.ACTIVATE_SECONDARY_CONTROLS),
    set(SECONDARY, SecondaryControl.ENABLE_VPID),
    write(Field.VIRTUAL_PROCESSOR_ID, 0),
  ),
  'exit-allowed0': clear(EXIT, 1),
  'exit-allowed1': set(EXIT, 1 << 9),
  'save-preemption-timer': set(EXIT, ExitControl.SAVE_PREEMPTION_TIMER),
  'exit-msr-store': both(write(Field.VM_EXIT_MSR_STORE_COUNT, 1), write(Field.VM_EXIT_MSR_STORE_ADDR, MSR_AREA + 8)),
  'exit-msr-load': both(write(Field.VM_EXIT_MSR_LOAD_COUNT, 2), write(Field.VM_EXIT_MSR_LOAD_ADDR, 0xffff_fff0)),
  'entry-allowed0': clear(ENTRY, 1),
  'entry-allowed1': set(ENTRY, 1 << 9),
  'entry-msr-load': both(write(Field.VM_ENTRY_MSR_LOAD_COUNT, 1), write(Field.VM_ENTRY_MSR_LOAD_ADDR + 1, 1)),
  'injection-type': inject(0, 1),
  'injection-vector': inject(3, 2),
  'injection-error-code-bit': inject(14, 3),
  'injection-reserved': both(inject(32, 0), set(Field.VM_ENTRY_INTR_INFO, 1 << 12)),
  'injection-error-code': both(inject(13, 3, true), write(Field.VM_ENTRY_EXCEPTION_ERROR_CODE, 0x1_0000)),
  'injection-instruction-length': both(inject(0x80, 4), write(Field.VM_ENTRY_INSTRUCTION_LEN, 0)),
  'host-cr0': clear(Field.HOST_CR0, 0x20),
  'host-cr4': clear(Field.HOST_CR4, 0x2000),
  'host-pat': both(set(EXIT, ExitControl.LOAD_IA32_PAT), write(Field.HOST_IA32_PAT, 2)),
  'host-es-selector': write(Field.HOST_ES_SELECTOR, 0x13),
  'host-cs-selector': write(Field.HOST_CS_SELECTOR, 0x0c),
  'host-ss-selector': write(Field.HOST_SS_SELECTOR, 0x11),
  'host-ds-selector': write(Field.HOST_DS_SELECTOR, 0x14),
  'host-fs-selector': write(Field.HOST_FS_SELECTOR, 0x03),
  'host-gs-selector': write(Field.HOST_GS_SELECTOR, 0x04),
  'host-tr-selector': write(Field.HOST_TR_SELECTOR, 0x1a),
  'host-cs-null': write(Field.HOST_CS_SELECTOR, 0),
  'host-tr-null': write(Field.HOST_TR_SELECTOR, 0),
  'host-ss-null': write(Field.HOST_SS_SELECTOR, 0),
  'guest-cr0': clear(Field.GUEST_CR0, 1),
  'guest-cr4': set(Field.GUEST_CR4, 1 << 14),
  'guest-debugctl': both(set(ENTRY, EntryControl.LOAD_DEBUG_CONTROLS), write(Field.GUEST_IA32_DEBUGCTL, 4)),
  'guest-pat': both(set(ENTRY, EntryControl.LOAD_IA32_PAT), write(Field.GUEST_IA32_PAT + 1, 3 << 24)),
  'guest-tr-ti': write(selector(TR), 0x1c),
  'guest-ldtr-ti': both(usableLdtr, write(selector(LDTR), 0x2c)),
  'guest-ss-rpl': write(selector(2), 0x13),
  'guest-ss-dpl': both(write(access(1), 0xc0fb), write(access(2), 0xc0f3)),
  'guest-ss-type': write(access(2), 0xc091),
  'guest-cs-type': write(access(1), 0xc093),
  'guest-cs-dpl': write(access(1), 0xc0fb),
  'guest-tr-type': write(access(TR), 0x89),
  'guest-tr-s': write(access(TR), 0x9b),
  'guest-tr-p': write(access(TR), 0x0b),
  'guest-tr-reserved': write(access(TR), 0x18b),
  'guest-tr-g': write(access(TR), 0x808b),
  'guest-tr-usable': write(access(TR), 0x1_008b),
  'guest-ldtr-type': both(usableLdtr, write(access(LDTR), 0x83)),
  'guest-ldtr-s': both(usableLdtr, write(access(LDTR), 0x92)),
  'guest-ldtr-p': both(usableLdtr, write(access(LDTR), 0x02)),
  'guest-ldtr-reserved': both(usableLdtr, write(access(LDTR), 0x2_0082)),
  'guest-ldtr-g': both(usableLdtr, write(limit(LDTR), 0x10_0000)),
  'guest-gdtr-limit': write(Field.GUEST_GDTR_LIMIT, 0x1_0000),
  'guest-idtr-limit': write(Field.GUEST_IDTR_LIMIT, 0x1_0000),
  'guest-rflags-reserved': clear(Field.GUEST_RFLAGS, 2),
  'guest-rflags-if': both(inject(32, 0), write(Field.GUEST_RFLAGS, 2)),
  'guest-activity': write(Field.GUEST_ACTIVITY_STATE, 4),
  'guest-activity-hlt-dpl': both(
    write(Field.GUEST_ACTIVITY_STATE, 1),
    write(selector(1), 0x0b),
    write(access(1), 0xc0fb),
    write(selector(2), 0x13),
    write(access(2), 0xc0f3),
  ),
  'guest-activity-blocking': both(write(Field.GUEST_ACTIVITY_STATE, 1), write(Field.GUEST_INTERRUPTIBILITY_INFO, 1)),
  'guest-activity-injection': both(write(Field.GUEST_ACTIVITY_STATE, 2), inject(32, 0)),
  'guest-blocking-reserved': write(Field.GUEST_INTERRUPTIBILITY_INFO, 0x10),
  'guest-blocking-both': write(Field.GUEST_INTERRUPTIBILITY_INFO, 3),
  'guest-blocking-sti-if': both(write(Field.GUEST_INTERRUPTIBILITY_INFO, 1), write(Field.GUEST_RFLAGS, 2)),
  'guest-blocking-interrupt': both(write(Field.GUEST_INTERRUPTIBILITY_INFO, 2), inject(32, 0)),
  'guest-blocking-nmi-mov-ss': both(write(Field.GUEST_INTERRUPTIBILITY_INFO, 2), inject(2, 2)),
  'guest-blocking-smi': write(Field.GUEST_INTERRUPTIBILITY_INFO, 4),
  'guest-blocking-nmi-sti': both(write(Field.GUEST_INTERRUPTIBILITY_INFO, 1), inject(2, 2)),
  'guest-blocking-virtual-nmi': both(
    set(PIN, PinControl.NMI_EXITING | PinControl.VIRTUAL_NMIS),
    write(Field.GUEST_INTERRUPTIBILITY_INFO, 8),
    inject(2, 2),
  ),
  'guest-pending-debug-reserved': write(Field.GUEST_PENDING_DBG_EXCEPTIONS, 1 << 13),
  'guest-pending-debug-bs': both(write(Field.GUEST_INTERRUPTIBILITY_INFO, 2), set(Field.GUEST_RFLAGS, 0x100)),
  'guest-link-alignment': both(write(Field.VMCS_LINK_POINTER, 0x800), write(Field.VMCS_LINK_POINTER + 1, 0)),
  'guest-link-revision': both(write(Field.VMCS_LINK_POINTER, OTHER_VMCS), write(Field.VMCS_LINK_POINTER + 1, 0), (f) =>
    f.memory.write32(OTHER_VMCS, 0x1234),
  ),
  'guest-link-current': both(write(Field.VMCS_LINK_POINTER, VMCS_REGION), write(Field.VMCS_LINK_POINTER + 1, 0)),
  'guest-pdptes': both(set(Field.GUEST_CR4, 0x20), (f) => f.memory.write32(PAGE_DIRECTORY, 0x1e7)),
};
for (const [n, name] of SEGMENTS.entries()) {
  BREAKS[`guest-v86-${name}-base`] = both(virtual8086, write(base(n), 0x1_0010));
  BREAKS[`guest-v86-${name}-limit`] = both(virtual8086, write(limit(n), 0xf_ffff));
  BREAKS[`guest-v86-${name}-access`] = both(virtual8086, write(access(n), 0xb3));
  const good = n === 1 ? 0xc09b : 0xc093;
  BREAKS[`guest-${name}-s`] = write(access(n), good & ~0x10);
  BREAKS[`guest-${name}-p`] = write(access(n), good & ~0x80);
  BREAKS[`guest-${name}-reserved`] = write(access(n), good | 0x100);
  BREAKS[`guest-${name}-g`] = write(limit(n), 0xffff_fffe);
  if (n === 1 || n === 2) continue;
  BREAKS[`guest-${name}-type`] = write(access(n), 0xc099);
  BREAKS[`guest-${name}-dpl`] = write(selector(n), 0x13);
}

/** Checks that cannot fail by themselves on these models: another check or the width of the field comes first. */
const COVERED: Record<string, string> = {
  'secondary-allowed0': 'the secondary controls have no bit that must be 1',
  'guest-cr0-pg-pe': 'guest-cr0 requires PG and PE',
};

const fresh = (f: Fixture): void => {
  f.memory.write32(OTHER_VMCS, MODERN.vmx.revisionId);
  f.memory.write32(PAGE_DIRECTORY, 0x83);
  f.memory.u8.fill(0, f.memory.ramBase + VMCS_REGION + 4, f.memory.ramBase + VMCS_REGION + 4096);
  writeValidState(f.vmx);
};

test('every check has an id of its own, a section and a rule, and a case here', () => {
  const ids = ALL.map((check) => check.id);
  assert.equal(new Set(ids).size, ids.length);
  for (const check of ALL) assert.match(check.section, /^26\.[23]\.\d(\.\d)?$/);
  assert.deepEqual(
    ids.filter((id) => !(id in BREAKS) && !(id in COVERED)),
    [],
  );
  assert.deepEqual(
    Object.keys(BREAKS).filter((id) => !ids.includes(id)),
    [],
  );
});

test('the valid guest passes, and each check is the first to fail when its condition is broken', () => {
  const f = fixture({ model: MODERN });
  for (const [id, violate] of Object.entries(BREAKS)) {
    fresh(f);
    f.vmx.controls.load(f.vmx.vmcs);
    assert.equal(firstFailure(ALL, f.vmx)?.id, undefined, `before ${id}`);
    violate(f);
    f.vmx.controls.load(f.vmx.vmcs);
    assert.equal(firstFailure(ALL, f.vmx)?.id, id);
  }
});

test('a failed check is VMfailValid(7), VMfailValid(8) or a VM exit with reason 33', () => {
  const f = fixture({ model: MODERN });
  for (const [id, violate] of Object.entries(BREAKS)) {
    const check = ALL.find((c) => c.id === id)!;
    fresh(f);
    f.exits.length = 0;
    violate(f);
    const injected = f.vmx.vmread(Field.VM_ENTRY_INTR_INFO);
    const result = f.vmx.vmlaunch();
    assert.equal(f.vmx.lastEntryFailure?.id, id);
    assert.equal(f.vmx.nonRoot, false);
    if (check.area === 'guest') {
      assert.equal(result, VM_SUCCEED, id);
      assert.equal(f.vmx.exitPending, true);
      assert.deepEqual(f.exits, [0x8000_0021]);
      assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 0x8000_0021);
      assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), check.qualification);
      assert.equal(f.vmx.vmread(Field.VM_ENTRY_INTR_INFO), injected);
    } else {
      const error =
        check.area === 'controls' ? InstructionError.ENTRY_INVALID_CONTROLS : InstructionError.ENTRY_INVALID_HOST_STATE;
      assert.equal(result, error, id);
      assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), error);
      assert.deepEqual(f.exits, []);
    }
  }
});
