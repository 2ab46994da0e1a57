// The members of an object that a user wrote in JSON: only those that there are, each of its kind. Mistakes are sentences that say where and what. Not what
// the members mean.

import { UserError } from './session.ts';

export class Members<Name extends string> {
  private readonly values: Readonly<Record<string, unknown>>;

  /**
   * @param where what the user calls the object: a file, a setting
   * @param kinds what each member must be, for a person
   * @param example of such an object
   */
  constructor(
    private readonly where: string,
    value: unknown,
    private readonly kinds: Readonly<Record<Name, string>>,
    example: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UserError(`${where}: give one JSON object, such as ${example}`);
    this.values = value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(this.values))
      if (!Object.hasOwn(kinds, name))
        throw new UserError(`${where}: there is no "${name}" of a domain; there are ${Object.keys(kinds).join(', ')}`);
  }

  text(name: Name): string | undefined {
    const value = this.values[name];
    if (value !== undefined && typeof value !== 'string') throw this.wrong(name);
    return value;
  }
  texts(name: Name): readonly string[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) throw this.wrong(name);
    return value;
  }
  /** A whole number in a range. */
  number(name: Name, least: number, most: number): number | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw new UserError(`${this.where}: "${name}" must be a whole number from ${least} to ${most}`);
    return value as number;
  }
  /** An object without what was left out. */
  static given<T extends object>(values: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
  }
  private wrong(name: Name): UserError {
    return new UserError(`${this.where}: "${name}" must be ${this.kinds[name]}`);
  }
}
