// Further domains of a boot, as the setting kansoku.domains and launch configurations describe them: read and checked. Mistakes are the user's: one
// sentence that names the member. Not how several domains run (hypervisor/scheduler.ts).

import type * as vscode from 'vscode';
import { CAPS, WEIGHTS } from '../../hypervisor/scheduler.ts';
import { Members } from '../../workers/members.ts';
import { type DomainConfig, MOST_DOMAIN, type NamedBytes, UserError } from '../../workers/session.ts';

const MIB = 1024 * 1024;
const MEMORY = { least: 4, most: 2048, usual: 64 } as const;

/** What each member must be. package.json describes them. */
const MEMBERS = {
  image: 'a path',
  id: 'a number',
  name: 'a text',
  memory: 'a number of megabytes',
  commandLine: 'a text',
  initrd: 'a path',
  modules: 'a list of "FILE ARGS"',
  symbols: 'a path',
  weight: 'a number',
  cap: 'a number',
} as const;

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
    const members = new Members(where, value, MEMBERS, '{"image": "kernel.elf"}');
    let id = members.number('id', 1, MOST_DOMAIN);
    if (id === undefined) for (id = 1; taken.has(id); id++);
    else if (taken.has(id)) throw new UserError(`${where}: there is a domain ${id} already`);
    taken.add(id);
    domains.push(await readDomain(where, members, id, reading));
  }
  return domains;
};

const readDomain = async (
  where: string,
  members: Members<keyof typeof MEMBERS>,
  id: number,
  { uriOf, read, commandLine }: DomainReading,
): Promise<DomainConfig> => {
  const path = members.text('image');
  if (path === undefined) throw new UserError(`${where}: "image" is missing: give the path of a kernel`);
  const file = async (given: string): Promise<NamedBytes> => {
    const uri = uriOf(given);
    return { name: uri.fsPath, bytes: await read(uri) };
  };
  const optional = async (name: 'initrd' | 'symbols'): Promise<NamedBytes | undefined> => {
    const given = members.text(name);
    return given === undefined ? undefined : file(given);
  };
  const image = await file(path);
  const modules = members.texts('modules').map(async (text) => {
    const [name = '', ...words] = text.split(' ');
    return { ...(await file(name)), cmdline: words.join(' ') };
  });
  return {
    id,
    image,
    cmdline: members.text('commandLine') ?? (await commandLine(uriOf(path), image.bytes)),
    modules: await Promise.all(modules),
    memoryBytes: (members.number('memory', MEMORY.least, MEMORY.most) ?? MEMORY.usual) * MIB,
    ...Members.given<Pick<DomainConfig, 'name' | 'weight' | 'cap' | 'initrd' | 'symbols'>>({
      name: members.text('name'),
      weight: members.number('weight', WEIGHTS.least, WEIGHTS.most),
      cap: members.number('cap', CAPS.least, CAPS.most),
      initrd: await optional('initrd'),
      symbols: await optional('symbols'),
    }),
  };
};
