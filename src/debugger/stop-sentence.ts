// What a stop was about, in words: which byte was written by whom, which exception with what, which exit. From the machine's detail.

import { exitReasonName } from '../machine/vmx/exit-reasons.ts';
import { exceptionName } from './exceptions.ts';
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
 * One sentence without its full stop; the editor and gdb have the same.
 * @param place an address, with its symbol where one is known
 * @param watched what the user calls the bytes that were accessed
 */
export const stopSentence = (detail: StopDetail, place: (address: number) => string, watched?: string): string => {
  switch (detail.on) {
    case 'access': {
      const name = watched ?? place(detail.address);
      if (!detail.write) return `Read of ${name} (${bytesText(detail.after)}) at ${place(detail.eip)}`;
      return `Write to ${name}: ${bytesText(detail.before)} became ${bytesText(detail.after)} at ${place(detail.eip)}`;
    }
    case 'exception': {
      const code = detail.errorCode === undefined ? '' : `, error code ${hex(detail.errorCode, 4)}`;
      const address = detail.address === undefined ? '' : `, linear address ${place(detail.address)}`;
      return `${exceptionName(detail.vector)}${code}${address} at ${place(detail.eip)}`;
    }
    case 'interrupt':
      return `Interrupt ${hex(detail.vector, 2)} at ${place(detail.eip)}`;
    case 'exit':
      return `VM exit: ${exitReasonName(detail.reason)}, qualification ${hex(detail.qualification)}`;
    case 'port':
      return `${detail.out ? 'OUT to' : 'IN from'} port ${hex(detail.port, 4)}, value ${hex(detail.value, 2)}, at ${place(detail.eip)}`;
    case 'msr':
      return `${detail.write ? 'WRMSR' : 'RDMSR'} of MSR ${hex(detail.index)} at ${place(detail.eip)}`;
  }
};
