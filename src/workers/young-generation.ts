// How much room V8 gives to objects that are young. Left alone it makes the room for them 1 MiB, and 16 MiB twice over when many outlive a collection,
// as do those of which a guest's code is made. That costs the host 32 MiB and saves nothing that can be measured (docs/performance.md).
// Not who asks for it: Node's programs do (cli, extension/host), as the engine knows no host.

/** Flag of a process: the room does not grow. It works while a process runs. */
export const NO_GROWTH = '--semi-space-growth-factor=1';

/** Option of a worker's `resourceLimits`, in MiB: three times as much as each half of the room. */
export const MOST_YOUNG = 6;
