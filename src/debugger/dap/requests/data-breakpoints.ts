// Breakpoints on data: any number of bytes, any number of them, on reading, writing or changing. Variables, registers that point somewhere,
// expressions and plain addresses.

import type { StopPoint } from '../../target.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { addressOf, badHit, badHitText, given, reference } from './source-breakpoints.ts';

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

const placeOf = (
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
  const place = session.context.lvalue(name, frameId === undefined ? undefined : session.frameHandles.get(frameId));
  return { address: place.address, bytes: bytes ?? place.bytes };
};

export const setDataBreakpoints: Handler<'setDataBreakpoints'> = {
  answer: (session, { breakpoints }) => {
    const found = breakpoints.map((wanted) => ({ wanted, ...parseId(wanted.dataId) }));
    const set = session.book.replace(
      'data',
      found.map(({ wanted, address, bytes }) => ({
        kind: 'data',
        name: `${session.nameOf(address) ?? reference(address)}${bytes === 4 ? '' : ` (${bytes} bytes)`}`,
        spots: bytes > 0 && !badHit(wanted) ? [{ on: ON[wanted.accessType ?? 'write'], address, bytes }] : [],
        condition: given(wanted.condition),
        hitCondition: given(wanted.hitCondition),
      })),
    );
    session.execution.arm();
    return {
      breakpoints: found.map(({ wanted, bytes }, index) => {
        const { id } = set[index]!;
        if (badHit(wanted)) return { id, verified: false, message: badHitText(wanted), reason: 'failed' };
        return bytes > 0
          ? { id, verified: true }
          : { id, verified: false, message: `${wanted.dataId} has no bytes to watch.`, reason: 'failed' };
      }),
    };
  },
};
