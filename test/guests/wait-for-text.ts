// Waiting for what a guest writes on a console that goes to a file, while QEMU or Bochs runs it. Not the emulators (qemu.ts, bochs.ts).

/** How often the file is looked at, in milliseconds. */
const LOOK = 20;

interface Running {
  readonly running: boolean;
  /** Everything that came so far. */
  readonly output: string;
}

/**
 * Output from offset `from` to the end of the first match. Throws after `seconds`, or if the run ends without one; `notes`: what to add to
 * the message.
 */
export const waitForText = async (
  guest: Running,
  pattern: RegExp,
  from: number,
  seconds: number,
  notes: () => string = () => '',
): Promise<string> => {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    // Asked before the output: what came until the end counts.
    const { running } = guest;
    const text = guest.output.slice(from);
    const match = pattern.exec(text);
    if (match !== null) return text.slice(0, match.index + match[0].length);
    if (!running || Date.now() > deadline) {
      const when = running ? `in ${seconds} s` : 'before the end';
      throw new Error(`no ${String(pattern)} ${when}; output:\n${text}${notes()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
};
