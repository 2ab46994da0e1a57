// What a kernel must be told to speak on the serial line, which is the console that Kansoku shows: one row a kernel that is silent there
// unless told. Not the setting kansoku.commandLine (settings.ts), which wins. GNU Mach's kernel arguments; Linux's Documentation/admin-guide/serial-console.rst.

import type { ImageFormat } from '../../workers/image-format.ts';

interface KnownKernel {
  readonly format: ImageFormat;
  /** What the kernel's version string looks like in the image; undefined: the format alone tells. */
  readonly version?: RegExp;
  readonly commandLine: string;
}

const KNOWN_KERNELS: readonly KnownKernel[] = [
  { format: 'multiboot', version: /GNU Mach \d/, commandLine: 'console=com0' },
  { format: 'bzimage', commandLine: 'console=ttyS0,115200' },
];

/** The command line for a kernel when the user gives none; empty for one that is not known. `image`: unpacked. */
export const defaultCommandLine = (format: ImageFormat, image: Uint8Array): string => {
  const candidates = KNOWN_KERNELS.filter((kernel) => kernel.format === format);
  if (candidates.length === 0) return '';
  // One character a byte, so the version string is found wherever it lies.
  const text = new TextDecoder('latin1').decode(image);
  return candidates.find(({ version }) => version === undefined || version.test(text))?.commandLine ?? '';
};
