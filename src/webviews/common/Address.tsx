// A guest address that leads to its source line when activated.

import type { SourceLocation } from '../../protocol/views.ts';
import { hex } from './format.ts';
import { post } from './vscode-api.ts';

/** `vm.c:120`, or undefined without a line. */
export const shortPlace = ({ file, line }: SourceLocation): string | undefined =>
  file === undefined ? undefined : `${file.slice(file.lastIndexOf('/') + 1)}${line === undefined ? '' : `:${line}`}`;

/** `page_fault+0x12`, or undefined outside any symbol. */
export const symbolOf = ({ function: name, offset = 0 }: SourceLocation): string | undefined =>
  name === undefined ? undefined : offset === 0 ? name : `${name}+0x${offset.toString(16)}`;

interface Props {
  readonly value: number;
  readonly location: SourceLocation | undefined;
  readonly text?: string;
}

export const Address = ({ value, location, text = hex(value) }: Props) => {
  if (location?.file === undefined) return <span class="mono">{text}</span>;
  const title = [symbolOf(location), shortPlace(location)].filter((part) => part !== undefined).join(' · ');
  return (
    <button
      type="button"
      class="link mono"
      title={title}
      onClick={() => post({ type: 'open', address: value, keepFocus: false })}
    >
      {text}
    </button>
  );
};
