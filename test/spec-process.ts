// Comes before each spec (scripts/test.mjs): its process is as the product's are (cli/main.ts, extension/host/node-host.ts), so that what is proven
// is the machine code that users run.

import { setFlagsFromString } from 'node:v8';
import { followBranchHints } from '../src/workers/branch-hints.ts';

followBranchHints(process.versions, setFlagsFromString);
