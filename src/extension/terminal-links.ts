// Guest addresses in the serial console become links to source: 0x-numbers and bare numbers of eight hex digits that lie in a symbol.

import * as vscode from 'vscode';
import { formatLocation } from '../symbols/location.ts';
import { addressesIn } from './addresses.ts';
import type { SourceLocation } from '../protocol/views.ts';
import type { Consoles } from './consoles.ts';
import type { Guest } from './guest.ts';
import type { SourceNavigator } from './source.ts';

class AddressLink extends vscode.TerminalLink {
  constructor(
    startIndex: number,
    length: number,
    readonly place: SourceLocation,
    tooltip: string,
  ) {
    super(startIndex, length, tooltip);
  }
}

export const registerTerminalLinks = (guest: Guest, consoles: Consoles, source: SourceNavigator): vscode.Disposable =>
  vscode.window.registerTerminalLinkProvider({
    async provideTerminalLinks({ line, terminal }) {
      const console = consoles.of(terminal);
      if (console === undefined || guest.live === undefined) return [];
      const links = await Promise.all(
        addressesIn(line).map(async ({ start, length, address }): Promise<AddressLink | undefined> => {
          const place = await guest.ask({ name: 'locate', address, domain: console.domainId }).catch(() => undefined);
          if (place?.function === undefined && place?.file === undefined) return undefined;
          return new AddressLink(start, length, place, formatLocation(place));
        }),
      );
      return links.filter((link) => link !== undefined);
    },
    handleTerminalLink: (link: AddressLink) => source.open(link.place),
  });
