// Breakpoints on data: any number of bytes, any number of them, on reading, writing or changing. Variables, registers that point somewhere,
// expressions and plain addresses; in the address space of a task that sleeps too, where only accesses to the same bytes count.

import { type Part, reasonOf, type Saying } from '../../saying.ts';
import type { StopPoint } from '../../target.ts';
import { setGroup } from '../placing.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { placeAt, reference } from '../references.ts';

/** Bytes that lie together; `space`: CR3 of the address space where the address means them, if that is not the processor's. */
interface Bytes {
  readonly address: number;
  readonly bytes: number;
  readonly space?: number | undefined;
}

/** A data id is a place and a number of bytes: it means the same in every session, but for address spaces. */
const idOf = ({ subject }: DebugSession, { address, bytes, space }: Bytes): string =>
  `${subject.reference(address, space)}/${bytes}`;
const parseId = (dataId: string): Bytes => {
  const [place = '', bytes = ''] = dataId.split('/');
  const { address, pageTable } = placeAt(place);
  return { address, bytes: Number(bytes), space: pageTable };
};

/** More than this is a region of memory, not data. */
const MOST_BYTES = 1 << 24;

/** Why they cannot be watched; undefined: they can. */
const unfit = (session: DebugSession, { address, bytes, space }: Bytes): Saying | undefined => {
  if (!Number.isInteger(bytes) || bytes < 1) return ['nothingToWatch', { place: reference(address) }];
  if (bytes > MOST_BYTES) return ['tooMuchToWatch', { bytes, most: MOST_BYTES }];
  if (address + bytes > 2 ** 32) return ['watchBeyondMemory', { bytes, place: reference(address) }];
  if (space !== undefined && !session.subject.isMapped(address, space))
    return ['notInItsSpace', { place: reference(address), space: reference(space) }];
  return undefined;
};

const ACCESSES: readonly Dap.DataBreakpointAccessType[] = ['read', 'write', 'readWrite'];
/** The editor's "write" is its "Value Change": a store of the same value is none. */
const ON = { read: 'read', write: 'change', readWrite: 'access' } as const satisfies Record<
  Dap.DataBreakpointAccessType,
  StopPoint['on']
>;

export const dataBreakpointInfo: Handler<'dataBreakpointInfo'> = {
  capabilities: { supportsDataBreakpoints: true, supportsDataBreakpointBytes: true },
  answer: (session, wanted) => {
    try {
      const place = placeOf(session, wanted);
      const problem = unfit(session, place);
      if (problem !== undefined) throw new Refusal(...problem);
      const { bytes, space } = place;
      const whose: Part = space === undefined ? '' : ['inSpace', { space: reference(space) }];
      return {
        dataId: idOf(session, place),
        description: session.tell(bytes === 1 ? 'byteAt' : 'bytesAt', {
          bytes,
          place: session.subject.place(place.address),
          whose,
        }),
        accessTypes: [...ACCESSES],
        canPersist: space === undefined,
      };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { dataId: null, description: session.tell('plain', { text: reasonOf(error) }) };
    }
  },
};

/** Where a variable of a container, an expression in a frame, or an address lies in memory. */
export const placeOf = (
  session: DebugSession,
  { name, variablesReference = 0, frameId, bytes, asAddress }: Dap.DataBreakpointInfoArguments,
): Bytes => {
  if (asAddress === true) {
    const space = /^(d\d+:0x[0-9a-f]+(@0x[0-9a-f]+)?|0x[0-9a-f]+@0x[0-9a-f]+)$/i.test(name.trim())
      ? placeAt(name.trim())
      : undefined;
    if (space !== undefined) session.turnTo({ memoryReference: name.trim() });
    return { address: space?.address ?? session.context.address(name), bytes: bytes ?? 4, space: space?.pageTable };
  }
  const within = (place: Bytes, pageTable: number | undefined): Bytes => ({
    address: place.address,
    bytes: bytes ?? place.bytes,
    space: session.subject.spaceOf(place.address, pageTable),
  });
  if (variablesReference > 0) {
    const place = session.containers.get(variablesReference)?.place?.(name);
    if (place === undefined) throw new Refusal('notInMemory', { name });
    return within(place, place.pageTable);
  }
  const frame = session.frame(frameId);
  return within(session.context.lvalue(name, frame), frame.task?.pageTable);
};

export const setDataBreakpoints: Handler<'setDataBreakpoints'> = {
  answer: (session, { breakpoints }) => ({
    breakpoints: setGroup(
      session,
      'data',
      'data',
      breakpoints,
      ({ dataId, accessType }) => {
        const wanted = parseId(dataId);
        const { address, bytes, space } = wanted;
        const name = session.subject.nameOf(address) ?? reference(address);
        const problem = unfit(session, wanted);
        return {
          name: bytes === 4 ? name : session.tell('dataName', { name, bytes }),
          spots: problem !== undefined ? session.tell(...problem) : [{ on: ON[accessType ?? 'write'], address, bytes }],
          space,
        };
      },
      ({ dataId }) => session.subjectIn(dataId.split('/')[0]!),
    ),
  }),
};
