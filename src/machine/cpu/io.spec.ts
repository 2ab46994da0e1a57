import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '../devices/device.ts';
import { PrimaryControl } from '../vmx/controls.ts';
import { Field } from '../vmx/fields.ts';
import { enter, fixture, operands, setControls, type Fixture } from '../vmx/vmx.fixture.ts';
import { Vector } from './cpu.ts';
import { inDx, inImm, ins, outDx, outImm, outs, portAllowed } from './io.ts';
import { StateLayout, TR } from './state.ts';

/** Reads count up; writes are kept. */
class Recorder implements Device {
  readonly name = 'recorder';
  readonly wide = true;
  readonly writes: [number, number, number][] = [];
  reads = 0;
  read(): number {
    return 0x1111_1110 + ++this.reads;
  }
  write(offset: number, size: number, value: number): void {
    this.writes.push([offset, size, value]);
  }
  registerName(): string {
    return 'DATA';
  }
  reset(): void {
    this.reads = 0;
  }
  saveState(): number[] {
    return [this.reads];
  }
  loadState(state: readonly number[]): void {
    this.reads = state[0]!;
  }
}

const make = (): Fixture & { device: Recorder } => {
  const f = fixture({ bare: true });
  const device = new Recorder();
  f.bus.claimPorts(0x1f0, 4, device);
  return { ...f, device };
};
const fault = (f: Fixture): number => {
  const vector = f.cpu.s.get(StateLayout.faultVector) - 1;
  f.cpu.clearFault();
  return vector;
};

test('IN and OUT move AL, AX or EAX only', () => {
  const f = make();
  const s = f.cpu.s;
  s.setGpr(0, 0xffff_ffff);
  s.setGpr(2, 0x1f0);
  assert.equal(inDx(f.cpu, operands({ size: 8 })), true);
  assert.equal(s.gpr(0), 0xffff_ff11);
  assert.equal(inDx(f.cpu, operands({ size: 16 })), true);
  assert.equal(s.gpr(0), 0xffff_1112);
  assert.equal(inDx(f.cpu, operands()), true);
  assert.equal(s.gpr(0), 0x1111_1113);
  assert.equal(inImm(f.cpu, operands({ size: 8, imm: -1 })), true, 'port FFh, which nobody claims');
  assert.equal(s.gpr(0), 0x1111_11ff);
  outDx(f.cpu, operands({ size: 16 }));
  outDx(f.cpu, operands({ size: 8 }));
  outImm(f.cpu, operands({ size: 8, imm: 0x80 }));
  outDx(f.cpu, operands());
  assert.deepEqual(f.device.writes, [
    [0, 2, 0x11ff],
    [0, 1, 0xff],
    [0, 4, 0x1111_11ff],
  ]);
});

test('the I/O permission bitmap: each port of an access, the limit, the kind of TSS', () => {
  const f = make();
  const s = f.cpu.s;
  const tss = 0x7000;
  s.setSegment(TR, 0x18, tss, 0x68 + 0x2000, 0x8b);
  f.memory.write16(tss + 102, 0x68);
  f.memory.write8(tss + 0x68 + (0x1f0 >> 3), 0b100);
  const asks = (port: number, size: number): boolean => {
    const allowed = portAllowed(f.cpu, port, size);
    if (!allowed) assert.equal(fault(f), Vector.GP);
    return allowed;
  };
  assert.equal(asks(0x1f2, 1), true, 'CPL 0');
  s.cpl = 3;
  assert.deepEqual(
    [0x1f1, 0x1f2, 0x1f3].map((port) => asks(port, 1)),
    [true, false, true],
  );
  assert.deepEqual([asks(0x1f0, 2), asks(0x1f1, 2), asks(0x1f0, 4), asks(0x1ef, 4)], [true, false, false, false]);
  s.eflags = 0x3002;
  assert.equal(asks(0x1f2, 1), true, 'IOPL 3');
  s.eflags = 0x2_3002;
  assert.equal(asks(0x1f2, 1), false, 'virtual-8086 mode ignores IOPL');
  s.eflags = 2;
  assert.equal(asks(0xffff, 1), true);
  s.setSegment(TR, 0x18, tss, 0x68 + 0x1fff, 0x8b);
  assert.equal(asks(0xffff, 1), false, 'the second byte lies beyond the limit');
  s.setSegment(TR, 0x18, tss, 0xffff, 0x83);
  assert.equal(asks(0x1f0, 1), false, 'a 16-bit TSS has no bitmap');
});

test('REP INS and REP OUTS: one element a call, DF, the count, the address size', () => {
  const f = make();
  const s = f.cpu.s;
  s.setGpr(1, 2);
  s.setGpr(2, 0x1f0);
  s.setGpr(7, 0x3_9000);
  const op = operands({ rep: 0xf3, size: 16, eip: 0x100 });
  f.cpu.nextEip = 0x102;
  assert.equal(ins(f.cpu, op), true);
  assert.deepEqual([s.gpr(1), s.gpr(7), f.cpu.nextEip, f.memory.read16(0x3_9000)], [1, 0x3_9002, 0x100, 0x1111]);
  f.cpu.nextEip = 0x102;
  assert.equal(ins(f.cpu, op), true);
  assert.deepEqual([s.gpr(1), s.gpr(7), f.cpu.nextEip], [0, 0x3_9004, 0x102]);
  assert.equal(ins(f.cpu, op), true);
  assert.equal(f.device.reads, 2, 'a count of 0 does nothing');

  s.eflags = 0x402;
  s.setGpr(1, 0xffff_0001);
  s.setGpr(6, 0xabcd_9004);
  f.memory.write32(0x9004, 0x8877_6655);
  assert.equal(outs(f.cpu, operands({ rep: 0xf2, addressSize: 16 })), true);
  assert.deepEqual(f.device.writes, [[0, 4, 0x8877_6655]]);
  assert.deepEqual([s.gpr(1), s.gpr(6)], [0xffff_0000, 0xabcd_9000]);
});

test('INS to a page that is not there reads nothing from the device', () => {
  const f = make();
  f.cpu.s.setGpr(2, 0x1f0);
  f.cpu.s.setGpr(7, 0x40_0000 - 2);
  assert.equal(ins(f.cpu, operands()), false);
  assert.equal(fault(f), Vector.PF);
  assert.equal(f.device.reads, 0);
  assert.equal(f.cpu.s.gpr(7), 0x40_0000 - 2);
});

test('a VM exit comes before the device and after the permission', () => {
  const f = make();
  setControls(f.vmx, Field.CPU_BASED_VM_EXEC_CONTROL, PrimaryControl.UNCONDITIONAL_IO_EXITING);
  enter(f);
  f.cpu.s.setGpr(2, 0x1f0);
  assert.equal(inDx(f.cpu, operands({ size: 8 })), false);
  assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 0x01f0_0008);
  assert.equal(f.device.reads, 0);
  f.vmx.vmresume();
  f.cpu.s.cpl = 3;
  f.memory.write16(0x7000 + 102, 0x68);
  assert.equal(outImm(f.cpu, operands({ size: 8, imm: 0x80 })), false);
  assert.equal(fault(f), Vector.GP);
  assert.equal(f.vmx.nonRoot, true);
});
