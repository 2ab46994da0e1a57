// Strings in the display language for pages and the language server, which cannot reach VS Code's own l10n: same keys, same
// placeholders ({0}, {1}), the bundle handed over at the start.

export type Translate = (text: string, ...values: readonly (string | number)[]) => string;

export const translator =
  (bundle: Readonly<Record<string, string>>): Translate =>
  (text, ...values) =>
    (bundle[text] ?? text).replace(/\{(\d+)\}/g, (whole, index: string) => String(values[Number(index)] ?? whole));
