// What the processor's tables hold, in the Variables view: descriptor tables, the task-state segment, the VMCS. Read when they are opened, in
// pages. Not registers (register-scopes.ts) and not how the tables are read (../descriptor-tables.ts).

import { entryCount, tableEntries, type TableName, taskState } from '../descriptor-tables.ts';
import type { Container } from './containers.ts';
import type { Dap } from './protocol.ts';
import { reference } from './references.ts';
import type { DebugSession } from './session.ts';

/** Rows that are made page by page. */
export const rows = (
  total: () => number,
  page: (start: number, count: number) => readonly Dap.Variable[],
): Container => ({
  children: (start, count) => {
    const all = total();
    const first = Math.min(start, all);
    return [...page(first, Math.min(count ?? all, all - first))];
  },
});

/** A row that opens into others; `indexed`: how many there are, so that the editor asks for them in pages. */
export const opening = (
  session: DebugSession,
  name: string,
  value: string,
  container: Container,
  indexed?: number,
): Dap.Variable => ({
  name,
  value,
  variablesReference: session.containers.add(container),
  ...(indexed === undefined ? {} : { indexedVariables: indexed }),
});

/** Scopes that take long to read, or to look through. */
export const systemScopes = (session: DebugSession): Dap.Scope[] => {
  const scope = (name: string, container: Container): Dap.Scope => ({
    name,
    expensive: true,
    variablesReference: session.containers.add(container),
  });
  const found = [scope(session.tell('descriptorTables'), tables(session))];
  if (session.guest.vmcs().length > 0) found.push(scope('VMCS', vmcs(session)));
  return found;
};

const tables = (session: DebugSession): Container => {
  const all = (): Dap.Variable[] => [
    ...(['GDT', 'LDT', 'IDT'] as const).map((name) => table(session, name)),
    taskSegment(session),
  ];
  return rows(
    () => 4,
    (start, count) => all().slice(start, start + count),
  );
};

const table = (session: DebugSession, name: TableName): Dap.Variable => {
  const { target } = session.guest;
  const total = entryCount(target, name);
  if (total === 0) return { name, value: session.tell('notInUse'), variablesReference: 0 };
  const container = rows(
    () => total,
    (start, count) =>
      tableEntries(target, name, start, count).map(({ name: label, at, text, leadsTo }) => {
        const symbol = name === 'IDT' && leadsTo !== undefined ? session.subject.nameOf(leadsTo) : undefined;
        return {
          name: label,
          value: symbol === undefined ? text : `${text} <${symbol}>`,
          variablesReference: 0,
          memoryReference: session.subject.reference(at),
        };
      }),
  );
  const count = session.tell(total === 1 ? 'entry' : 'entries', { count: total });
  return opening(session, name, count, container, total);
};

const taskSegment = (session: DebugSession): Dap.Variable => {
  const fields = taskState(session.guest.target);
  if (fields.length === 0) return { name: 'TSS', value: session.tell('notInUse'), variablesReference: 0 };
  const container = rows(
    () => fields.length,
    (start, count) =>
      fields.slice(start, start + count).map(({ name, at, bytes, value }) => ({
        name,
        value: value === undefined ? session.tell('beyondLimit') : `0x${value.toString(16).padStart(bytes * 2, '0')}`,
        variablesReference: 0,
        memoryReference: session.subject.reference(at),
      })),
  );
  const text = session.tell('fieldsAt', { count: fields.length, place: reference(fields[0]!.at) });
  return opening(session, 'TSS', text, container);
};

/** A group of fields, as the SDM calls it. */
const GUEST_STATE = 'Guest state';

/** By the SDM's groups of fields. */
const vmcs = (session: DebugSession): Container => {
  const groups = [...new Set(session.guest.vmcs().map(({ group }) => group))];
  return rows(
    () => groups.length,
    (start, count) =>
      groups.slice(start, start + count).map((group) => {
        const fields = session.guest.vmcs().filter((field) => field.group === group);
        const container = rows(
          () => fields.length,
          (from, most) =>
            fields.slice(from, from + most).map(({ name, low, high, width, decoded }) => {
              const digits = (value: number, size: number): string => value.toString(16).padStart(size, '0');
              const value = width === 64 ? digits(high, 8) + digits(low, 8) : digits(low, width / 4);
              const symbol = width === 32 ? session.subject.nameOf(low) : undefined;
              return {
                name,
                value: [`0x${value}`, decoded, symbol === undefined ? '' : `<${symbol}>`]
                  .filter((part) => part !== '')
                  .join(' '),
                variablesReference: 0,
                type: session.tell('bits', { count: width }),
              };
            }),
        );
        // The processor keeps the guest's state to itself until it exits.
        const text = session.tell(group === GUEST_STATE ? 'fieldsOfExit' : 'fields', { count: fields.length });
        return opening(session, group, text, container);
      }),
  );
};
