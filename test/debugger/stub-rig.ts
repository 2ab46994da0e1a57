// GDB's stub on a machine, driven packet by packet. For specs only.

import { textOf } from '../../src/debugger/gdb/packet.ts';
import { GdbStub } from '../../src/debugger/gdb/stub.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { Session } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
export const hexOf = (text: string): string => [...bytesOf(text)].map((b) => b.toString(16).padStart(2, '0')).join('');

/** The sample kernel alone, bare, unless changed. */
export class Rig {
  session: Session;
  private out = '';
  readonly stub: GdbStub;

  constructor(config = configOf(TSUBAME, { bare: true, observe: 'none' })) {
    this.session = createSession(config);
    this.stub = new GdbStub(
      this.session.debug,
      {
        restart: () => {
          this.session = createSession(config);
          return this.session.debug;
        },
        nameOf: (index) => this.session.domains()[index]!.name,
        endOf: (index) => this.session.guests[index]!.stop,
        commands: [{ name: 'hello', usage: '', help: 'says it', ofGuest: true, run: () => 'hello' }],
      },
      (bytes) => (this.out += textOf(bytes)),
    );
    this.ask('QStartNoAckMode');
  }
  send(data: string): void {
    let sum = 0;
    for (const byte of bytesOf(data)) sum = (sum + byte) & 0xff;
    this.stub.receive(bytesOf(`$${data}#${sum.toString(16).padStart(2, '0')}`));
  }
  /** Packets that came since the last call. */
  take(): string[] {
    const packets = [...this.out.matchAll(/\$([^#]*)#../g)].map((match) =>
      match[1]!.replace(/\}(.)/gs, (_, c: string) => String.fromCharCode(c.charCodeAt(0) ^ 0x20)),
    );
    this.out = '';
    return packets;
  }
  ask(data: string): string {
    this.send(data);
    return this.take().join(' ');
  }
  /** Runs until it stops. */
  run(data: string, slices = 1000): string {
    this.send(data);
    for (let i = 0; i < slices && this.stub.state !== 'stopped'; i++) this.stub.slice();
    return this.take().join(' ');
  }
  symbol(name: string): string {
    return this.session.lookup(name)!.toString(16);
  }
  /** What `monitor LINE` answers. */
  monitor(line: string): string {
    return Buffer.from(this.ask(`qRcmd,${hexOf(line)}`), 'hex').toString();
  }
}
