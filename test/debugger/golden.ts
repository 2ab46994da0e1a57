// Transcripts of whole sessions, kept beside the specs: what the editor asked and what it was told, a message a line. A change of the
// adapter shows as a difference. KANSOKU_WRITE_TRANSCRIPTS=1 writes them anew, to be read before they are committed.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DapBench } from './dap-bench.ts';

export const compareTranscript = (name: string, bench: DapBench): void => {
  const file = join(import.meta.dirname, 'test', 'debugger', 'transcripts', `${name}.txt`);
  const text = `${bench.transcript.join('\n')}\n`;
  if (process.env['KANSOKU_WRITE_TRANSCRIPTS'] === '1') writeFileSync(file, text);
  assert.ok(existsSync(file), `${file} is missing`);
  assert.equal(text, readFileSync(file, 'utf8'));
};
