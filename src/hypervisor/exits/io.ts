// Exit reason 30: IN, OUT, INS, OUTS on the domain's virtual ports. String forms move bytes between ports and guest memory, whose
// tables are walked for every element. SDM vol. 3, table 27-5 and 27.2.5; Xen: vmx_io_instruction and handle_pio.

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
  vcpu.meetIoBreakpoints(port, size);
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};

const stringIo = (vcpu: Vcpu, port: number, size: 1 | 2 | 4, input: boolean, rep: boolean): number => {
  const { vmx, domain, machine, access } = vcpu;
  const state = machine.state;
  const bus = domain.platform.bus;
  // Table 27-8, bits 9:7: address size.
  const wide = ((vmx.vmread(Field.VM_EXIT_INSTRUCTION_INFO) >>> 7) & 7) !== 0;
  const index = input ? EDI : ESI;
  const user = vcpu.cpl === 3;
  const step = (vmx.vmread(Field.GUEST_RFLAGS) & Flag.DF) !== 0 ? -size : size;
  const first = wide ? state.gpr(index) : state.gpr16(index);
  // The first element's linear address minus its offset is the segment's base.
  const base = vmx.vmread(Field.GUEST_LINEAR_ADDRESS) - first;
  const total = rep ? (wide ? state.gpr(ECX) : state.gpr16(ECX)) : 1;
  let offset = first;
  let done = 0;
  let data = 0;
  access.begin();
  // The trap flag traps between the elements.
  const stepped = (vmx.vmread(Field.GUEST_RFLAGS) & Flag.TF) !== 0;
  // Each element is a cycle: what is due on the virtual platform comes between them.
  const { clock } = domain.platform;
  const most = Math.min(total, stepped ? 1 : MAX_ELEMENTS, Math.max(1, clock.nextDeadline - clock.now));
  while (done < most) {
    const linear = (base + offset) >>> 0;
    if (input) {
      // The destination must be writable before the port is read: a device's read has effects.
      if (!access.probeWrite(linear, size, user)) break;
      data = bus.in(port, size);
      access.write(linear, size, data, user);
    } else {
      data = access.read(linear, size, user);
      if (access.faultVector >= 0) break;
      bus.out(port, size, data);
    }
    offset = wide ? (offset + step) >>> 0 : (offset + step) & 0xffff;
    done++;
    // A breakpoint traps behind each element.
    if (vcpu.meetIoBreakpoints(port, size) || domain.stopped !== undefined) break;
  }
  if (wide) state.setGpr(index, offset);
  else state.setGpr16(index, offset);
  if (rep && wide) state.setGpr(ECX, total - done);
  else if (rep) state.setGpr16(ECX, total - done);
  if (done > 0) domain.observer?.portIo(port, size, input ? 0 : 1, data, 1, done);
  if (access.faultVector >= 0) {
    if (done > 0) machine.retire(done);
    vcpu.injectAccessFault();
    return HandlerOutcome.INJECTED;
  }
  // Each repetition counts as an instruction; the last one completes it.
  if (done > 1) machine.retire(done - 1);
  if (done === total) vcpu.completeInstruction();
  else vcpu.finishEmulated();
  return HandlerOutcome.EMULATED;
};
