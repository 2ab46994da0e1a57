// The kernel's own log as it lies in the guest's memory, for a view; with or without a debugger. Not how it is found (debugger/os).

import { GuestOs } from '../debugger/os/guest-os.ts';
import type { GuestLog } from '../protocol/machine.ts';
import type { Session } from './session.ts';

/** @param domain its number; left out: the first one */
export const guestLog = (session: Session, domain?: number): GuestLog => {
  const index = domain === undefined ? 0 : session.guests.findIndex(({ id }) => id === domain);
  const { symbols } = session.guests[index]!;
  symbols.look();
  const os = new GuestOs({ guestSymbols: symbols, target: session.debug.guests[index]! }, () => {});
  return { system: os.awareness?.name, lines: os.awareness?.log() ?? [] };
};
