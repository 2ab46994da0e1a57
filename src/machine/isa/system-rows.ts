// Rows of the instructions that TypeScript helpers execute: segments, system registers, far transfers, interrupts, I/O, VMX.
// Their semantics are in cpu/ and vmx/. SDM vol. 2, appendix A.

import {
  clts,
  lgdt,
  lidt,
  lmsw,
  movFromCr,
  movFromDr,
  movToCr,
  movToDr,
  sgdt,
  sidt,
  smsw,
} from '../cpu/control-registers.ts';
import { cpuid } from '../cpu/cpuid.ts';
import { arpl, lar, lldt, lsl, ltr, sldt, str, verr, verw } from '../cpu/descriptor-instructions.ts';
import { callFar, jmpFar, retFar } from '../cpu/far-transfer.ts';
import { cli, popf, pushf, sti } from '../cpu/flag-instructions.ts';
import { bound, int1, int3, intN, into, iret } from '../cpu/interrupt-instructions.ts';
import { inDx, inImm, ins, outDx, outImm, outs } from '../cpu/io.ts';
import { rdmsr, rdtsc, wrmsr } from '../cpu/msr.ts';
import { lds, les, lfs, lgs, lss, movToSreg, popSreg } from '../cpu/segmentation.ts';
import { monitor, mwait } from '../cpu/monitor-wait.ts';
import { rdpmc } from '../cpu/performance-counters.ts';
import { clflush, hlt, invd, invlpg, pause, sysenter, sysexit, ud2, wbinvd } from '../cpu/system.ts';
import { DS, ES, FS, GS } from '../cpu/state.ts';
import type { Helper } from '../cpu/cpu.ts';
import { Vector } from '../cpu/cpu.ts';
import { Condition, type Emitter } from './emitter.ts';
import * as controlEmitted from './control-emitted.ts';
import * as descriptorEmitted from './descriptor-emitted.ts';
import * as farEmitted from './far-emitted.ts';
import * as emitted from './flag-emitted.ts';
import * as gates from './gate-emitted.ts';
import * as msrEmitted from './msr-emitted.ts';
import * as portEmitted from './port-emitted.ts';
import * as segmentEmitted from './segment-emitted.ts';
import { guarded, hard, row, type Row, type RowText, type Semantics } from './row.ts';
import { stringForms } from './string-rows.ts';

const byte = { bits: 8 } as const;
const transfers = { ends: true, near: true, sized: true } as const;
/** Emitter.lookUp is behind it. */
const looksUp = { ends: true } as const;
const implicitStack = { stack: true, sized: true } as const;
/** A VMX instruction by its basic exit reason (SDM vol. 3, appendix C). */
const vmx =
  (reason: number): Helper =>
  (cpu, op) =>
    cpu.vmx.instruction(cpu, reason, op);
/** The operand size shows in the name where it isn't the code segment's. */
const sized = (name: string): RowText => ({ names: `${name}~`, att: `${name}~` });
const undefinedOpcode: Helper = (cpu) => cpu.raise(Vector.UD);

/** A register destination is zero-extended to the operand size; memory gets 16 bits (SDM MOV). */
const moveFromSegment: Semantics = (e: Emitter) => {
  const selector = e.let(e.read(1));
  if (e.isMemory(0)) e.store(2, selector);
  else e.write(0, selector);
};
const fence: Semantics = () => undefined;
const storeNonTemporal: Semantics = (e) => e.write(0, e.let(e.read(1)));

export const systemRows: readonly Row[] = [
  ...guarded('sldt', '0f 00 /0', 'Rv', descriptorEmitted.sldt, sldt),
  ...hard('sldt', '0f 00 /0', 'Mw', sldt),
  ...guarded('str', '0f 00 /1', 'Rv', descriptorEmitted.str, str),
  ...hard('str', '0f 00 /1', 'Mw', str),
  ...hard('lldt', '0f 00 /2', 'Ew', lldt),
  ...hard('ltr', '0f 00 /3', 'Ew', ltr),
  ...guarded('verr', '0f 00 /4', 'Rw', descriptorEmitted.verr, verr),
  ...hard('verr', '0f 00 /4', 'Mw', verr),
  ...guarded('verw', '0f 00 /5', 'Rw', descriptorEmitted.verw, verw),
  ...hard('verw', '0f 00 /5', 'Mw', verw),
  ...hard('vmcall', 'NP 0f 01 =c1', '', vmx(18)),
  ...hard('vmlaunch', 'NP 0f 01 =c2', '', vmx(20)),
  ...hard('vmresume', 'NP 0f 01 =c3', '', vmx(24)),
  ...hard('vmxoff', 'NP 0f 01 =c4', '', vmx(26)),
  ...hard('monitor', 'NP 0f 01 =c8', '', monitor, { att: '&monitor' }),
  ...hard('mwait', 'NP 0f 01 =c9', '', mwait),
  ...guarded('sgdt', '0f 01 /0', 'Ms', descriptorEmitted.sgdt, sgdt, sized('sgdt')),
  ...guarded('sidt', '0f 01 /1', 'Ms', descriptorEmitted.sidt, sidt, sized('sidt')),
  ...hard('lgdt', '0f 01 /2', 'Ms', lgdt, sized('lgdt')),
  ...hard('lidt', '0f 01 /3', 'Ms', lidt, sized('lidt')),
  ...guarded('smsw', '0f 01 /4', 'Rv', controlEmitted.smsw, smsw),
  ...hard('smsw', '0f 01 /4', 'Mw', smsw),
  ...hard('lmsw', '0f 01 /6', 'Ew', lmsw),
  ...guarded('invlpg', '0f 01 /7', 'M', controlEmitted.invlpg, invlpg),
  ...guarded('lar', '0f 02 /r', 'Gv Rw', descriptorEmitted.lar, lar, { shows: 'Gv Rv' }),
  ...hard('lar', '0f 02 /r', 'Gv Mw', lar),
  ...guarded('lsl', '0f 03 /r', 'Gv Rw', descriptorEmitted.lsl, lsl, { shows: 'Gv Rv' }),
  ...hard('lsl', '0f 03 /r', 'Gv Mw', lsl),
  ...guarded('clts', '0f 06', '', controlEmitted.clts, clts, { ends: true, near: true }),
  ...hard('invd', '0f 08', '', invd),
  ...hard('wbinvd', '0f 09', '', wbinvd),
  ...hard('ud2', '0f 0b', '', ud2),
  // UD1 and UD0 take a ModRM byte and what it asks for (SDM vol. 2, UD).
  ...hard('ud1', '0f b9 /r', 'Gv Ev', undefinedOpcode),
  ...hard('ud0', '0f ff /r', 'Gv Ev', undefinedOpcode),
  ...guarded('mov', '0f 20 /r', 'Rd Cd', controlEmitted.movFromCr, movFromCr),
  ...guarded('mov', '0f 21 /r', 'Rd Dd', controlEmitted.movFromDr, movFromDr),
  ...guarded('mov', '0f 22 /r', 'Cd Rd', controlEmitted.movToCr, movToCr, transfers),
  ...guarded('mov', '0f 23 /r', 'Dd Rd', controlEmitted.movToDr, movToDr),
  ...guarded('wrmsr', '0f 30', '', msrEmitted.wrmsr, wrmsr),
  ...guarded('rdtsc', '0f 31', '', emitted.rdtsc, rdtsc),
  ...guarded('rdmsr', '0f 32', '', msrEmitted.rdmsr, rdmsr),
  ...hard('rdpmc', '0f 33', '', rdpmc),
  ...guarded('sysenter', '0f 34', '', gates.sysenter, sysenter, transfers),
  ...guarded('sysexit', '0f 35', '', gates.sysexit, sysexit, transfers),
  ...hard('cpuid', '0f a2', '', cpuid),
  ...hard('rsm', '0f aa', '', undefinedOpcode),
  ...hard('vmread', 'NP 0f 78 /r', 'Ed Gd', vmx(23)),
  ...hard('vmwrite', 'NP 0f 79 /r', 'Gd Ed', vmx(25)),
  ...hard('vmptrld', 'NP 0f c7 /6', 'Mq', vmx(21)),
  ...hard('vmclear', 'P66 0f c7 /6', 'Mq', vmx(19)),
  ...hard('vmxon', 'PF3 0f c7 /6', 'Mq', vmx(27)),
  ...hard('vmptrst', 'NP 0f c7 /7', 'Mq', vmx(22)),
  // The processor ignores ModRM.rm of the fences (SDM vol. 2, LFENCE).
  ...row('lfence', 'NP 0f ae /5', 'R', fence, { shows: '' }),
  ...row('mfence', 'NP 0f ae /6', 'R', fence, { shows: '' }),
  ...row('sfence', 'NP 0f ae /7', 'R', fence, { shows: '' }),
  ...hard('clflush', 'NP 0f ae /7', 'Mb', clflush, byte),
  ...row('movnti', 'NP 0f c3 /r', 'Md Gd', storeNonTemporal),
  ...row('mov', '8c /r', 'Ev Sw', moveFromSegment, { shows: 'Rv/Mw Sw' }),
  ...guarded('mov', '8e /r', 'Sw Ew', segmentEmitted.movToSreg, movToSreg, { shows: 'Sw Rv/Mw' }),
  ...guarded('pop', '07', 'ES', segmentEmitted.popSreg(ES), popSreg, { ...implicitStack, ...sized('pop') }),
  ...hard('pop', '17', 'SS', popSreg, sized('pop')),
  ...guarded('pop', '1f', 'DS', segmentEmitted.popSreg(DS), popSreg, { ...implicitStack, ...sized('pop') }),
  ...guarded('pop', '0f a1', 'FS', segmentEmitted.popSreg(FS), popSreg, { ...implicitStack, ...sized('pop') }),
  ...guarded('pop', '0f a9', 'GS', segmentEmitted.popSreg(GS), popSreg, { ...implicitStack, ...sized('pop') }),
  ...hard('les', 'c4 /r', 'Gv Mp', les),
  ...hard('lds', 'c5 /r', 'Gv Mp', lds),
  ...hard('lss', '0f b2 /r', 'Gv Mp', lss),
  ...hard('lfs', '0f b4 /r', 'Gv Mp', lfs),
  ...hard('lgs', '0f b5 /r', 'Gv Mp', lgs),
  ...hard('arpl', '63 /r', 'Ew Gw', arpl),
  ...hard('bound', '62 /r', 'Gv Ma', bound, { att: '=bound' }),
  ...guarded('call', '9a', 'Ap', farEmitted.callFar, callFar, { ...transfers, att: 'lcall~' }),
  ...guarded('jmp', 'ea', 'Ap', farEmitted.jmpFar, jmpFar, { ...transfers, att: 'ljmp~' }),
  ...hard('call', 'ff /3', 'Mp', callFar, { att: 'lcall~@' }),
  ...hard('jmp', 'ff /5', 'Mp', jmpFar, { att: 'ljmp~@' }),
  ...guarded('retf', 'ca', 'Iw', farEmitted.retFarPop, retFar, { ...transfers, names: 'retf~', att: 'lret~' }),
  ...guarded('retf', 'cb', '', farEmitted.retFar, retFar, { ...transfers, names: 'retf~', att: 'lret~' }),
  ...hard('int3', 'cc', '', int3),
  ...guarded('int', 'cd', 'Ib', gates.intN, intN, transfers),
  ...guarded('into', 'ce', '', (e) => e.orHelper(e.condition(Condition.NO)), into),
  ...hard('int1', 'f1', '', int1),
  ...guarded('iret', 'cf', '', gates.iret, iret, { ...transfers, names: 'iret|iretd', att: 'iret~' }),
  ...guarded('pushf', '9c', '', emitted.pushf, pushf, { ...implicitStack, names: 'pushf|pushfd', att: 'pushf~' }),
  ...guarded('popf', '9d', '', emitted.popf, popf, { ...implicitStack, names: 'popf|popfd', att: 'popf~' }),
  ...guarded('cli', 'fa', '', emitted.cli, cli),
  ...guarded('sti', 'fb', '', emitted.sti, sti),
  ...hard('hlt', 'f4', '', hlt),
  ...guarded('in', 'e4', 'AL Ib', portEmitted.inPort, inImm, { ...byte, ...looksUp }),
  ...guarded('in', 'e5', 'rAX Ib', portEmitted.inPort, inImm, looksUp),
  ...guarded('out', 'e6', 'Ib AL', portEmitted.outPort, outImm, { ...byte, ...looksUp }),
  ...guarded('out', 'e7', 'Ib rAX', portEmitted.outPort, outImm, looksUp),
  ...guarded('in', 'ec', 'AL DX', portEmitted.inPort, inDx, { ...byte, ...looksUp }),
  ...guarded('in', 'ed', 'rAX DX', portEmitted.inPort, inDx, looksUp),
  ...guarded('out', 'ee', 'DX AL', portEmitted.outPort, outDx, { ...byte, ...looksUp }),
  ...guarded('out', 'ef', 'DX rAX', portEmitted.outPort, outDx, looksUp),
  ...stringForms('ins', 0x6c, ins, (_, w) => `DI${w} DX`, true),
  ...stringForms('outs', 0x6e, outs, (_, w) => `DX SI${w}`, true),
  ...guarded('pause', 'PF3 90', '', emitted.pause, pause),
];
