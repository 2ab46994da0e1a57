// The kernel's own log as it lies in the guest's memory, for a view; with or without a debugger. Not how it is found (debugger/os).

import { GuestOs } from '../debugger/os/guest-os.ts';
import type { GuestLog } from '../protocol/machine.ts';
import type { Session } from './session.ts';

export const guestLog = (session: Session): GuestLog => {
  session.symbols.look();
  const os = new GuestOs({ guestSymbols: session.symbols, target: session.debug.guests[0]! }, () => {});
  return { system: os.awareness?.name, lines: os.awareness?.log() ?? [] };
};
