// What a stop was about, in words: which byte was written by whom, which exception with what, which exit. From the machine's detail.

import { exitReasonName } from '../machine/vmx/exit-reasons.ts';
import { exceptionName } from './exceptions.ts';
import type { Part, Saying } from './saying.ts';
import type { StopDetail } from './target.ts';

const hex = (value: number, digits = 8): string => `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;

/** Little endian, as a number while it is at most four bytes. */
const bytesText = (bytes: Uint8Array): string =>
  bytes.length <= 4
    ? `0x${[...bytes]
        .reverse()
        .map((b) => b.toString(16).padStart(2, '0'))
        .join('')}`
    : [...bytes.subarray(0, 16)].map((b) => b.toString(16).padStart(2, '0')).join(' ') +
      (bytes.length > 16 ? ' ...' : '');

/**
 * Without a full stop; the editor and gdb have the same.
 * @param place an address, with its symbol where one is known
 * @param watched what the user calls the bytes that were accessed
 */
export const stopSentence = (detail: StopDetail, place: (address: number) => string, watched?: string): Saying => {
  switch (detail.on) {
    case 'access': {
      const name = watched ?? place(detail.address);
      const [before, after, at] = [bytesText(detail.before), bytesText(detail.after), place(detail.eip)];
      if (!detail.write) return ['stopRead', { name, value: after, place: at }];
      return ['stopWrite', { name, before, after, place: at }];
    }
    case 'exception': {
      const code: Part = detail.errorCode === undefined ? '' : ['withErrorCode', { code: hex(detail.errorCode, 4) }];
      const address: Part = detail.address === undefined ? '' : ['withLinearAddress', { place: place(detail.address) }];
      return ['stopException', { name: exceptionName(detail.vector), code, address, place: place(detail.eip) }];
    }
    case 'interrupt':
      return ['stopInterrupt', { vector: hex(detail.vector, 2), place: place(detail.eip) }];
    case 'exit':
      return ['stopExit', { name: exitReasonName(detail.reason), qualification: hex(detail.qualification) }];
    case 'port':
      return [
        detail.out ? 'stopOut' : 'stopIn',
        { port: hex(detail.port, 4), value: hex(detail.value, 2), place: place(detail.eip) },
      ];
    case 'msr':
      return [detail.write ? 'stopWriteMsr' : 'stopReadMsr', { index: hex(detail.index), place: place(detail.eip) }];
  }
};
