// `--domain FILE.json`: what a further domain consists of. Paths in it are relative to the file. Not the options of the command line (options.ts).

import { dirname, resolve } from 'node:path';
import { DomainLines } from './domain-lines.ts';
import { DOMAIN_MEMBERS, DomainMembers, withoutUndefined } from '../workers/domain-members.ts';
import { type BootConfig, type DomainConfig, type NamedBytes, UserError } from '../workers/session.ts';
import { DEFAULT_MEMORY, readModule, readNamed, serialTo, type SerialSink } from './guest-options.ts';
import { parseSize } from './options.ts';

export interface FurtherDomain {
  readonly config: DomainConfig;
  readonly serial: SerialSink;
  /** Typed on its serial line before it runs. */
  readonly input: Uint8Array | undefined;
}

/** What each member of the file's object must be. */
const MEMBERS = {
  ...DOMAIN_MEMBERS,
  memory: 'a size such as "64M"',
  cmdline: 'a text',
  serial: '"stdio", "null" or "file:PATH"',
  input: 'a path',
} as const;

const parsed = (file: string): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(readNamed(file, 'domain').bytes));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${file}: not JSON: ${error.message}`);
    throw error;
  }
};

/** @param taken numbers of the domains that there are */
const readDomain = (file: string, taken: ReadonlySet<number>, loud: boolean): FurtherDomain => {
  const members = new DomainMembers(file, parsed(file), MEMBERS, '{"image": "kernel.elf", "memory": "64M"}');
  const path = (name: string): string => resolve(dirname(file), name);
  const read = (name: 'initrd' | 'symbols' | 'input'): NamedBytes | undefined => {
    const given = members.text(name);
    return given === undefined ? undefined : readNamed(path(given), name);
  };
  const { image } = members;
  const id = members.id(taken);
  const [initrd, symbols] = [read('initrd'), read('symbols')];
  const config: DomainConfig = {
    id,
    image: readNamed(path(image), 'image'),
    cmdline: members.text('cmdline') ?? '',
    modules: members.texts('modules').map((text) => readModule(text, path)),
    memoryBytes: parseSize(members.text('memory') ?? DEFAULT_MEMORY, `${file}: "memory"`),
    ...members.terms,
    ...withoutUndefined<Pick<DomainConfig, 'initrd' | 'symbols'>>({ initrd, symbols }),
  };
  const serial = members.text('serial') ?? (loud ? 'stdio' : 'null');
  const target = serial.startsWith('file:') && serial !== 'file:' ? `file:${path(serial.slice(5))}` : serial;
  return { config, serial: target === 'stdio' ? prefixed(id) : serialTo(target), input: read('input')?.bytes };
};

const prefixed = (id: number): SerialSink => {
  const { write } = serialTo('stdio');
  const lines = new DomainLines(id);
  const print = (text: string): void => {
    if (text !== '') write(new TextEncoder().encode(text));
  };
  return { write: (bytes) => print(lines.add(bytes)), close: () => print(lines.finish()) };
};

/** Those beside the first domain. @param loud the first one's serial line is the terminal's */
export const readDomains = (
  files: readonly string[],
  { domainId = 0 }: Pick<BootConfig, 'domainId'>,
  loud: boolean,
): readonly FurtherDomain[] => {
  const taken = new Set([domainId]);
  return files.map((file) => {
    const domain = readDomain(file, taken, loud);
    taken.add(domain.config.id);
    return domain;
  });
};
