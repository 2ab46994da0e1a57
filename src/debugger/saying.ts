// What is to be said, before it is known in which language: a key of the table of texts, with what goes into the gaps. A sentence that lacks something
// does not compile. Not the texts (texts.ts, texts-ja.ts).

import { NamesWanted } from '../symbols/dwarf/names.ts';
import { JAPANESE } from './texts-ja.ts';
import { TEXTS } from './texts.ts';

type Key = keyof typeof TEXTS;
type Gaps<Text extends string> = Text extends `${string}{${infer Gap}}${infer Rest}` ? Gap | Gaps<Rest> : never;

/** What goes into a gap: what is the same in all languages, or something else to say. */
export type Part = string | number | Saying;
type Parts<K extends Key> = { readonly [Gap in Gaps<(typeof TEXTS)[K]>]: Part };
export type Saying = {
  readonly [K in Key]: [Gaps<(typeof TEXTS)[K]>] extends [never]
    ? readonly [key: K]
    : readonly [key: K, parts: Parts<K>];
}[Key];

export type Tell = (...saying: Saying) => string;

const tellBy = (texts: Readonly<Record<Key, string>>): Tell => {
  const part = (value: Part): string => (typeof value === 'object' ? tell(...value) : String(value));
  const tell: Tell = (...[key, parts]) =>
    texts[key].replace(/\{(\w+)\}/g, (_, gap: string) => part((parts as Readonly<Record<string, Part>>)[gap]!));
  return tell;
};

export const english = tellBy(TEXTS);
const japanese = tellBy(JAPANESE);

/** @param locale of the user: "en", "ja", "ja-JP"; English for all others that there are no texts for */
export const tellIn = (locale: string | undefined): Tell => (/^ja\b/i.test(locale ?? '') ? japanese : english);

/** What cannot be done, in one sentence for the user. Every other error is a defect. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal';
  readonly saying: Saying;

  constructor(...saying: Saying) {
    super(english(...saying));
    this.saying = saying;
  }
}

/** Why something could not be done, for a gap. @throws the error itself where only the names of the program are not read yet */
export const reasonOf = (error: unknown): Part => {
  if (error instanceof NamesWanted) throw error;
  return error instanceof Refusal ? error.saying : error instanceof Error ? error.message : String(error);
};
