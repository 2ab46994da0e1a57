// A further domain as a user writes it in JSON: which members there are, and what they have in common wherever they are written. Mistakes are sentences
// that say where and what. Not the files that they name.

import { CAPS, WEIGHTS } from '../hypervisor/scheduler.ts';
import { type DomainConfig, MOST_DOMAIN, UserError } from './session.ts';

/** What each member must be, for a person; besides those of the place where it is written. */
export const DOMAIN_MEMBERS = {
  image: 'a path',
  id: 'a number',
  name: 'a text',
  initrd: 'a path',
  modules: 'a list of "FILE ARGS"',
  symbols: 'a path',
  weight: 'a number',
  cap: 'a number',
} as const;
type Common = keyof typeof DOMAIN_MEMBERS;

/** An object without what was left out. */
export const withoutUndefined = <T extends object>(values: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;

/** File and command line of "FILE ARGS". */
export const splitModule = (text: string): readonly [file: string, cmdline: string] => {
  const [file = '', ...words] = text.split(' ');
  return [file, words.join(' ')];
};

export class DomainMembers<Name extends string> {
  private readonly values: Readonly<Record<string, unknown>>;

  /**
   * @param where what the user calls the object: a file, a setting
   * @param kinds what each member must be, for a person
   * @param example of such an object
   */
  constructor(
    private readonly where: string,
    value: unknown,
    private readonly kinds: Readonly<Record<Name | Common, string>>,
    example: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UserError(`${where}: give one JSON object, such as ${example}`);
    this.values = value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(this.values))
      if (!Object.hasOwn(kinds, name))
        throw new UserError(`${where}: there is no "${name}" of a domain; there are ${Object.keys(kinds).join(', ')}`);
  }

  text(name: Name | Common): string | undefined {
    const value = this.values[name];
    if (value !== undefined && typeof value !== 'string') throw this.wrong(name);
    return value;
  }
  texts(name: Name | Common): readonly string[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) throw this.wrong(name);
    return value;
  }
  /** A whole number in a range. */
  number(name: Name | Common, least: number, most: number): number | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw new UserError(`${this.where}: "${name}" must be a whole number from ${least} to ${most}`);
    return value as number;
  }

  /** Path of the kernel. */
  get image(): string {
    const image = this.text('image');
    if (image === undefined) throw new UserError(`${this.where}: "image" is missing: give the path of a kernel`);
    return image;
  }
  /** The number that was given, or the next one that is free. @param taken numbers of the domains that there are */
  id(taken: ReadonlySet<number>, least = 0): number {
    let id = this.number('id', least, MOST_DOMAIN);
    if (id === undefined) for (id = 1; taken.has(id); id++);
    return id;
  }
  /** What of the domain is no file. */
  get terms(): Partial<Pick<DomainConfig, 'name' | 'weight' | 'cap'>> {
    return withoutUndefined<Pick<DomainConfig, 'name' | 'weight' | 'cap'>>({
      name: this.text('name'),
      weight: this.number('weight', WEIGHTS.least, WEIGHTS.most),
      cap: this.number('cap', CAPS.least, CAPS.most),
    });
  }
  private wrong(name: Name | Common): UserError {
    return new UserError(`${this.where}: "${name}" must be ${this.kinds[name]}`);
  }
}
