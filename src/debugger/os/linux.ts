// Linux as a debugger sees it, from 2.6.30 on: what moved between versions is looked up in the kernel's own types, so no table of versions is
// needed. include/linux/sched.h, arch/x86/include/asm/{switch_to,current,processor}.h, include/linux/module.h. The log is linux-log.ts.

import type { DebugInfo } from '../../symbols/debug-info.ts';
import type { SectionPlace } from '../../symbols/object-file.ts';
import { typeName } from '../../symbols/type-names.ts';
import { Register, type Registers } from '../../symbols/unwind/unwinder.ts';
import { type Moments, OfMoment } from '../moment.ts';
import type { DebugGuest } from '../target.ts';
import type {
  CallInProgress,
  GuestModule,
  GuestTask,
  LogLine,
  MemoryRegion,
  ModuleFunction,
  OsAwareness,
  SystemCall,
} from './awareness.ts';
import { readLinuxLog } from './linux-log.ts';
import { regionsOfModule } from './linux-module-regions.ts';
import { buildIdOfModule, sectionsOfModule } from './linux-module-sections.ts';
import { functionsOfModule } from './linux-module-symbols.ts';
import { Structures } from './structures.ts';

/** Bits of task_struct's state and exit_state, and the letter that ps shows; the first that is set counts. */
const STATES: readonly (readonly [bits: number, letter: string])[] = [
  [0x20, 'Z'],
  [0x10, 'X'],
  [0x04, 'T'],
  [0x08, 't'],
  [0x40, 'P'],
  [0x402, 'I'],
  [0x02, 'D'],
  [0x01, 'S'],
];
const PF_KTHREAD = 0x0020_0000;
const LONGEST_NAME = 256;
const LONGEST_BANNER = 512;
/** Members of pt_regs in the order of DWARF's numbers, EAX to EFLAGS. */
const PT_REGS_MEMBERS = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di', 'ip', 'flags'] as const;
/** Where they are, for kernels without debug data: the same since 2.6.30 (arch/x86/include/asm/ptrace.h). */
export const PT_REGS = [24, 4, 8, 0, 60, 20, 12, 16, 48, 56] as const;
const MORE_THAN_ANY_CALL = 1024;
/** Members of pt_regs with a system call's arguments. */
const CALL_ARGUMENTS = ['bx', 'cx', 'dx', 'si', 'di', 'bp'] as const;

/** What of the machine is looked at, with the kernel mapped. */
export type LinuxGuest = Moments & Pick<DebugGuest, 'readMemory' | 'translate'>;

export class Linux implements OsAwareness {
  private readonly structures: Structures;
  private readonly loaded: OfMoment<readonly GuestModule[]>;

  private constructor(
    info: DebugInfo,
    private readonly guest: () => LinuxGuest,
  ) {
    this.structures = new Structures(info, (linear, into) => guest().readMemory(linear, into));
    this.loaded = new OfMoment(guest, () => this.readModules());
  }

  /** Undefined unless the symbols are those of a Linux kernel with types. */
  static recognise(info: DebugInfo, guest: () => LinuxGuest): Linux | undefined {
    const linux = new Linux(info, guest);
    const { structures } = linux;
    const known =
      structures.symbol('init_task') !== undefined && structures.field('task_struct', 'tasks') !== undefined;
    return known ? linux : undefined;
  }

  /** With its version, once the kernel is there to be read. */
  get name(): string {
    const banner = this.structures.symbol('linux_banner');
    const text = banner === undefined ? undefined : this.structures.text(banner, LONGEST_BANNER);
    return /^Linux version \S+/.exec(text ?? '')?.[0].replace(' version', '') ?? 'Linux';
  }

  tasks(): GuestTask[] {
    const s = this.structures;
    const first = s.symbol('init_task')!;
    const leaders = [first, ...s.list(first + s.field('task_struct', 'tasks')!.offset, 'task_struct', 'tasks')];
    const running = new Set(this.processors().map((processor) => this.currentTask(processor)));
    return leaders
      .flatMap((leader) => this.threads(leader))
      .map((address) => this.task(address, running.has(address)))
      .filter((task) => task !== undefined);
  }

  /** A process's threads; the leader alone if the list cannot be read. */
  private threads(leader: number): number[] {
    const s = this.structures;
    const signal = s.read(leader, 'task_struct', 'signal');
    const head = s.field('signal_struct', 'thread_head');
    if (signal === undefined || head === undefined) return [leader];
    const threads = [...s.list(signal + head.offset, 'task_struct', 'thread_node')];
    return threads.includes(leader) ? threads : [leader, ...threads];
  }

  private task(address: number, running: boolean): GuestTask | undefined {
    const s = this.structures;
    const id = s.read(address, 'task_struct', 'pid');
    if (id === undefined) return undefined;
    return {
      id,
      process: s.read(address, 'task_struct', 'tgid') ?? id,
      name: this.fullName(address) ?? s.readText(address, 'task_struct', 'comm') ?? '?',
      state: this.state(address),
      address,
      kernel: s.read(address, 'task_struct', 'mm') === 0,
      registers: running ? undefined : this.switchedOut(address),
      pageTable: this.pageTable(address),
      call: this.call(address),
    };
  }

  private pageTable(address: number): number | undefined {
    const s = this.structures;
    const mm = s.read(address, 'task_struct', 'mm');
    const directory = mm ? s.read(mm, 'mm_struct', 'pgd') : undefined;
    return directory === undefined ? undefined : this.guest().translate(directory);
  }

  /** By what the entry from user space left at the top of the kernel stack: orig_ax is a number for system calls, negative for the rest. */
  private call(address: number): CallInProgress | undefined {
    const s = this.structures;
    const size = s.size('pt_regs');
    const top = s.read(address, 'task_struct', 'thread.sp0');
    if (size === undefined || top === undefined || s.read(address, 'task_struct', 'mm') === 0) return undefined;
    const registers = (top - size) >>> 0;
    const number = s.read(registers, 'pt_regs', 'orig_ax');
    const inKernel = s.read(registers, 'pt_regs', 'cs');
    if (number === undefined || number >= MORE_THAN_ANY_CALL || ((inKernel ?? 0) & 3) !== 3) return undefined;
    const values = CALL_ARGUMENTS.map((member) => s.read(registers, 'pt_regs', member));
    return { number, arguments: values.filter((value) => value !== undefined) };
  }

  /** `comm` has room for fifteen characters; kernel threads with longer names keep them elsewhere since 5.17. */
  private fullName(address: number): string | undefined {
    const s = this.structures;
    if (((s.read(address, 'task_struct', 'flags') ?? 0) & PF_KTHREAD) === 0) return undefined;
    const thread = s.read(address, 'task_struct', 'worker_private');
    const name = thread ? s.read(thread, 'kthread', 'full_name') : undefined;
    return name ? s.text(name, LONGEST_NAME) : undefined;
  }

  private state(address: number): string {
    const s = this.structures;
    const now = s.read(address, 'task_struct', '__state') ?? s.read(address, 'task_struct', 'state');
    if (now === undefined) return '?';
    const bits = now | (s.read(address, 'task_struct', 'exit_state') ?? 0);
    return STATES.find(([mask]) => (bits & mask) === mask)?.[1] ?? 'R';
  }

  /** What __switch_to_asm left on the kernel stack of a task that does not run. */
  private switchedOut(address: number): Registers | undefined {
    const s = this.structures;
    const stack = s.read(address, 'task_struct', 'thread.sp');
    const back = s.field('inactive_task_frame', 'ret_addr');
    if (stack === undefined || back === undefined) return undefined;
    const saved = (member: string): number | undefined => s.read(stack, 'inactive_task_frame', member);
    const registers: (number | undefined)[] = Array<undefined>(10).fill(undefined);
    registers[Register.ebx] = saved('bx');
    registers[Register.ebp] = saved('bp');
    registers[Register.esi] = saved('si');
    registers[Register.edi] = saved('di');
    registers[Register.eip] = saved('ret_addr');
    registers[Register.esp] = (stack + back.offset + 4) >>> 0;
    return registers[Register.eip] === undefined ? undefined : registers;
  }

  private processors(): number[] {
    const s = this.structures;
    const mask = s.word(s.symbol('__cpu_online_mask')) ?? 1;
    return Array.from({ length: 32 }, (_, processor) => processor).filter((processor) => (mask >>> processor) & 1);
  }

  /** `current_task`, a variable of each processor; a member of `pcpu_hot` from 6.2 to 6.13. */
  currentTask(processor: number): number | undefined {
    const s = this.structures;
    const hot = s.symbol('pcpu_hot');
    const variable =
      hot === undefined ? s.symbol('current_task') : hot + (s.field('pcpu_hot', 'current_task')?.offset ?? 0);
    if (variable === undefined) return undefined;
    const offsets = s.symbol('__per_cpu_offset');
    const offset = offsets === undefined ? 0 : s.word(offsets + 4 * processor);
    return offset === undefined ? undefined : s.word((variable + offset) >>> 0);
  }

  get moduleStart(): number | undefined {
    return this.structures.symbol('do_init_module');
  }

  /** The kernel maps itself below where it puts modules: the area of vmalloc (arch/x86/include/asm/pgtable_32_areas.h). */
  get lowestModule(): number | undefined {
    return this.structures.symbol('_text');
  }

  modules(): readonly GuestModule[] {
    return this.loaded.now;
  }
  private readModules(): GuestModule[] {
    const s = this.structures;
    const head = s.symbol('modules');
    if (head === undefined) return [];
    return [...s.list(head, 'module', 'list')].flatMap((address) => {
      const name = s.readText(address, 'module', 'name');
      const regions = regionsOfModule(s, address);
      const [core] = regions;
      if (core === undefined || name === undefined) return [];
      return [new LinuxModule(s, address, name, core, regions)];
    });
  }

  /** By the kernel's own table; names and types of its parameters by the function's debug data. */
  systemCall(number: number): SystemCall | undefined {
    const s = this.structures;
    const table = s.symbol('sys_call_table') ?? s.symbol('ia32_sys_call_table');
    if (table === undefined || number < 0 || number >= MORE_THAN_ANY_CALL) return undefined;
    const entry = s.info.map.symbol('sys_call_table') ?? s.info.map.symbol('ia32_sys_call_table');
    if (entry !== undefined && entry.size > 0 && number * 4 >= entry.size) return undefined;
    const handler = s.word(table + 4 * number);
    const symbol = handler === undefined ? undefined : s.info.map.symbol(handler);
    if (symbol?.address !== handler || symbol === undefined) return undefined;
    const name = symbol.name.replace(/^__(?:ia32|x86)_/, '').replace(/^compat_sys_|^sys_/, '');
    return { number, name, parameters: this.parameters(symbol.name, name) };
  }

  /** The table's functions take registers; `__do_sys_NAME` has the parameters as the source declares them, even where it is only inlined. */
  private parameters(wrapper: string, name: string): SystemCall['parameters'] {
    const { info } = this.structures;
    for (const candidate of [`__do_sys_${name}`, `__do_compat_sys_${name}`, `sys_${name}`, wrapper]) {
      const parameters = info.parametersOf(candidate);
      if (parameters.length === 0 || parameters[0]!.name === '__unused' || parameters[0]!.name === 'regs') continue;
      return parameters.map((parameter) => ({ name: parameter.name, type: typeName(parameter.type) }));
    }
    return [];
  }

  /** Byte offsets in `struct pt_regs` by DWARF's register numbers: what interrupt frames are read by. */
  get ptRegs(): readonly number[] | undefined {
    const offsets = PT_REGS_MEMBERS.map((member) => this.structures.field('pt_regs', member)?.offset);
    return offsets.every((offset) => offset !== undefined) ? offsets : undefined;
  }

  log(): LogLine[] {
    return readLinuxLog(this.structures);
  }
}

/** Read as far as it is asked for. */
class LinuxModule implements GuestModule {
  readonly base: number;
  readonly bytes: number;
  private knownFunctions: readonly ModuleFunction[] | undefined;
  private knownSections: readonly SectionPlace[] | undefined;
  private knownBuild: { readonly id: string | undefined } | undefined;

  constructor(
    private readonly structures: Structures,
    private readonly address: number,
    readonly name: string,
    core: MemoryRegion,
    readonly regions: readonly MemoryRegion[],
  ) {
    ({ base: this.base, bytes: this.bytes } = core);
  }

  get functions(): readonly ModuleFunction[] {
    return (this.knownFunctions ??= functionsOfModule(this.structures, this.address));
  }
  get sections(): readonly SectionPlace[] {
    return (this.knownSections ??= sectionsOfModule(this.structures, this.address, this.regions));
  }
  get buildId(): string | undefined {
    return (this.knownBuild ??= { id: buildIdOfModule(this.structures, this.sections) }).id;
  }
}
