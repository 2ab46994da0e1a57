// One guest as a debug session has it: its code, call stack, expressions and operating system, what its addresses are called, and how a breakpoint
// that is met in it is judged. A session has one for each guest of the machine. Not the guest itself (../machine.ts), and not what runs (session.ts).

import type { Judge } from '../breakpoints.ts';
import { Code } from '../code.ts';
import { GuestContext } from '../context.ts';
import { Frames } from '../frames.ts';
import type { DebuggedGuest } from '../machine.ts';
import { GuestOs } from '../os/guest-os.ts';
import { sameBytes, walkPages } from '../page-tables.ts';
import type { Tell } from '../saying.ts';
import { formatAddress, type SourceLocation } from '../../symbols/location.ts';
import { Arrivals } from './arrivals.ts';
import { LoadedModules } from './loaded-modules.ts';
import { expandMessage } from './log-message.ts';
import { reference } from './references.ts';
import type { DebugSession } from './session.ts';
import { wholeText, withoutFormat } from './values.ts';

export class Subject implements Judge {
  readonly code: Code;
  readonly frames: Frames;
  readonly os: GuestOs;
  readonly context: GuestContext;
  readonly arrivals: Arrivals;
  readonly loadedModules: LoadedModules;

  /** @param index its place among the guests of the machine */
  constructor(
    private readonly session: DebugSession,
    readonly index: number,
  ) {
    const { guest } = this;
    this.code = new Code(
      () => this.guest.target,
      (address) => this.nameOf(address),
    );
    this.frames = new Frames(guest);
    this.os = new GuestOs(guest, (text) => session.say(this.tell('sentence', { text })));
    this.context = new GuestContext(guest, session.execution, this.code, this.frames);
    this.arrivals = new Arrivals(session, this);
    this.loadedModules = new LoadedModules(session, this);
  }

  get guest(): DebuggedGuest {
    return this.session.machine.guests[this.index]!;
  }
  /** Number of its domain, for stop points; undefined: there is no other. */
  get domain(): number | undefined {
    return this.guest.target.domain;
  }
  get tell(): Tell {
    return this.session.tell;
  }
  /** What is said of one of several guests begins with its domain, as on Xen's console. */
  get prefix(): string {
    return this.domain === undefined ? '' : `(d${this.domain}) `;
  }
  /** A place in its memory, as the protocol writes it. @param pageTable CR3 of another address space than the processor's */
  reference(address: number, pageTable?: number): string {
    return reference(address, pageTable, this.index === 0 ? undefined : this.domain);
  }

  // ---- judging breakpoints ------------------------------------------------------------------------------------------

  truth(expression: string): boolean {
    return this.context.truth(expression);
  }
  standIn(name: string | undefined): void {
    this.frames.standIn(name);
  }
  means(address: number, space: number): boolean {
    return sameBytes(this.guest.target, address, space);
  }
  expand(message: string): string {
    const value = (expression: string): string => {
      const { plain, number } = withoutFormat(expression);
      return wholeText(this.session, this.context.look(plain), number);
    };
    return expandMessage(message, value, this.tell);
  }

  // ---- addresses ----------------------------------------------------------------------------------------------------

  isMapped(address: number, space: number): boolean {
    const { target } = this.guest;
    return walkPages(target, target.vcpu, address, space).physical !== undefined;
  }
  /** The address space of a task as far as an address needs it: what means the same everywhere is nobody's. */
  spaceOf(address: number, pageTable: number | undefined): number | undefined {
    return pageTable === undefined || this.means(address, pageTable) ? undefined : pageTable;
  }
  nameOf(address: number): string | undefined {
    return named(this.guest.guestSymbols.kernel.map.locate(address)) ?? this.inModule(address);
  }
  /** Code that was loaded later: as the kernel itself names it. Its data only its file names. */
  private inModule(address: number): string | undefined {
    const module = this.os.moduleAt(address);
    if (module === undefined) return undefined;
    const is = this.os.moduleFunction(address)?.is;
    const name =
      is === undefined
        ? named(this.guest.symbols.locate(address))
        : named({ function: is.name, offset: address - is.address });
    return name === undefined
      ? `[${module.name}]+0x${((address - module.base) >>> 0).toString(16)}`
      : `${name} [${module.name}]`;
  }
  place(address: number): string {
    const name = this.nameOf(address);
    return name === undefined ? formatAddress(address) : `${formatAddress(address)} <${name}>`;
  }
}

const named = ({ function: name, offset }: Pick<SourceLocation, 'function' | 'offset'>): string | undefined =>
  name === undefined || offset === undefined || offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
