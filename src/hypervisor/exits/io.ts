// Exit reason 30: IN, OUT, INS, OUTS on the domain's virtual ports. String forms move bytes between ports and guest memory, whose
// tables are walked for every element; a slice may end between two elements, and the same exit goes on in the next one. SDM vol. 3, table 27-5 and 27.2.5; Xen: vmx_io_instruction and handle_pio.

import { EAX, ECX, EDI, ESI, Flag } from '../../machine/cpu/state.ts';
import { Field } from '../../machine/vmx/fields.ts';
import { IoAccess } from '../../machine/vmx/qualification.ts';
import { HandlerOutcome } from '../observer.ts';
import type { Vcpu } from '../vcpu.ts';

/** Elements of a REP INS or OUTS done at one exit: a guest cannot hold the hypervisor for longer. */
const MAX_ELEMENTS = 4096;

/** Exit reason 30. */
export const exitIo = (vcpu: Vcpu): number => {
  const qualification = vcpu.vmx.vmread(Field.EXIT_QUALIFICATION);
  const port = IoAccess.port(qualification);
  const size = IoAccess.size(qualification);
  const input = IoAccess.in(qualification);
  if (IoAccess.string(qualification)) return stringIo(vcpu, port, size, input, IoAccess.rep(qualification));

  const { domain, machine } = vcpu;
  const bus = domain.platform.bus;
  const eax = machine.state.gpr(EAX);
  const mask = size === 4 ? 0xffff_ffff : (1 << (8 * size)) - 1;
  let data: number;
  if (input) {
    data = bus.in(port, size);
    machine.state.setGpr(EAX, (eax & ~mask) | (data & mask));
  } else {
    data = (eax & mask) >>> 0;
    bus.out(port, size, data);
  }
  domain.observer?.portIo(port, size, input ? 0 : 1, data, 0, 1);
  usedPort(vcpu, port, size, input, data);
  vcpu.meetBreakpoints(port, size, -1, false);
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};

/** A debugger's points at the port, and at the memory of a string form. */
const usedPort = ({ machine: { points } }: Vcpu, port: number, size: number, input: boolean, data: number): void => {
  if (points.ports) points.usedPort(port, size, !input, data);
};
const noteAccess = ({ machine: { points } }: Vcpu, linear: number, size: number, write: boolean): void => {
  if (points.data && points.watched(linear, size, write, !write)) points.note(linear, size, write, !write);
};

const stringIo = (vcpu: Vcpu, port: number, size: 1 | 2 | 4, input: boolean, rep: boolean): number => {
  const { vmx, domain, machine, access, unfinishedIo } = vcpu;
  const { state, points } = machine;
  const { bus, clock, interrupts } = domain.platform;
  // Table 27-8, bits 9:7: address size.
  const wide = ((vmx.vmread(Field.VM_EXIT_INSTRUCTION_INFO) >>> 7) & 7) !== 0;
  const index = input ? EDI : ESI;
  const user = vcpu.cpl === 3;
  const flags = vmx.vmread(Field.GUEST_RFLAGS);
  const step = (flags & Flag.DF) !== 0 ? -size : size;
  let offset = wide ? state.gpr(index) : state.gpr16(index);
  // What the exit gives is the first element's linear address; without that one's offset it is the segment's base.
  const behind = offset - step * unfinishedIo.elements;
  const base = vmx.vmread(Field.GUEST_LINEAR_ADDRESS) - (wide ? behind : behind & 0xffff);
  const total = rep ? (wide ? state.gpr(ECX) : state.gpr16(ECX)) : 1;
  const { now } = machine.clock;
  const room = Math.max(1, vcpu.sliceEnd - now);
  let { data } = unfinishedIo;
  let done = 0;
  access.begin();
  // What the processor looks at between two elements ends the exit. What may have come between two slices, too.
  let goesOn = unfinishedIo.elements === 0 || !interrupts.intr || (flags & Flag.IF) === 0;
  while (goesOn && done < room) {
    const linear = (base + offset) >>> 0;
    if (input) {
      // The destination must be writable before the port is read: a device's read has effects.
      if (!access.probeWrite(linear, size, user)) break;
      data = bus.in(port, size);
      noteAccess(vcpu, linear, size, true);
      access.write(linear, size, data, user);
    } else {
      noteAccess(vcpu, linear, size, false);
      data = access.read(linear, size, user);
      if (access.faultVector >= 0) {
        points.drop();
        break;
      }
      bus.out(port, size, data);
    }
    if (points.armed) points.ends();
    usedPort(vcpu, port, size, input, data);
    offset = wide ? (offset + step) >>> 0 : (offset + step) & 0xffff;
    done++;
    // Each element is an instruction's time.
    clock.set(now + done);
    goesOn =
      !vcpu.meetBreakpoints(port, size, linear, input) &&
      done < total &&
      unfinishedIo.elements + done < MAX_ELEMENTS &&
      (flags & Flag.TF) === 0 &&
      clock.nextDeadline > clock.now &&
      (!interrupts.intr || (flags & Flag.IF) === 0) &&
      domain.stopped === undefined;
  }
  if (wide) state.setGpr(index, offset);
  else state.setGpr16(index, offset);
  if (rep && wide) state.setGpr(ECX, total - done);
  else if (rep) state.setGpr16(ECX, total - done);
  const elements = unfinishedIo.elements + done;
  const faulted = access.faultVector >= 0;
  // The last element is retired with what completes an instruction, or a repetition of it.
  const retiring = faulted ? done : done - 1;
  if (retiring > 0) machine.retire(retiring);
  if (!faulted && done > 0) {
    if (done === total) vcpu.completeInstruction();
    else vcpu.finishEmulated();
  }
  // The slice is over, the exit is not.
  unfinishedIo.elements = goesOn && !faulted ? elements : 0;
  unfinishedIo.data = data;
  if (unfinishedIo.elements > 0) return HandlerOutcome.EMULATED;
  if (elements > 0) domain.observer?.portIo(port, size, input ? 0 : 1, data, 1, elements);
  if (!faulted) return HandlerOutcome.EMULATED;
  vcpu.injectAccessFault();
  return HandlerOutcome.INJECTED;
};
