// The options that describe a guest, of `boot` and of `gdb`: from arguments to a BootConfig, the console's output and the terminal's keys. Not what
// is done with the guest (boot.ts, gdb.ts).

import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { splitModule } from '../workers/domain-members.ts';
import { type BootConfig, type NamedBytes, type Session, UserError } from '../workers/session.ts';
import { one, parseCount, type ParsedArguments, parseSize } from './options.ts';
import { writeAll } from './write-all.ts';

export const DEFAULT_MEMORY = '64M';

export const readNamed = (path: string, what: string): NamedBytes => {
  try {
    const { buffer, byteOffset, length } = readFileSync(path);
    return { name: path, bytes: new Uint8Array(buffer, byteOffset, length) };
  } catch (error) {
    throw new UserError(`${path}: cannot read the ${what}: ${reasonOf(error)}`);
  }
};
export const reasonOf = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT'
    ? 'no such file'
    : code === 'EACCES'
      ? 'permission denied'
      : code === 'EISDIR'
        ? 'it is a folder'
        : String((error as Error).message);
};

/** "FILE ARGS". @param path where a file lies */
export const readModule = (text: string, path = (file: string) => file): BootConfig['modules'][number] => {
  const [file, cmdline] = splitModule(text);
  return { ...readNamed(path(file), 'module'), cmdline };
};

/** Finds out before the run what would spoil its end. */
export const checkOutput = (path: string | undefined, what: string): void => {
  if (path === undefined) return;
  const there = existsSync(path);
  try {
    if (there && statSync(path).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    accessSync(there ? path : dirname(path), constants.W_OK);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such folder' : reasonOf(error);
    throw new UserError(`${path}: cannot write the ${what}: ${reason}`);
  }
};

const choice = <T extends string>(args: ParsedArguments, name: string, values: readonly T[], fallback: T): T => {
  const given = one(args, name);
  if (given === undefined) return fallback;
  if (!values.includes(given as T)) throw new UserError(`--${name}: "${given}" is none of ${values.join(', ')}`);
  return given as T;
};

/** Where COM1 goes. */
export interface SerialSink {
  write(bytes: Uint8Array): void;
  close(): void;
}

export const serialTo = (target: string): SerialSink => {
  if (target === 'null') return { write: () => undefined, close: () => undefined };
  if (target === 'stdio') return { write: (bytes) => void writeAll(1, bytes), close: () => undefined };
  if (!target.startsWith('file:') || target === 'file:')
    throw new UserError(`--serial: "${target}" is none of stdio, null, file:PATH`);
  const path = target.slice(5);
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (error) {
    throw new UserError(`${path}: cannot write the serial output: ${reasonOf(error)}`);
  }
  return { write: (bytes) => writeAll(file, bytes), close: () => closeSync(file) };
};
/** What is started, a kernel or firmware, and that nothing was said for the other. */
const startOf = (args: ParsedArguments, command: string): Pick<BootConfig, 'image' | 'firmware'> => {
  if (args.positional.length !== 1) throw new UserError(`${command}: give one IMAGE (see ${command} --help)`);
  const path = args.positional[0]!;
  const bios = one(args, 'bios');
  if (bios === undefined) {
    if (path === '-')
      throw new UserError(`${command}: IMAGE "-" needs --bios (or --disk, which is not in this release)`);
    return { image: readNamed(path, 'image') };
  }
  if (path !== '-') throw new UserError(`${command}: --bios starts firmware in place of a kernel: give "-" as IMAGE`);
  for (const name of ['cmdline', 'initrd', 'module'] as const)
    if (args.options.has(name)) throw new UserError(`${command}: --${name} is for a kernel; --bios starts firmware`);
  if (!args.options.has('bare'))
    throw new UserError(
      `${command}: --bios needs --bare: firmware under the hypervisor is not in this release, it comes with the whole PC`,
    );
  return { image: readNamed(bios, 'firmware'), firmware: true };
};

/** `command`: how messages call it ("kansoku boot"). */
export const guestConfig = (args: ParsedArguments, command: string): BootConfig => {
  const start = startOf(args, command);
  if (choice(args, 'paging', ['shadow', 'ept'] as const, 'shadow') === 'ept')
    throw new UserError(`${command}: --paging ept is not in this release: EPT comes with all of VMX`);
  const memoryBytes = parseSize(one(args, 'memory') ?? DEFAULT_MEMORY, '--memory');
  const observe = one(args, 'observe') ?? 'all';
  const initrd = one(args, 'initrd');
  const symbols = one(args, 'symbols');
  const every = one(args, 'state-hash-every');
  return {
    ...start,
    cmdline: one(args, 'cmdline') ?? '',
    ...(initrd === undefined ? {} : { initrd: readNamed(initrd, 'initrd') }),
    modules: (args.options.get('module') ?? []).map((text) => readModule(text)),
    ...(symbols === undefined ? {} : { symbols: readNamed(symbols, 'symbols') }),
    memoryBytes,
    cpu: choice(args, 'cpu', ['core-duo', 'modern'] as const, 'core-duo'),
    bare: args.options.has('bare'),
    observe: observe === 'all' || observe === 'none' ? observe : observe.split(','),
    tiers: args.options.has('no-regions') ? 'threaded' : 'adaptive',
    stateHashEvery: every === undefined ? 0 : parseCount(every, '--state-hash-every'),
  };
};

/** What was to be typed on the serial line. */
export const inputOf = (args: ParsedArguments): Uint8Array | undefined => {
  const input = one(args, 'input');
  return input === undefined ? undefined : readNamed(input, 'input').bytes;
};

/** Keys of an interactive terminal go to the guest; Ctrl+] leaves, as in telnet. */
export const attachTerminal = (session: () => Pick<Session, 'typeSerial'>): (() => void) => {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return () => undefined;
  const onData = (data: Buffer): void => {
    if (data.includes(0x1d)) process.kill(process.pid, 'SIGINT');
    else session().typeSerial(new Uint8Array(data));
  };
  process.stdin.setRawMode(true);
  process.stdin.on('data', onData);
  return () => {
    process.stdin.setRawMode(false);
    process.stdin.off('data', onData);
    process.stdin.pause();
  };
};
