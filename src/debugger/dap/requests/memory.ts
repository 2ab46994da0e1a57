// Guest memory as bytes: readMemory and writeMemory, by linear addresses through the guest's own page tables: the processor's, or those of the task that
// the reference names.

import { memoryOf } from '../../page-tables.ts';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import { type Handler, Refusal } from '../protocol.ts';
import { placeAt, reference } from '../references.ts';

/** More at once is not read, nor said to be unreadable: what asks for it would wait. It asks for the rest. */
const MOST = 16 << 20;

export const readMemory: Handler<'readMemory'> = {
  capabilities: { supportsReadMemoryRequest: true },
  answer: (session, { memoryReference, offset, count }) => {
    const { address, pageTable } = placeAt(memoryReference, offset);
    const read = memoryOf(session.guest.target, pageTable);
    const bytes = new Uint8Array(Math.min(count, MOST, 2 ** 32 - address));
    const mapped = read(address, bytes);
    const rest = Math.min(count, MOST) - mapped;
    return {
      address: reference(address),
      data: encodeBase64(bytes.subarray(0, mapped)),
      ...(rest > 0 ? { unreadableBytes: unmapped(read, address + mapped, rest) } : {}),
    };
  },
};

const PAGE = 0x1000;
/** Bytes from `address` on that cannot be read, up to `most`. */
const unmapped = (read: (linear: number, into: Uint8Array) => number, address: number, most: number): number => {
  const probe = new Uint8Array(1);
  let bytes = 0;
  while (bytes < most && address + bytes < 2 ** 32) {
    if (read(address + bytes, probe) === 1) return bytes;
    bytes += PAGE - ((address + bytes) & (PAGE - 1));
  }
  return most;
};

export const writeMemory: Handler<'writeMemory'> = {
  capabilities: { supportsWriteMemoryRequest: true },
  answer: (session, { memoryReference, offset, data, allowPartial }) => {
    const { address, pageTable } = placeAt(memoryReference, offset);
    const bytes = decodeBase64(data);
    if (bytes === undefined) throw new Refusal('noBase64');
    if (bytes.length > 2 ** 32 - address)
      throw new Refusal('writeBeyondMemory', { bytes: bytes.length, place: reference(address) });
    const { target } = session.guest;
    if (allowPartial !== true && memoryOf(target, pageTable)(address, new Uint8Array(bytes.length)) < bytes.length)
      throw new Refusal('notAllMapped', { bytes: bytes.length, place: reference(address) });
    const written = memoryOf(target, pageTable, true)(address, bytes);
    session.later(() =>
      session.emit('memory', {
        memoryReference: session.subject.reference(address, pageTable),
        offset: 0,
        count: written,
      }),
    );
    session.changed('variables', 'stacks');
    return { offset: 0, bytesWritten: written };
  },
};
