// Guest memory as bytes: readMemory and writeMemory, by linear addresses through the guest's own page tables.

import { decodeBase64, encodeBase64 } from '../base64.ts';
import { type Handler, Refusal } from '../protocol.ts';
import { addressOf, reference } from '../references.ts';

/** More at once is not read: what asks for it would wait. */
const MOST = 16 << 20;

export const readMemory: Handler<'readMemory'> = {
  capabilities: { supportsReadMemoryRequest: true },
  answer: (session, { memoryReference, offset, count }) => {
    const address = addressOf(memoryReference, offset);
    const bytes = new Uint8Array(Math.max(0, Math.min(count, MOST, 2 ** 32 - address)));
    const mapped = session.machine.target.readMemory(address, bytes);
    return {
      address: reference(address),
      data: encodeBase64(bytes.subarray(0, mapped)),
      ...(mapped < count
        ? {
            unreadableBytes: unmapped(
              session.machine.target.readMemory.bind(session.machine.target),
              address + mapped,
              count - mapped,
            ),
          }
        : {}),
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
    const address = addressOf(memoryReference, offset);
    const bytes = decodeBase64(data);
    const { target } = session.machine;
    if (allowPartial !== true && target.readMemory(address, new Uint8Array(bytes.length)) < bytes.length)
      throw new Refusal(
        `Not all of the ${bytes.length} bytes at ${reference(address)} are mapped: nothing was written.`,
      );
    const written = target.writeMemory(address, bytes);
    session.later(() => session.emit('memory', { memoryReference: reference(address), offset: 0, count: written }));
    session.changed('variables', 'stacks');
    return { offset: 0, bytesWritten: written };
  },
};
