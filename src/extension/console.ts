// The guest's serial line in a VS Code terminal, both directions. The text stays when the guest ends or the terminal is closed and
// opened again. Not the emulated UART, and no terminal emulation: VS Code's terminal does that.

import * as vscode from 'vscode';
import type { BootBegin, Guest } from './guest.ts';

/** Characters kept for a terminal that is opened later. */
const SCROLLBACK = 256 * 1024;
const DIM = '\x1b[2m';
const PLAIN = '\x1b[0m';

export class SerialConsole implements vscode.Disposable {
  private terminal: vscode.Terminal | undefined;
  private writer: vscode.EventEmitter<string> | undefined;
  private opened = false;
  private text = '';
  private decoder = new TextDecoder();
  private readonly encoder = new TextEncoder();
  private lastWasReturn = false;
  private readonly disposables: vscode.Disposable[];

  constructor(private readonly guest: Guest) {
    this.disposables = [
      guest.onDidBegin((boot) => {
        if (!boot.reset) this.close();
        this.decoder = new TextDecoder();
        this.note(beginning(boot));
      }),
      guest.onMessage((message) => {
        switch (message.type) {
          case 'serial':
            return this.write(this.decoder.decode(message.bytes, { stream: true }));
          case 'stopped':
            return this.note(message.stop.message);
          case 'broken':
          case 'refused':
            return this.note(message.message);
          default:
        }
      }),
      vscode.window.onDidCloseTerminal((terminal) => {
        if (terminal === this.terminal) this.forget();
      }),
    ];
  }

  /** True for the terminal that shows this console. */
  is(terminal: vscode.Terminal): boolean {
    return terminal === this.terminal;
  }

  show(preserveFocus = false): void {
    this.terminal ??= this.open();
    this.terminal.show(preserveFocus);
  }

  dispose(): void {
    this.close();
    for (const disposable of this.disposables) disposable.dispose();
  }

  private open(): vscode.Terminal {
    const writer = new vscode.EventEmitter<string>();
    this.writer = writer;
    return vscode.window.createTerminal({
      name: this.guest.image?.name ?? 'Kansoku',
      iconPath: new vscode.ThemeIcon('vm'),
      isTransient: true,
      pty: {
        onDidWrite: writer.event,
        open: () => {
          this.opened = true;
          writer.fire(this.text);
        },
        close: () => {},
        handleInput: (text: string) => {
          // Backspace: VS Code sends DEL, as a serial terminal does.
          this.guest.type(this.encoder.encode(text));
        },
      },
    });
  }

  private close(): void {
    this.terminal?.dispose();
    this.forget();
    this.text = '';
  }

  private forget(): void {
    this.terminal = undefined;
    this.writer?.dispose();
    this.writer = undefined;
    this.opened = false;
  }

  /** A line of ours, told apart from the guest's by its look and its brackets. */
  private note(text: string): void {
    const newLine = this.text === '' || this.text.endsWith('\n') ? '' : '\r\n';
    this.put(`${newLine}${DIM}[${text}]${PLAIN}\r\n`);
  }

  /** Kernels write LF alone or CR LF; a terminal wants both. */
  private write(text: string): void {
    let out = '';
    for (const character of text) {
      out += character === '\n' && !this.lastWasReturn ? '\r\n' : character;
      this.lastWasReturn = character === '\r';
    }
    this.put(out);
  }

  private put(text: string): void {
    this.text = (this.text + text).slice(-SCROLLBACK);
    if (this.opened) this.writer?.fire(text);
  }
}

/** A command line is told, because the user may not have written it. */
const beginning = ({ image, cmdline, reset }: BootBegin): string => {
  if (reset) return vscode.l10n.t('{0} was reset', image.name);
  if (cmdline === '') return vscode.l10n.t('Booting {0}', image.name);
  return vscode.l10n.t('Booting {0} with the command line {1}', image.name, cmdline);
};
