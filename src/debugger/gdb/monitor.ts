// What `monitor` in GDB offers beyond its own commands: what only this machine knows. Text in, text out. Not GDB's packets (stub.ts); commands of
// the surroundings (exit counts, the VMCS) come from outside.

import { describeWalk, walkPages } from '../page-tables.ts';
import { describeFields, GROUP_TITLES, type RegisterGroup, REGISTERS } from '../registers.ts';
import type { DebugGuest, DebugTarget, StopPoint } from '../target.ts';

export interface MonitorCommand {
  readonly name: string;
  /** Arguments, as help shows them. */
  readonly usage: string;
  readonly help: string;
  /** It speaks of the guest that is looked at; with several the answer says which that is. */
  readonly ofGuest?: true;
  /** The answer, lines without the last line end. @param guest the one that is looked at */
  run(args: readonly string[], guest: DebugGuest): string;
}

/** What the commands do besides looking. */
export interface MonitorActions {
  readonly target: () => DebugTarget;
  /** The one that is looked at. */
  readonly guest: () => DebugGuest;
  /** Stop points set by commands, besides GDB's own. */
  readonly catches: StopPoint[];
  /** An id for one more. */
  readonly nextId: () => number;
  /** Puts the machine to another moment; why it cannot, if it cannot. */
  travel(instructions: number, events: number): string | undefined;
}

const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, '0')}`;
/** Decimal, or hexadecimal with 0x. Undefined: no number. */
const numberOf = (text: string | undefined): number | undefined => {
  const value = text === undefined || text === '' ? NaN : Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
};
const isGroup = (name: string): name is RegisterGroup => Object.hasOwn(GROUP_TITLES, name);

const registers = ({ vcpu }: DebugGuest, group: RegisterGroup): string => {
  const lines = REGISTERS.filter((r) => r.group === group).flatMap((r) => {
    const bytes = vcpu.readWide(r.name);
    if (bytes.length === 0) return [];
    const value = `0x${[...bytes]
      .reverse()
      .map((b) => b.toString(16).padStart(2, '0'))
      .join('')}`;
    const fields = r.bits <= 32 ? describeFields(r, vcpu.read(r.name)) : '';
    return [`${r.name.padEnd(26)} ${value}${fields === '' ? '' : ` [ ${fields} ]`}`];
  });
  return [GROUP_TITLES[group], ...lines].join('\n');
};

const CATCH_USAGE = 'exception [VECTOR...] | interrupt [VECTOR...] | exit [REASON...] | port FIRST [LAST] | msr INDEX';
/** The stop point that `monitor catch` asks for; undefined: it makes no sense. */
const catchOf = (id: number, domain: number | undefined, words: readonly string[]): StopPoint | undefined => {
  const [what, ...rest] = words;
  const numbers = rest.map(numberOf);
  if (numbers.includes(undefined)) return undefined;
  const [first, last] = numbers as number[];
  const list = numbers as number[];
  const whose = { id, ...(domain === undefined ? {} : { domain }) };
  switch (what) {
    case 'exception':
    case 'interrupt':
      return { ...whose, on: what, ...(list.length === 0 ? {} : { vectors: list }) };
    case 'exit':
      return { ...whose, on: 'exit', ...(list.length === 0 ? {} : { reasons: list }) };
    case 'port':
      return first === undefined ? undefined : { ...whose, on: 'port', first, last: last ?? first };
    case 'msr':
      return first === undefined ? undefined : { ...whose, on: 'msr', index: first };
    default:
      return undefined;
  }
};
const describePoint = (point: StopPoint): string =>
  `${point.id}: ${point.domain === undefined ? '' : `(d${point.domain}) `}${describePlace(point)}`;
const describePlace = (point: StopPoint): string => {
  switch (point.on) {
    case 'exception':
    case 'interrupt':
      return `${point.on} ${point.vectors?.join(' ') ?? '(all)'}`;
    case 'exit':
      return `exit ${point.reasons?.join(' ') ?? '(all)'}`;
    case 'port':
      return `port ${hex(point.first, 1)} to ${hex(point.last, 1)}`;
    case 'msr':
      return `msr ${hex(point.index, 1)}`;
    case 'switch-in':
    case 'switch-out':
    case 'domain-end':
      return point.on;
    default:
      return `${point.on} ${hex(point.address)}`;
  }
};

const ownCommands = (actions: MonitorActions): MonitorCommand[] => [
  {
    name: 'registers',
    usage: `[${Object.keys(GROUP_TITLES).join('|')}]`,
    help: 'registers with their fields; by default the control registers',
    ofGuest: true,
    run: ([group = 'control'], guest) =>
      isGroup(group)
        ? registers(guest, group)
        : `there is no group "${group}": ${Object.keys(GROUP_TITLES).join(', ')}`,
  },
  {
    name: 'walk',
    usage: 'ADDRESS',
    help: 'what the page tables say of a linear address',
    ofGuest: true,
    run: ([text], guest) => {
      const linear = numberOf(text);
      if (linear === undefined) return 'walk wants an address, such as 0xc0100000';
      return describeWalk(walkPages(guest, guest.vcpu, linear), linear).join('\n');
    },
  },
  {
    name: 'position',
    usage: '',
    help: 'the moment: instructions retired, events delivered since; and the moments that can be reached',
    run: () => {
      const { position, history } = actions.target();
      const say = (p: { instructions: number; events: number }): string => `${p.instructions}+${p.events}`;
      return `${say(position)}, reachable: ${say(history.oldest)} to ${say(history.newest)}`;
    },
  },
  {
    name: 'travel',
    usage: 'INSTRUCTIONS [EVENTS]',
    help: 'to another moment of the recorded past',
    run: ([instructions, events = '0']) => {
      const to = numberOf(instructions);
      const behind = numberOf(events);
      if (to === undefined || behind === undefined)
        return 'travel wants a count of instructions (see monitor position)';
      return (
        actions.travel(to, behind) ?? 'there; "maintenance flush register-cache" makes gdb read the registers again'
      );
    },
  },
  {
    name: 'catch',
    usage: CATCH_USAGE,
    help: 'stop where that happens; without arguments: what is caught',
    run: (words) => {
      const { catches } = actions;
      if (words.length === 0) return catches.length === 0 ? 'nothing is caught' : catches.map(describePoint).join('\n');
      const point = catchOf(actions.nextId(), actions.guest().domain, words);
      if (point === undefined) return `catch wants ${CATCH_USAGE}`;
      catches.push(point);
      return describePoint(point);
    },
  },
  {
    name: 'uncatch',
    usage: '[NUMBER]',
    help: 'catch this no more, or nothing any more',
    run: ([text]) => {
      const { catches } = actions;
      const at = text === undefined ? 0 : catches.findIndex((c) => c.id === numberOf(text));
      if (at < 0) return `there is no catch ${text}`;
      catches.splice(at, text === undefined ? catches.length : 1);
      return 'done';
    },
  },
];

const answered = (command: MonitorCommand, args: readonly string[], guest: DebugGuest): string => {
  const which = command.ofGuest === undefined || guest.domain === undefined ? '' : `(d${guest.domain})\n`;
  return which + command.run(args, guest);
};

/** Executes a line of `monitor`; the text that GDB shows. */
export const runMonitor = (line: string, actions: MonitorActions, more: readonly MonitorCommand[]): string => {
  const commands = [...ownCommands(actions), ...more];
  const [name = 'help', ...args] = line
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (name === 'help')
    return commands.map((c) => `${`${c.name} ${c.usage}`.trimEnd().padEnd(28)} ${c.help}`).join('\n');
  const command = commands.find((c) => c.name === name);
  return command === undefined
    ? `there is no command "${name}" (monitor help lists them)`
    : answered(command, args, actions.guest());
};
