// A domain's serial line in a VS Code terminal, both directions. The text stays when the guest ends or the terminal is closed and
// opened again. Not the emulated UART, no terminal emulation: VS Code's terminal does that; and not which domains there are (consoles.ts).

import * as vscode from 'vscode';
import type { FurtherDomain, Guest } from './guest.ts';

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
  private readonly closing: vscode.Disposable;

  constructor(
    private readonly guest: Guest,
    /** Left out: the first domain's. */
    private readonly domain?: FurtherDomain,
  ) {
    this.closing = vscode.window.onDidCloseTerminal((terminal) => {
      if (terminal === this.terminal) this.forget();
    });
  }

  /** Undefined: the first domain. */
  get domainId(): number | undefined {
    return this.domain?.id;
  }

  /** True for the terminal that shows this console. */
  is(terminal: vscode.Terminal): boolean {
    return terminal === this.terminal;
  }

  show(preserveFocus = false): void {
    this.create();
    this.terminal?.show(preserveFocus);
  }
  /** The terminal is in the list, without being looked at. */
  create(): void {
    this.terminal ??= this.open();
  }

  dispose(): void {
    this.close();
    this.closing.dispose();
  }

  private open(): vscode.Terminal {
    const writer = new vscode.EventEmitter<string>();
    this.writer = writer;
    return vscode.window.createTerminal({
      name: this.domain?.title ?? this.guest.image?.name ?? 'Kansoku',
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
          this.guest.type(this.encoder.encode(text), this.domainId);
        },
      },
    });
  }

  /** The terminal goes, and its text. */
  close(): void {
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

  /** What comes from now on is another machine's. */
  begin(): void {
    this.decoder = new TextDecoder();
  }

  /** A line of ours, told apart from the guest's by its look and its brackets. */
  note(text: string): void {
    const newLine = this.text === '' || this.text.endsWith('\n') ? '' : '\r\n';
    this.put(`${newLine}${DIM}[${text}]${PLAIN}\r\n`);
  }

  /** Kernels write LF alone or CR LF; a terminal wants both. */
  write(bytes: Uint8Array): void {
    let out = '';
    for (const character of this.decoder.decode(bytes, { stream: true })) {
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
