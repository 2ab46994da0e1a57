// How a stripped program names the file that has its debug data: the build id (a GNU note) and the section .gnu_debuglink.
// Only what is said; looking for the file is the caller's, who has a file system.
import { cString, type ElfFile } from '../machine/elf.ts';

export interface DebugLink {
  /** Hexadecimal. The file is `.build-id/ab/cdef….debug` below the folders of debug files. */
  readonly buildId?: string;
  /** Base name of the file, and its CRC-32. */
  readonly file?: { readonly name: string; readonly crc: number };
}

const NT_GNU_BUILD_ID = 3;

export function debugLinkOf(elf: ElfFile): DebugLink | undefined {
  const note = elf.notes().find(({ name, type }) => name === 'GNU' && type === NT_GNU_BUILD_ID);
  const buildId =
    note === undefined ? undefined : [...note.description].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const section = elf.section('.gnu_debuglink');
  const bytes = section === undefined ? undefined : elf.sectionBytes(section);
  const file = bytes?.ok === true ? linkIn(bytes.bytes) : undefined;
  if (buildId === undefined && file === undefined) return undefined;
  return { ...(buildId !== undefined && { buildId }), ...(file !== undefined && { file }) };
}

/** A zero-terminated name, padded to four bytes, and the checksum. */
function linkIn(bytes: Uint8Array): DebugLink['file'] {
  const name = cString(bytes, 0);
  const at = Math.ceil((new TextEncoder().encode(name).length + 1) / 4) * 4;
  if (name === '' || at + 4 > bytes.length) return undefined;
  return { name, crc: new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true) };
}
