// Further domains of a boot, as the setting kansoku.domains and launch configurations describe them: read and checked. Mistakes are the user's: one
// sentence that names the member. Not how several domains run (hypervisor/scheduler.ts).

import type * as vscode from 'vscode';
import { DOMAIN_MEMBERS, DomainMembers, splitModule, withoutUndefined } from '../../workers/domain-members.ts';
import { type DomainConfig, type NamedBytes, UserError } from '../../workers/session.ts';

const MIB = 1024 * 1024;
const MEMORY = { least: 4, most: 2048, usual: 64 } as const;

/** What each member must be. package.json describes them. */
const MEMBERS = { ...DOMAIN_MEMBERS, memory: 'a number of megabytes', commandLine: 'a text' } as const;

export interface DomainReading {
  /** What the list is called, for messages. */
  readonly where: string;
  /** The file that a path means. */
  readonly uriOf: (path: string) => vscode.Uri;
  /** @throws UserError */
  readonly read: (uri: vscode.Uri) => Promise<Uint8Array>;
  /** What a kernel is told if nothing is said. */
  readonly commandLine: (uri: vscode.Uri, image: Uint8Array) => Promise<string>;
}

/** @param list as the user wrote it @throws UserError */
export const readDomains = async (list: unknown, reading: DomainReading): Promise<readonly DomainConfig[]> => {
  if (!Array.isArray(list))
    throw new UserError(`${reading.where}: give a list of domains, such as [{"image": "kernel.elf"}]`);
  // The first domain has the number 0.
  const taken = new Set([0]);
  const domains: DomainConfig[] = [];
  for (const [index, value] of list.entries()) {
    const where = `${reading.where}[${index}]`;
    const members = new DomainMembers(where, value, MEMBERS, '{"image": "kernel.elf"}');
    const id = members.id(taken, 1);
    if (taken.has(id)) throw new UserError(`${where}: there is a domain ${id} already`);
    taken.add(id);
    domains.push(await readDomain(members, id, reading));
  }
  return domains;
};

const readDomain = async (
  members: DomainMembers<keyof typeof MEMBERS>,
  id: number,
  { uriOf, read, commandLine }: DomainReading,
): Promise<DomainConfig> => {
  const file = async (given: string): Promise<NamedBytes> => {
    const uri = uriOf(given);
    return { name: uri.fsPath, bytes: await read(uri) };
  };
  const optional = async (name: 'initrd' | 'symbols'): Promise<NamedBytes | undefined> => {
    const given = members.text(name);
    return given === undefined ? undefined : file(given);
  };
  const image = await file(members.image);
  const modules = members.texts('modules').map(async (text) => {
    const [name, cmdline] = splitModule(text);
    return { ...(await file(name)), cmdline };
  });
  return {
    id,
    image,
    cmdline: members.text('commandLine') ?? (await commandLine(uriOf(members.image), image.bytes)),
    modules: await Promise.all(modules),
    memoryBytes: (members.number('memory', MEMORY.least, MEMORY.most) ?? MEMORY.usual) * MIB,
    ...members.terms,
    ...withoutUndefined<Pick<DomainConfig, 'initrd' | 'symbols'>>({
      initrd: await optional('initrd'),
      symbols: await optional('symbols'),
    }),
  };
};
