// Base64 as the protocol carries memory (RFC 4648, section 4). The engine has no Buffer.

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...LETTERS].map((letter, value) => [letter, value]));

const CODES = new TextEncoder().encode(LETTERS);
const PAD = '='.charCodeAt(0);

export const encodeBase64 = (bytes: Uint8Array): string => {
  const codes = new Uint8Array(4 * Math.ceil(bytes.length / 3));
  for (let i = 0, at = 0; i < bytes.length; i += 3) {
    const three = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let k = 0; k < 4; k++) codes[at++] = i + k > bytes.length ? PAD : CODES[(three >>> (18 - 6 * k)) & 63]!;
  }
  return new TextDecoder().decode(codes);
};

/** Undefined: the text is none. White space is passed over. */
export const decodeBase64 = (written: string): Uint8Array | undefined => {
  const text = written.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const values = [...text].map((letter) => VALUES.get(letter)).filter((value) => value !== undefined);
  const bytes = new Uint8Array((values.length * 3) >>> 2);
  for (let i = 0; i < bytes.length; i++) {
    const at = Math.floor((i * 4) / 3);
    const shift = (i % 3) * 2;
    bytes[i] = (values[at]! << (2 + shift)) | ((values[at + 1] ?? 0) >>> (4 - shift));
  }
  return bytes;
};
