// Writes cpio archives in the "newc" format, what Linux unpacks as its initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
// Not a reader, and not compressed: the kernel takes it as it is.

export interface CpioEntry {
  /** Path without a leading slash. */
  readonly name: string;
  /** File type and permissions as in st_mode: see the makers below. */
  readonly mode: number;
  readonly bytes?: Uint8Array;
  /** Major and minor number of a device node. */
  readonly device?: readonly [number, number];
}

const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const TRAILER = 'TRAILER!!!';

export const folder = (name: string): CpioEntry => ({ name, mode: S_IFDIR | 0o755 });
export const program = (name: string, bytes: Uint8Array | string): CpioEntry => ({
  name,
  mode: S_IFREG | 0o755,
  bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes,
});
export const link = (name: string, target: string): CpioEntry => ({
  name,
  mode: S_IFLNK | 0o777,
  bytes: new TextEncoder().encode(target),
});
export const characterDevice = (name: string, major: number, minor: number): CpioEntry => ({
  name,
  mode: S_IFCHR | 0o600,
  device: [major, minor],
});

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padding = (length: number): number => -length & 3;

/** The archive. Entries come out in the order given, so folders go before what is in them. */
export const cpio = (entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> => {
  const parts: Uint8Array[] = [];
  const add = (part: Uint8Array): void => void parts.push(part, new Uint8Array(padding(part.length)));
  [...entries, { name: TRAILER, mode: 0 } as CpioEntry].forEach(({ name, mode, bytes, device }, index) => {
    const [major, minor] = device ?? [0, 0];
    const fields = [
      index + 1, // inode
      mode,
      0, // uid
      0, // gid
      1, // links
      0, // mtime: the same archive every time
      bytes?.length ?? 0,
      0, // device of the file
      0,
      major,
      minor,
      name.length + 1,
      0, // check
    ];
    add(new TextEncoder().encode(`070701${fields.map(hex).join('')}${name}\0`));
    if (bytes !== undefined) add(bytes);
  });
  const archive = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
};
