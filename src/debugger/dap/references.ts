// Places in memory as the protocol writes them: an address, and behind it whose, where it is not the processor's address space: `0x08049000@0x01234000`
// is in that of the task with this CR3. Before it the domain, where that is not the session's first: `d3:0x08049000`.

import { Refusal } from './protocol.ts';

/** @param pageTable CR3 of another address space than the processor's @param domain its number; left out: the session's first */
export const reference = (address: number, pageTable?: number, domain?: number): string =>
  `${domain === undefined ? '' : `d${domain}:`}${hex(address)}${pageTable === undefined ? '' : `@${hex(pageTable)}`}`;

const hex = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;

export interface Place {
  readonly address: number;
  /** Left out: the processor's address space. */
  readonly pageTable?: number;
  /** Left out: the session's first. */
  readonly domain?: number;
}

/** What a reference means. @throws Refusal */
export const placeAt = (text: string, offset = 0): Place => {
  const [, domain, rest = ''] = /^(?:d(\d+):)?(.*)$/s.exec(text)!;
  const [address = '', pageTable] = rest.split('@');
  const sum = numberIn(address, text) + offset;
  if (sum < 0 || sum >= 2 ** 32)
    throw offset === 0 ? new Refusal('outsideMemory', { text }) : new Refusal('outsideMemoryBy', { text, offset });
  const place = { address: sum, ...(domain === undefined ? {} : { domain: Number(domain) }) };
  return pageTable === undefined ? place : { ...place, pageTable: numberIn(pageTable, text) };
};

const numberIn = (word: string, text: string): number => {
  const value = Number(word);
  if (word.trim() === '' || !Number.isInteger(value)) throw new Refusal('quotedNoAddress', { text });
  return value;
};
