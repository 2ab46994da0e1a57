// The threaded tier's code as the build emitted it. In the source there is none, and a machine emits it itself; a build puts the bytes in this
// module's place (scripts/threaded-image.mjs), which saves most of the time that a machine needs to start.

import type { ThreadedImage } from './threaded-image.ts';

export const preparedImage: ThreadedImage | undefined = undefined as ThreadedImage | undefined;
