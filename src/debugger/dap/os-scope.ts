// The guest's operating system in the Variables view: what runs, the system call it is in, and lists of tasks, modules and log lines. Read when
// opened, in pages. Not what is known of a system (../os).

import type { CallInProgress, GuestModule, GuestTask } from '../os/awareness.ts';
import type { Container } from './containers.ts';
import { stateOf } from './loaded-modules.ts';
import type { Dap } from './protocol.ts';
import { reference } from './references.ts';
import type { DebugSession } from './session.ts';
import { opening, rows } from './system-scopes.ts';
import { taskLabel } from './threads.ts';

/** Of a frame of the processor's, or of a task's; undefined: nothing is known of the system. */
export const osScope = (session: DebugSession, task: GuestTask | undefined): Dap.Scope | undefined => {
  const { awareness } = session.os;
  if (awareness === undefined) return undefined;
  return {
    name: session.tell('operatingSystem'),
    expensive: true,
    variablesReference: session.containers.add(container(session, task)),
  };
};

const container = (session: DebugSession, task: GuestTask | undefined): Container => {
  const { os, tell } = session;
  const all = (): Dap.Variable[] => {
    const whose = task ?? os.current;
    const system = os.awareness!;
    const log = system.log();
    return [
      row(tell('system'), system.name),
      ...(whose === undefined
        ? []
        : [{ ...row(tell('task'), taskLabel(whose)), memoryReference: session.subject.reference(whose.address) }]),
      ...(whose?.call === undefined ? [] : [row(tell('systemCall'), callText(session, whose.call))]),
      list(session, tell('tasks'), os.tasks(), (one) => {
        const task = `${one.name}${one.state === '' ? '' : ` (${one.state})`}`;
        return {
          ...row(String(one.id), one.kernel ? tell('kernelTask', { task }) : task),
          memoryReference: session.subject.reference(one.address),
        };
      }),
      ...(os.modules().length === 0
        ? []
        : [
            list(session, tell('modules'), os.modules(), (module) => ({
              ...row(module.name, moduleText(session, module)),
              memoryReference: session.subject.reference(module.base),
            })),
          ]),
      ...(log.length === 0
        ? []
        : [
            list(session, tell('log'), log, ({ seconds, text }, index) =>
              row(String(index), `[${seconds.toFixed(6)}] ${text}`),
            ),
          ]),
    ];
  };
  return { children: (start, count) => all().slice(start, count === undefined ? undefined : start + count) };
};

const row = (name: string, value: string): Dap.Variable => ({ name, value, variablesReference: 0 });

const moduleText = (session: DebugSession, module: GuestModule): string => {
  const { modules: files } = session.guest.guestSymbols;
  const place = session.tell('moduleAt', { place: reference(module.base), bytes: module.bytes });
  return files === undefined ? place : `${place}; ${stateOf(module, files, session.tell).symbolStatus}`;
};

const list = <T>(
  session: DebugSession,
  name: string,
  items: readonly T[],
  show: (item: T, index: number) => Dap.Variable,
): Dap.Variable =>
  opening(
    session,
    name,
    String(items.length),
    rows(
      () => items.length,
      (start, count) => items.slice(start, start + count).map((item, index) => show(item, start + index)),
    ),
    items.length,
  );

/** `read(unsigned int fd = 0x3, char * buf = 0xbffff000, size_t count = 0x400)`. */
export const callText = (session: DebugSession, call: CallInProgress): string => {
  const known = session.os.awareness?.systemCall(call.number);
  const value = (index: number): string => `0x${(call.arguments[index] ?? 0).toString(16)}`;
  if (known === undefined) return session.tell('callNumber', { number: call.number });
  const parameters = known.parameters.map(({ name, type }, index) => `${type} ${name} = ${value(index)}`);
  return `${known.name}(${parameters.join(', ')})`;
};
