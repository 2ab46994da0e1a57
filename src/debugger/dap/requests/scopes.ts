// The scopes of a frame: its locals, the variables of its file, and the processor's registers; of a caller, and of a task that does not run, the
// registers that it will go on with.

import type { Variable } from '../../../symbols/debug-info.ts';
import type { Frame } from '../../frames.ts';
import { osScope } from '../os-scope.ts';
import { REGISTER_SCOPES, registerContainer, savedRegisters } from '../register-scopes.ts';
import type { Dap, Handler } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { systemScopes } from '../system-scopes.ts';
import { listContainer, type Named } from '../values.ts';

export const scopes: Handler<'scopes'> = {
  answer: (session, { frameId }) => {
    const frame = session.frame(frameId);
    const found: Dap.Scope[] = [...variableScopes(session, frame)];
    const os = osScope(session, frame.task);
    if (frame.task !== undefined) {
      const variablesReference = session.containers.add(savedRegisters(session, frame));
      found.push({
        name: session.tell('registers'),
        expensive: false,
        variablesReference,
        presentationHint: 'registers',
      });
      return { scopes: os === undefined ? found : [...found, os] };
    }
    const isCaller = (frame.physical?.level ?? 0) > 0;
    for (const { name, groups, expensive } of REGISTER_SCOPES) {
      const general = groups.includes('general');
      const container = general && isCaller ? savedRegisters(session, frame) : registerContainer(session, groups);
      found.push({
        name: session.tell(...name),
        expensive,
        variablesReference: session.containers.add(container),
        ...(general ? { presentationHint: 'registers' } : {}),
      });
    }
    found.push(...(os === undefined ? [] : [os]), ...systemScopes(session));
    return { scopes: found };
  },
};

const variableScopes = (session: DebugSession, frame: Frame): Dap.Scope[] => {
  const { debug } = session.guest;
  if (frame.kind === 'label') return [];
  // The innermost block's come first and hide those of the same name around it.
  const locals = debug.scopesAt(frame.lookup, frame.level).flatMap(({ variables }) => variables);
  const globals = debug.globalsAt(frame.lookup);
  const scope = (name: string, variables: readonly Variable[], extra: Partial<Dap.Scope>): Dap.Scope => {
    const named = (list: readonly Variable[]): Named[] => {
      const names = session.context.names(frame);
      return list.map((variable) => ({
        name: variable.name,
        expression: variable.name,
        value: names.variable(variable),
      }));
    };
    const page = (start: number, count: number): Named[] => named(variables.slice(start, start + count));
    return {
      name,
      expensive: false,
      namedVariables: variables.length,
      variablesReference: session.containers.add(listContainer(session, variables.length, page, frame)),
      ...extra,
    };
  };
  const found: Dap.Scope[] = [];
  if (locals.length > 0) found.push(scope(session.tell('locals'), locals, { presentationHint: 'locals' }));
  if (globals.length > 0) found.push(scope(session.tell('globals'), globals, { expensive: true }));
  return found;
};
