// The command line of `kansoku boot` as a table: names, arguments, help. Parsing only; what the options do is boot.ts's.
// The set is fixed (docs/command-line.md): an option whose feature is not in this release is known and refused by name.

import { UserError } from '../workers/session.ts';

interface OptionInfo {
  /** Placeholder of the argument; undefined: a switch. */
  readonly argument?: string;
  readonly repeatable?: boolean;
  readonly help: string;
  /** Why it is refused. */
  readonly later?: string;
}

/** Options that say which guest it is: of `boot` and of `gdb`. */
export const GUEST_OPTIONS = {
  bare: { help: 'no hypervisor: the kernel owns the machine' },
  cpu: { argument: 'core-duo|modern', help: 'processor model (default core-duo)' },
  memory: { argument: 'SIZE', help: 'guest memory, e.g. 64M (default 64M)' },
  paging: { argument: 'shadow|ept', help: 'how the hypervisor virtualises memory (default shadow)' },
  cmdline: { argument: 'TEXT', help: "the kernel's command line" },
  initrd: { argument: 'FILE', help: 'initial RAM disk of a Linux kernel' },
  module: { argument: 'FILE[ ARGS]', repeatable: true, help: 'Multiboot module' },
  disk: { argument: 'FILE', help: 'hard disk image', later: 'disks come with the whole PC' },
  cdrom: { argument: 'FILE', help: 'CD image', later: 'disks come with the whole PC' },
  floppy: { argument: 'FILE', help: 'floppy image', later: 'disks come with the whole PC' },
  bios: {
    argument: 'FILE',
    help: 'firmware image, mapped as ROM and started at the reset vector; with --bare, and - as IMAGE',
  },
  vgabios: { argument: 'FILE', help: 'VGA firmware image', later: 'firmware comes with the whole PC' },
  serial: { argument: 'stdio|null|file:PATH', help: 'where COM1 goes (default stdio)' },
  input: { argument: 'FILE', help: 'bytes typed on the serial line' },
  observe: { argument: 'all|none|KIND,KIND', help: 'events to record (default all)' },
  symbols: { argument: 'FILE', help: 'ELF with symbols and lines, or System.map' },
  'no-regions': { help: 'threaded tier only: no code is translated to regions' },
  domain: {
    argument: 'FILE.json',
    repeatable: true,
    help: 'a further domain beside that of IMAGE, as the JSON file says',
  },
} as const satisfies Record<string, OptionInfo>;

/** Options of `boot`, in the order help prints them. */
export const BOOT_OPTIONS = {
  ...GUEST_OPTIONS,
  until: { argument: 'REGEX', help: 'stop when the serial output, the debug console or the VGA text matches' },
  'max-instructions': { argument: 'N', help: 'stop after N guest instructions' },
  timeout: { argument: 'SECONDS', help: 'stop after so many seconds of host time' },
  trace: { argument: 'FILE', help: 'write the recorded events' },
  report: { argument: 'FILE', help: 'write a JSON report' },
  'state-hash-every': { argument: 'N', help: 'hash the guest state every N instructions' },
  screenshot: { argument: 'FILE.png', help: 'picture of the screen', later: 'graphics come with the whole PC' },
} as const satisfies Record<string, OptionInfo>;

/** Options of `gdb`. */
export const GDB_OPTIONS = {
  ...GUEST_OPTIONS,
  port: { argument: 'N', help: 'TCP port of this host on which to wait for gdb (default 1234; 0: any free one)' },
  record: {
    argument: 'MIB',
    help: 'host memory for the recorded past, which reverse-step and reverse-continue go back to (default 512; 0: none)',
  },
} as const satisfies Record<string, OptionInfo>;

export type BootOption = keyof typeof BOOT_OPTIONS;

export interface ParsedArguments<Name extends string = string> {
  readonly positional: readonly string[];
  /** All values given, in order; a switch has the value "". */
  readonly options: ReadonlyMap<Name, readonly string[]>;
}

/** Splits arguments by a table of options. Accepts `--name value` and `--name=value`. Throws UserError on anything unknown. */
export const parseArguments = <Name extends string>(
  argv: readonly string[],
  table: Readonly<Record<Name, OptionInfo>>,
  command: string,
): ParsedArguments<Name> => {
  const positional: string[] = [];
  const options = new Map<Name, string[]>();
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (!word.startsWith('--') || word === '--') {
      positional.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = word.slice(2, equals < 0 ? undefined : equals) as Name;
    const info: OptionInfo | undefined = Object.hasOwn(table, name) ? table[name] : undefined;
    if (info === undefined)
      throw new UserError(`kansoku ${command}: unknown option --${name} (see kansoku ${command} --help)`);
    if (info.later !== undefined)
      throw new UserError(`kansoku ${command}: --${name} is not in this release: ${info.later}`);
    let value = '';
    if (info.argument !== undefined) {
      const given = equals < 0 ? argv[++i] : word.slice(equals + 1);
      if (given === undefined) throw new UserError(`kansoku ${command}: --${name} needs an argument: ${info.argument}`);
      value = given;
    } else if (equals >= 0) throw new UserError(`kansoku ${command}: --${name} takes no argument`);
    const list = options.get(name) ?? [];
    if (list.length > 0 && info.repeatable !== true)
      throw new UserError(`kansoku ${command}: --${name} is given twice`);
    list.push(value);
    options.set(name, list);
  }
  return { positional, options };
};

/** The value of an option that is no more than once there. */
export const one = <Name extends string>(args: ParsedArguments<Name>, name: NoInfer<Name>): string | undefined =>
  args.options.get(name)?.[0];

/** "64M", "1G", "65536K", "67108864" to bytes. Throws UserError; the range is the engine's to check. */
export const parseSize = (text: string, what: string): number => {
  const match = /^(\d+)([kmgt]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw new UserError(`${what}: "${text}" is no size (examples: 64M, 1G)`);
  const unit = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }[match[2]!.toLowerCase()]!;
  return Number(match[1]) * unit;
};

/** A positive whole number. */
export const parseCount = (text: string, what: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0) throw new UserError(`${what}: "${text}" is no positive whole number`);
  return value;
};

/** A regular expression. */
export const parsePattern = (text: string, what: string, flags = ''): RegExp => {
  try {
    return new RegExp(text, flags);
  } catch (error) {
    throw new UserError(`${what}: ${(error as Error).message}`);
  }
};

export const helpText = (table: Readonly<Record<string, OptionInfo>>): string =>
  Object.entries(table)
    .map(([name, info]) => {
      const left = `  --${name}${info.argument === undefined ? '' : ` ${info.argument}`}`;
      return `${left.padEnd(34)} ${info.help}${info.later === undefined ? '' : ' (not in this release)'}`;
    })
    .join('\n');
