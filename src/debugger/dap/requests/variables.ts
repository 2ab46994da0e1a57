// What a container holds, in pages, and setting one of it.

import { type Handler, Late, Refusal } from '../protocol.ts';
import type { Container } from '../containers.ts';
import type { DebugSession } from '../session.ts';

export const variables: Handler<'variables'> = {
  answer: (session, { variablesReference, start = 0, count, filter }) => ({
    variables: containerOf(session, variablesReference).children(start, count === 0 ? undefined : count, filter),
  }),
};

export const setVariable: Handler<'setVariable'> = {
  capabilities: { supportsSetVariable: true },
  answer: (session, { variablesReference, name, value }) => {
    const container = containerOf(session, variablesReference);
    if (container.set === undefined) throw new Refusal('cannotBeChanged', { name });
    const body = container.set(name, value);
    session.changed('all');
    return body;
  },
};

const containerOf = (session: DebugSession, reference: number): Container => {
  const container = session.containers.get(reference);
  if (container === undefined) throw new Late('valuesAreOver');
  return container;
};
