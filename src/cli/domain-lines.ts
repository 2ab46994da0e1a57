// The serial output of a further domain on the first one's console: whole lines, with the domain before each, as Xen's console shows its guests'. Not
// where they are shown.

export class DomainLines {
  private readonly decoder = new TextDecoder();
  private rest = '';

  /** @param id number of the domain @param end of a line where they are shown */
  constructor(
    private readonly id: number,
    private readonly end = '\n',
  ) {}

  /** The lines that are complete with these bytes. */
  add(bytes: Uint8Array): string {
    const lines = (this.rest + this.decoder.decode(bytes, { stream: true })).split('\n');
    this.rest = lines.pop()!;
    return lines.map((line) => this.shown(line.replace(/\r$/, ''))).join('');
  }
  /** What has come of the last one. */
  finish(): string {
    const { rest } = this;
    this.rest = '';
    return rest === '' ? '' : this.shown(rest);
  }
  private shown(line: string): string {
    return `(d${this.id}) ${line}${this.end}`;
  }
}
