// Numbers for things that the editor asks about later: frames and containers of variables, and whose they are. They hold while the guest stands still.

export class Handles<T, Owner> {
  private readonly items = new Map<number, { readonly item: T; readonly owner: Owner }>();
  private last: number;

  /** @param first the first number; frames and variables have their own. @param owner whose the things are that are added now */
  constructor(
    first: number,
    private readonly owner: () => Owner,
  ) {
    this.last = first - 1;
  }

  add(item: T): number {
    this.items.set(++this.last, { item, owner: this.owner() });
    return this.last;
  }

  get(handle: number): T | undefined {
    return this.items.get(handle)?.item;
  }
  ownerOf(handle: number): Owner | undefined {
    return this.items.get(handle)?.owner;
  }

  /** Forgets all; a number is never given twice, so that a late question finds nothing instead of something else. */
  clear(): void {
    this.items.clear();
  }
}
