// Breakpoints on data: any number of bytes, any number of them, on reading, writing or changing. Variables, registers that point somewhere,
// expressions and plain addresses.

import type { StopPoint } from '../../target.ts';
import { setGroup } from '../placing.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { addressOf, reference } from '../references.ts';

/** A data id is an address and a number of bytes: it means the same in every session. */
const idOf = (address: number, bytes: number): string => `${reference(address)}/${bytes}`;
const parseId = (dataId: string): { readonly address: number; readonly bytes: number } => {
  const [address = '', bytes = ''] = dataId.split('/');
  return { address: addressOf(address), bytes: Number(bytes) };
};

const ACCESSES: readonly Dap.DataBreakpointAccessType[] = ['read', 'write', 'readWrite'];
/** The editor's "write" is its "Value Change": a store of the same value is none. */
const ON = { read: 'read', write: 'change', readWrite: 'access' } as const satisfies Record<
  Dap.DataBreakpointAccessType,
  StopPoint['on']
>;

export const dataBreakpointInfo: Handler<'dataBreakpointInfo'> = {
  capabilities: { supportsDataBreakpoints: true, supportsDataBreakpointBytes: true },
  answer: (session, { name, variablesReference, frameId, bytes, asAddress }) => {
    try {
      const place = placeOf(session, name, variablesReference, frameId, bytes, asAddress === true);
      return {
        dataId: idOf(place.address, place.bytes),
        description: `${place.bytes} ${place.bytes === 1 ? 'byte' : 'bytes'} at ${session.place(place.address)}`,
        accessTypes: [...ACCESSES],
        canPersist: true,
      };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { dataId: null, description: error.message };
    }
  },
};

/** Where a variable of a container, or an expression in a frame, lies in memory. */
export const placeOf = (
  session: DebugSession,
  name: string,
  container: number | undefined,
  frameId: number | undefined,
  bytes: number | undefined,
  asAddress: boolean,
): { readonly address: number; readonly bytes: number } => {
  if (asAddress) return { address: session.context.address(name), bytes: bytes ?? 4 };
  if (container !== undefined && container > 0) {
    const place = session.containers.get(container)?.place?.(name);
    if (place === undefined) throw new Refusal(`${name} does not lie in memory: it cannot be watched.`);
    return { address: place.address, bytes: bytes ?? place.bytes };
  }
  const place = session.context.lvalue(name, session.frame(frameId));
  return { address: place.address, bytes: bytes ?? place.bytes };
};

export const setDataBreakpoints: Handler<'setDataBreakpoints'> = {
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(session, 'data', 'data', breakpoints, ({ dataId, accessType }) => {
      const { address, bytes } = parseId(dataId);
      return {
        name: `${session.nameOf(address) ?? reference(address)}${bytes === 4 ? '' : ` (${bytes} bytes)`}`,
        spots: bytes > 0 ? [{ on: ON[accessType ?? 'write'], address, bytes }] : `${dataId} has no bytes to watch.`,
      };
    }),
  }),
};
