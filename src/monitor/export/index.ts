// The exchange formats by name: ONE table for `kansoku trace export` and for the export command. Not the formats themselves.

import type { Trace } from '../trace-file.ts';
import { ExportError, type Exported } from './exported.ts';
import { exportXentrace } from './xentrace.ts';

export { ExportError, type Exported } from './exported.ts';

export interface ExportFormat {
  readonly name: string;
  readonly text: string;
  /** Undefined: not in this release. */
  readonly write: ((trace: Trace) => Exported) | undefined;
}

export const EXPORT_FORMATS: readonly ExportFormat[] = [
  { name: 'xentrace', text: "Xen's trace format, for xenalyze", write: exportXentrace },
  { name: 'trace-dat', text: "trace-cmd's and KernelShark's trace.dat", write: undefined },
  { name: 'ctf', text: 'Common Trace Format 1.8, for babeltrace2 and Trace Compass', write: undefined },
  { name: 'chrome', text: 'Chrome JSON, for chrome://tracing', write: undefined },
  { name: 'perfetto', text: 'Perfetto protobuf, for ui.perfetto.dev', write: undefined },
  { name: 'csv', text: 'comma-separated values', write: undefined },
  { name: 'parquet', text: 'Apache Parquet columns', write: undefined },
];

/** @throws ExportError for an unknown format, one that is not in this release, and a trace that lacks what the format needs. */
export const exportTrace = (trace: Trace, format: string): Exported => {
  const available = EXPORT_FORMATS.filter((f) => f.write !== undefined).map((f) => f.name);
  const found = EXPORT_FORMATS.find((f) => f.name === format);
  if (found === undefined) {
    throw new ExportError(
      `there is no export format "${format}". Formats: ${EXPORT_FORMATS.map((f) => f.name).join(', ')}`,
    );
  }
  if (found.write === undefined) {
    throw new ExportError(
      `the export format "${format}" (${found.text}) is not in this release. Available: ${available.join(', ')}`,
    );
  }
  if (trace.store.held === 0) {
    throw new ExportError('the trace has no records. Record it with `--observe all`');
  }
  return found.write(trace);
};
