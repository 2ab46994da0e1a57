// Numbers for things that the editor asks about later: frames and containers of variables. They hold while the guest stands still.

export class Handles<T> {
  private readonly items = new Map<number, T>();
  private last: number;

  /** @param first the first number; frames and variables have their own. */
  constructor(first = 1) {
    this.last = first - 1;
  }

  add(item: T): number {
    this.items.set(++this.last, item);
    return this.last;
  }

  get(handle: number): T | undefined {
    return this.items.get(handle);
  }

  /** Forgets all; a number is never given twice, so that a late question finds nothing instead of something else. */
  clear(): void {
    this.items.clear();
  }
}
