// Addresses as the protocol writes them.

import { Refusal } from './protocol.ts';

export const reference = (address: number): string => `0x${(address >>> 0).toString(16).padStart(8, '0')}`;

/** The address of a reference. @throws Refusal */
export const addressOf = (text: string, offset = 0): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value)) throw new Refusal(`"${text}" is no address.`);
  return (value + offset) >>> 0;
};
