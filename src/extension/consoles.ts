// The consoles of the guest's domains: one for each, made and taken away with the machine, and what is said there besides the guest's own output. Not one
// console (console.ts).

import * as vscode from 'vscode';
import type { FromMachine } from '../protocol/machine.ts';
import { SerialConsole } from './console.ts';
import type { BootBegin, Guest } from './guest.ts';

export class Consoles implements vscode.Disposable {
  private readonly first: SerialConsole;
  /** Of the further domains, by number. */
  private readonly others = new Map<number, SerialConsole>();
  private readonly disposables: vscode.Disposable[];

  constructor(private readonly guest: Guest) {
    this.first = new SerialConsole(guest);
    this.disposables = [
      this.first,
      guest.onDidBegin((boot) => this.begin(boot)),
      guest.onMessage((message) => this.receive(message)),
    ];
  }

  /** The console that a terminal shows. */
  of(terminal: vscode.Terminal): SerialConsole | undefined {
    return [this.first, ...this.others.values()].find((console) => console.is(terminal));
  }

  /** The first domain's, with those of the others in the list behind it. */
  show(preserveFocus = false): void {
    this.first.show(preserveFocus);
    for (const console of this.others.values()) console.create();
  }

  dispose(): void {
    for (const console of this.others.values()) console.dispose();
    for (const disposable of this.disposables) disposable.dispose();
  }

  private begin({ image, cmdline, reset, domains }: BootBegin): void {
    if (!reset) this.first.close();
    this.first.begin();
    this.first.note(beginning(image.name, cmdline, reset));
    for (const [id, console] of this.others)
      if (!reset || !domains.some((domain) => domain.id === id)) {
        console.dispose();
        this.others.delete(id);
      }
    for (const domain of domains) {
      const console = this.others.get(domain.id) ?? new SerialConsole(this.guest, domain);
      this.others.set(domain.id, console);
      console.begin();
      console.note(beginning(domain.name, domain.cmdline, reset));
    }
  }

  private receive(message: FromMachine): void {
    switch (message.type) {
      case 'serial':
        return this.consoleOf(message.domain)?.write(message.bytes);
      case 'stopped':
        return this.first.note(message.stop.message);
      case 'domainStopped':
        return this.consoleOf(message.domain)?.note(message.stop.message);
      case 'broken':
      case 'refused':
        return this.first.note(message.message);
      default:
    }
  }

  private consoleOf(domain: number | undefined): SerialConsole | undefined {
    return domain === undefined ? this.first : this.others.get(domain);
  }
}

/** A command line is told, because the user may not have written it. */
const beginning = (name: string, cmdline: string, reset: boolean): string => {
  if (reset) return vscode.l10n.t('{0} was reset', name);
  if (cmdline === '') return vscode.l10n.t('Booting {0}', name);
  return vscode.l10n.t('Booting {0} with the command line {1}', name, cmdline);
};
