// Characters and strings as gdb prints them: escapes, octal for what is no character, runs of the same as `'x' <repeats 20 times>`.

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  27: '\\033',
  92: '\\\\',
};

function escaped(code: number, quote: string): string {
  const known = ESCAPES[code];
  if (known !== undefined) return known;
  if (String.fromCharCode(code) === quote) return `\\${quote}`;
  if (code >= 0x20 && code < 0x7f) return String.fromCharCode(code);
  return `\\${code.toString(8).padStart(3, '0')}`;
}

/** `'A'`, `'\000'`. @param code 0 to 255 */
export const characterText = (code: number): string => `'${escaped(code, "'")}'`;

/** A run longer than this is counted. */
const REPEATS = 10;

/** `"abc"`, `"abc", '\000' <repeats 12 times>`. */
export function stringText(bytes: Uint8Array): string {
  if (bytes.length === 0) return '""';
  const parts: string[] = [];
  let open = '';
  const close = () => {
    if (open !== '') parts.push(`"${open}"`);
    open = '';
  };
  for (let at = 0; at < bytes.length;) {
    const code = bytes[at]!;
    let end = at + 1;
    while (end < bytes.length && bytes[end] === code) end++;
    if (end - at > REPEATS) {
      close();
      parts.push(`${characterText(code)} <repeats ${end - at} times>`);
    } else open += escaped(code, '"').repeat(end - at);
    at = end;
  }
  close();
  return parts.join(', ');
}
