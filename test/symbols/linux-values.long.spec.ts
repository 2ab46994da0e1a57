// Values of Debian's Linux as text, against gdb's `print`: what the kernel's own data is when it is loaded, from lists, locks and tables of functions to
// bit-fields, flexible arrays and pointers with attributes. In the long run only: the package is 765 MB to download.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { evaluate } from '../../src/debugger/expression/evaluate.ts';
import { Names } from '../../src/debugger/expression/names.ts';
import { Elf, type ElfFile } from '../../src/machine/elf.ts';
import type { DebugInfo } from '../../src/symbols/debug-info.ts';
import type { ReadMemory } from '../../src/symbols/location-value.ts';
import { printValue } from '../../src/symbols/value/format.ts';
import { kernelMissing, kernelPath, openKernel } from './debian-kernel.ts';
import { random } from './frames-compare.ts';
import { gdb, gdbMissing } from './gdb.ts';

const skip = kernelMissing || gdbMissing();

/** One of each kind that a user of the Variables view meets. */
const CHOSEN = [
  ...['init_task.comm', 'init_task.tasks', 'init_task.__state', 'init_task.flags', 'init_task.stack', 'init_task.mm'],
  ...['init_task.active_mm', 'init_task.usage', 'init_task.alloc_lock', 'init_task.cpus_mask', 'init_task.sched_class'],
  ...['init_task.cred', 'init_task.pending', 'init_task.thread', 'init_task.restart_block', 'init_task', '&init_task'],
  ...['init_mm.mmap_lock', 'init_mm.mm_users', 'init_mm.pgd', 'init_mm', 'tcp_prot', 'tcp_prot.close', '&tcp_prot'],
  ...['system_state', 'modprobe_path', 'saved_command_line', 'boot_command_line', 'linux_banner', 'super_blocks'],
  ...['jiffies_64', 'loops_per_jiffy', 'boot_cpu_data', 'boot_cpu_data.x86_vendor_id', 'sys_call_table', 'idt_table'],
  ...['init_uts_ns', 'init_user_ns', 'init_pid_ns', 'root_user', 'panic_timeout', 'panic_notifier_list', 'rcu_state'],
  ...['shmem_aops', 'ext4_sops', 'def_chr_fops', 'proc_root', 'sysctl_base_table', 'kobj_sysfs_ops', 'current_task'],
  ...[
    'runqueues',
    'cpu_info',
    'console_sem',
    'tasklist_lock',
    'vmlist',
    'iomem_resource',
    'ioport_resource',
    'x86_init',
  ],
];

describe("values of Debian's kernel", { skip }, () => {
  let elf: ElfFile;
  let bytes: Uint8Array;
  let info: DebugInfo;
  before(() => {
    ({ bytes, elf, info } = openKernel());
  });
  const ours = (text: string): string => {
    const memory: ReadMemory = (address, into) => {
      for (let done = 0; done < into.length; done++) {
        const at = address + done;
        const segment = elf.sections.find(
          (section) =>
            (section.flags & Elf.SHF_ALLOC) !== 0 && at >= section.address && at < section.address + section.size,
        );
        if (segment === undefined) return done;
        const end = Math.min(into.length, done + segment.address + segment.size - at);
        if (segment.type !== Elf.SHT_NOBITS) {
          const from = segment.offset + at - segment.address;
          into.set(bytes.subarray(from, from + end - done), done);
        } else into.fill(0, done, end);
        done = end - 1;
      }
      return into.length;
    };
    const source = { memory, registers: [] };
    const result = evaluate(text, { names: new Names(info, undefined, 0, source), source });
    if (!result.ok) return 'Error';
    const symbolAt = (address: number): string | undefined => {
      const { function: name, offset } = info.map.locate(address);
      return name === undefined ? undefined : offset === 0 ? name : `${name}+${offset}`;
    };
    const shown = printValue(result.value, { symbolAt });
    return shown.startsWith('<error: ') ? 'Error' : shown;
  };
  /** Which of several names of one address is shown is a matter of taste. */
  const neutral = (text: string): string =>
    text
      .replace(/^\$\d+ = /, '')
      .replace(/^Error: .*/s, 'Error')
      .replace(/ <[\w.]+(\+\d+)?>/g, '');
  const compare = (texts: readonly string[]): { readonly differences: string[]; readonly compared: number } => {
    const answers = gdb(
      kernelPath!,
      texts.map((text) => `print ${text}`),
    );
    let compared = 0;
    const differences = texts.flatMap((text, i) => {
      const [mine, theirs] = [neutral(ours(text)), neutral(answers[i]!)];
      if (theirs === 'Error' || /unknown type/.test(answers[i]!)) return [];
      // Of some arrays gdb takes the declaration without a length.
      if (/^0x[0-9a-f]+( ".*)?$/.test(theirs) && /^[{"]/.test(mine)) return [];
      compared++;
      if (mine === theirs) return [];
      let at = 0;
      while (mine[at] === theirs[at]) at++;
      const part = (whole: string): string => whole.slice(Math.max(0, at - 60), at + 100);
      return [`${text}: ...${part(mine)}\n  gdb: ...${part(theirs)}`];
    });
    return { differences, compared };
  };

  it('of each kind', (t) => {
    const { differences, compared } = compare(CHOSEN);
    t.diagnostic(`${compared} compared`);
    assert.equal(differences.join('\n'), '');
    assert.ok(compared > 50);
  });

  it('300 at random', (t) => {
    const next = random(0x7e57_0004);
    const globals = elf
      .symbols()
      .filter(({ type, binding, size }) => type === Elf.STT_OBJECT && binding === Elf.STB_GLOBAL && size > 0);
    const { differences, compared } = compare(Array.from({ length: 300 }, () => globals[next(globals.length)]!.name));
    t.diagnostic(`${compared} compared`);
    assert.equal(differences.join('\n'), '');
    assert.ok(compared > 200);
  });
});
