// The functions that the instructions of both tiers call, by name: once in the threaded tier's module, imported by regions. Not what they do
// (x87-functions.ts, gate-functions.ts, far-functions.ts, string-functions.ts, walk-functions.ts, flush-functions.ts)
// nor who calls them.

import { FAR_FUNCTIONS } from './far-functions.ts';
import { FLUSH_FUNCTIONS } from './flush-functions.ts';
import { GATE_FUNCTIONS } from './gate-functions.ts';
import { STRING_FUNCTIONS } from './string-functions.ts';
import { WALK_FUNCTIONS } from './walk-functions.ts';
import { X87_FUNCTIONS } from './x87-functions.ts';

export const SHARED = {
  ...X87_FUNCTIONS,
  ...GATE_FUNCTIONS,
  ...FAR_FUNCTIONS,
  ...STRING_FUNCTIONS,
  ...WALK_FUNCTIONS,
  ...FLUSH_FUNCTIONS,
} as const;
export type SharedFunction = keyof typeof SHARED;
export const SHARED_NAMES = Object.keys(SHARED) as SharedFunction[];
