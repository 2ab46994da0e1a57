// Finds the kernel images of the workspace by content. Not the choice among them (boot-guest.ts) and not the formats (workers/image-format.ts).

import * as vscode from 'vscode';
import { HEAD_BYTES, type ImageFormat, imageFormat, mayBeImage } from '../../workers/image-format.ts';
import { isGzip, unpackHead } from '../../workers/unpack.ts';
import type { Host } from '../host/host.ts';

export interface Image {
  readonly uri: vscode.Uri;
  readonly format: ImageFormat;
  readonly packed: boolean;
}

/** Enough for any source tree; a larger one is searched as far as this, nearest files first. */
const MOST_FILES = 20_000;
const NEAR_BYTES = 0x210;
const AT_ONCE = 24;
const EXCLUDED = '{**/node_modules/**,**/.git/**,**/.hg/**,**/.svn/**}';

/** The image a file is, or undefined. A file that cannot be read is none. */
export const imageAt = async (host: Host, uri: vscode.Uri): Promise<Image | undefined> => {
  try {
    if (!mayBeImage(await host.readHead(uri, NEAR_BYTES))) return undefined;
    const head = await host.readHead(uri, HEAD_BYTES);
    const packed = isGzip(head);
    const format = imageFormat(packed ? unpackHead(head, HEAD_BYTES) : head);
    return format === undefined ? undefined : { uri, format, packed };
  } catch {
    return undefined;
  }
};

/** All images of the workspace, those nearest to its root first. */
export const findImages = async (host: Host, token: vscode.CancellationToken): Promise<Image[]> => {
  const files = await vscode.workspace.findFiles('**/*', EXCLUDED, MOST_FILES, token);
  const depth = (uri: vscode.Uri): number => uri.path.split('/').length;
  files.sort((a, b) => depth(a) - depth(b) || a.path.localeCompare(b.path));
  const found: (Image | undefined)[] = [];
  let next = 0;
  const search = async (): Promise<void> => {
    while (next < files.length && !token.isCancellationRequested) {
      const at = next++;
      found[at] = await imageAt(host, files[at]!);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, search));
  return found.filter((image) => image !== undefined);
};
