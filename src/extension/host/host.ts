// What the extension needs of the place where it runs: threads, and the first bytes of files. node-host.ts is the Node extension
// host's; a browser host is another implementation of the same interface. Everything else goes through VS Code's own API.

import type * as vscode from 'vscode';
import type { MessageTransports } from 'vscode-languageclient';
import type { FromMachine, ToMachine } from '../../protocol/machine.ts';

export interface MachineThread {
  send(message: ToMachine): void;
  /** Ends the thread at once, whatever it does. */
  end(): void;
}

export interface MachineListener {
  message(message: FromMachine): void;
  /** The thread died by itself: a defect of ours, or no memory. */
  died(reason: string): void;
}

export interface Host {
  startMachine(listener: MachineListener): MachineThread;
  startLanguageServer(): MessageTransports;
  /** Up to `bytes` from the start of a file. */
  readHead(uri: vscode.Uri, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
}
