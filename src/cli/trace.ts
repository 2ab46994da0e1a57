// `kansoku trace`: summary and export of a .ktrace file. Not the formats: monitor/ has them. Query comes with observations at scale.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EXPORT_FORMATS, ExportError, exportTrace } from '../monitor/export/index.ts';
import { summarize } from '../monitor/summary.ts';
import { decodeTrace, type Trace, TraceFileError } from '../monitor/trace-file.ts';
import { AddressMap } from '../symbols/address-map.ts';
import { unpack } from '../workers/unpack.ts';
import { UserError } from '../workers/session.ts';
import { helpText, parseArguments, type ParsedArguments } from './options.ts';

/** Options of `trace`. */
export const TRACE_OPTIONS = {
  symbols: {
    argument: 'FILE',
    help: 'ELF or System.map that names the addresses (default: the image the trace names, if it is there)',
  },
  format: { argument: 'FORMAT', help: 'export format' },
  out: { argument: 'PATH', help: 'file or folder to write' },
} as const;

const USAGE = `kansoku trace summary FILE [--symbols FILE]
kansoku trace export FILE --format FORMAT --out PATH

Formats: ${EXPORT_FORMATS.map((f) => `${f.name}${f.write === undefined ? ' (not in this release)' : ''}`).join(', ')}`;

const read = (path: string, what: string): Uint8Array => {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UserError(`${path}: cannot read the ${what}: ${(error as Error).message}`);
  }
};
const load = (path: string): Trace => {
  try {
    return decodeTrace(read(path, 'trace'), path);
  } catch (error) {
    if (error instanceof TraceFileError) throw new UserError(error.message);
    throw error;
  }
};
const locator = (trace: Trace, args: ParsedArguments): ((address: number) => string) => {
  const given = args.options.get('symbols')?.[0];
  const path = given ?? trace.header.symbols?.name ?? trace.header.image.name;
  let map = AddressMap.EMPTY;
  try {
    const result = AddressMap.load(path, unpack(path, read(path, 'symbols')));
    if (result.ok) map = result.map;
    else if (given !== undefined) throw new UserError(result.reason);
  } catch (error) {
    // The image a trace names may have moved: then addresses stay numbers.
    if (given !== undefined) throw error;
  }
  return (address) => map.describe(address);
};

const summary = (args: ParsedArguments): number => {
  const path = args.positional[1];
  if (path === undefined || args.positional.length > 2)
    throw new UserError(`kansoku trace summary: give one FILE (see kansoku trace --help)`);
  const trace = load(path);
  console.log(summarize(trace, locator(trace, args)));
  return 0;
};

const exportTo = (args: ParsedArguments): number => {
  const path = args.positional[1];
  const format = args.options.get('format')?.[0];
  const out = args.options.get('out')?.[0];
  if (path === undefined || args.positional.length > 2 || format === undefined || out === undefined)
    throw new UserError(`kansoku trace export: give one FILE, --format and --out (see kansoku trace --help)`);
  try {
    const { files, notes } = exportTrace(load(path), format);
    for (const [name, bytes] of files) {
      const target = name === '' ? out : join(out, name);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    for (const note of notes) console.error(note);
    return 0;
  } catch (error) {
    if (error instanceof ExportError) throw new UserError(`kansoku trace export: ${error.message}`);
    if ((error as NodeJS.ErrnoException).code !== undefined)
      throw new UserError(`${out}: cannot write the export: ${(error as Error).message}`);
    throw error;
  }
};

/** Exit status 0, or a UserError. */
export const trace = (argv: readonly string[]): number => {
  const args = parseArguments(
    argv.filter((a) => a !== '--help'),
    TRACE_OPTIONS,
    'trace',
  );
  if (argv.includes('--help')) {
    console.log(`${USAGE}\n\n${helpText(TRACE_OPTIONS)}`);
    return 0;
  }
  switch (args.positional[0]) {
    case 'summary':
      return summary(args);
    case 'export':
      return exportTo(args);
    case 'query':
      throw new UserError('kansoku trace query is not in this release: it comes with observations at scale');
    default:
      throw new UserError(`kansoku trace: give summary or export (see kansoku trace --help)`);
  }
};
