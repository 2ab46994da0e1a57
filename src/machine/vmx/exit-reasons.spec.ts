import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExit, EXIT_REASONS, ExitReason, exitReasonName } from './exit-reasons.ts';
import { describeIntrInfo, IntrInfo, IoAccess } from './qualification.ts';

test('each reason stands at its number; 35, 38 and 42 are not assigned', () => {
  EXIT_REASONS.forEach((info, reason) => {
    if (info !== undefined) assert.equal(info.reason, reason);
  });
  for (const free of [35, 38, 42]) assert.equal(EXIT_REASONS[free], undefined);
  assert.equal(EXIT_REASONS.filter((info) => info !== undefined).length, 62);
  assert.equal(ExitReason.CR_ACCESS, 28);
  assert.equal(ExitReason.WBINVD, 54);
  assert.equal(EXIT_REASONS[30]?.xen, 'IO_INSTRUCTION');
  assert.equal(exitReasonName(0x8000_0021), 'VM-entry failure due to invalid guest state');
  assert.equal(exitReasonName(38), 'reason 38');
});

test('qualifications in words', () => {
  const io = IoAccess.encode(2, true, true, true, false, 0x1f0);
  assert.equal(io, 0x01f0_0039);
  assert.equal(describeExit(ExitReason.IO_INSTRUCTION, io), 'REP INS port 0x1f0, 2 bytes');
  assert.equal(
    describeExit(ExitReason.IO_INSTRUCTION, IoAccess.encode(1, false, false, false, true, 0x80)),
    'OUT port 0x80 (immediate), 1 byte',
  );
  assert.equal(describeExit(ExitReason.CR_ACCESS, 0x0703), 'MOV to CR3 from EDI');
  assert.equal(describeExit(ExitReason.CR_ACCESS, 0x0013), 'MOV from CR3 to EAX');
  assert.equal(describeExit(ExitReason.CR_ACCESS, 0x0020), 'CLTS');
  assert.equal(describeExit(ExitReason.CR_ACCESS, 0x0001_0030), 'LMSW 0x1 (register operand)');
  assert.equal(describeExit(ExitReason.MOV_DR, 0x0317), 'MOV from DR7 to EBX');
  assert.equal(describeExit(ExitReason.TASK_SWITCH, 0xc000_0028), 'to TSS 0x28 by task gate in the IDT');
  assert.equal(
    describeExit(ExitReason.EXCEPTION_OR_NMI, 0xc000_1000, IntrInfo.encode(14, 3, true)),
    'page-fault address 0xc0001000',
  );
  assert.equal(describeExit(ExitReason.EXCEPTION_OR_NMI, 0x4001, IntrInfo.encode(1, 3, false)), 'B0 BS');
  assert.equal(describeExit(ExitReason.INVLPG, 0x1234), 'linear address 0x1234');
  assert.equal(describeExit(ExitReason.ENTRY_FAILURE_GUEST_STATE, 4), 'the VMCS link pointer is invalid');
  assert.equal(describeExit(ExitReason.CPUID, 77), '');
});

test('interruption information in words', () => {
  assert.equal(describeIntrInfo(0), 'none');
  assert.equal(describeIntrInfo(IntrInfo.encode(14, 3, true)), 'hardware exception #PF with error code');
  assert.equal(describeIntrInfo(IntrInfo.encode(14, 0, false)), 'external interrupt 14');
  assert.equal(describeIntrInfo(IntrInfo.encode(2, 2, false)), 'NMI');
  assert.equal(describeIntrInfo(IntrInfo.encode(3, 6, false)), 'software exception #BP');
});
