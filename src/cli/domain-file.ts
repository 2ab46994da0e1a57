// `--domain FILE.json`: what a further domain consists of. Paths in it are relative to the file. Not the options of the command line (options.ts).

import { dirname, resolve } from 'node:path';
import { type DomainConfig, type NamedBytes, UserError } from '../workers/session.ts';
import { CAPS, WEIGHTS } from '../hypervisor/scheduler.ts';
import { DEFAULT_MEMORY, readModule, readNamed, serialTo, type SerialSink } from './guest-options.ts';
import { parseSize } from './options.ts';

export interface FurtherDomain {
  readonly config: DomainConfig;
  readonly serial: SerialSink;
  /** Typed on its serial line before it runs. */
  readonly input: Uint8Array | undefined;
}

const MOST_ID = 255;

/** What each member of the file's object must be. */
const MEMBERS = {
  image: 'a path',
  id: 'a number',
  name: 'a text',
  memory: 'a size such as "64M"',
  cmdline: 'a text',
  initrd: 'a path',
  modules: 'a list of "FILE ARGS"',
  symbols: 'a path',
  weight: 'a number',
  cap: 'a number',
  serial: '"stdio", "null" or "file:PATH"',
  input: 'a path',
} as const;
type Member = keyof typeof MEMBERS;

/** Reads the file's object; the values are checked by type only. */
class Members {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly file: string;

  constructor(file: string, text: string) {
    this.file = file;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new UserError(`${file}: not JSON: ${(error as Error).message}`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UserError(`${file}: give one JSON object, such as {"image": "kernel.elf", "memory": "64M"}`);
    this.values = value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(this.values))
      if (!Object.hasOwn(MEMBERS, name))
        throw new UserError(`${file}: there is no "${name}" of a domain; there are ${Object.keys(MEMBERS).join(', ')}`);
  }
  text(name: Member): string | undefined {
    const value = this.values[name];
    if (value !== undefined && typeof value !== 'string') throw this.wrong(name);
    return value;
  }
  texts(name: Member): readonly string[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) throw this.wrong(name);
    return value;
  }
  /** A whole number in a range. */
  number(name: Member, least: number, most: number): number | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw new UserError(`${this.file}: "${name}" must be a whole number from ${least} to ${most}`);
    return value as number;
  }
  private wrong(name: Member): UserError {
    return new UserError(`${this.file}: "${name}" must be ${MEMBERS[name]}`);
  }
}

/** @param taken numbers of the domains that there are @param loud the first domain's serial line is the terminal's */
export const readDomain = (file: string, taken: ReadonlySet<number>, loud: boolean): FurtherDomain => {
  const members = new Members(file, new TextDecoder().decode(readNamed(file, 'domain').bytes));
  const path = (name: string): string => resolve(dirname(file), name);
  const read = (name: 'initrd' | 'symbols' | 'input'): NamedBytes | undefined => {
    const given = members.text(name);
    return given === undefined ? undefined : readNamed(path(given), name);
  };
  const image = members.text('image');
  if (image === undefined) throw new UserError(`${file}: "image" is missing: give the path of a kernel`);
  let id = members.number('id', 0, MOST_ID);
  if (id === undefined) for (id = 1; taken.has(id); id++);
  const [initrd, symbols] = [read('initrd'), read('symbols')];
  const optional = {
    name: members.text('name'),
    weight: members.number('weight', WEIGHTS.least, WEIGHTS.most),
    cap: members.number('cap', CAPS.least, CAPS.most),
    initrd,
    symbols,
  };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  const config: DomainConfig = {
    id,
    image: readNamed(path(image), 'image'),
    cmdline: members.text('cmdline') ?? '',
    modules: members.texts('modules').map((text) => readModule(text, path)),
    memoryBytes: parseSize(members.text('memory') ?? DEFAULT_MEMORY, `${file}: "memory"`),
    ...given,
  };
  const serial = members.text('serial') ?? (loud ? 'stdio' : 'null');
  const target = serial.startsWith('file:') && serial !== 'file:' ? `file:${path(serial.slice(5))}` : serial;
  return { config, serial: target === 'stdio' ? prefixed(id) : serialTo(target), input: read('input')?.bytes };
};

/** Whole lines, with the domain before each, as Xen's console shows the guests' output. */
const prefixed = (id: number): SerialSink => {
  const { write } = serialTo('stdio');
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let rest = '';
  const print = (line: string): void => write(encoder.encode(`(d${id}) ${line}\n`));
  return {
    write: (bytes) => {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) print(line.replace(/\r$/, ''));
    },
    close: () => {
      if (rest !== '') print(rest);
    },
  };
};
