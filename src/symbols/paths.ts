// File names of line tables as paths: joined with their directories, and found again by the names users and editors give.

/** POSIX roots, drive letters and UNC names: kernels are compiled on all of them. */
const ABSOLUTE = /^(?:[/\\]|[A-Za-z]:[/\\])/;

/** `name` below `directory`, unless it is absolute or there is no directory. */
export function joinPath(directory: string, name: string): string {
  if (directory === '' || ABSOLUTE.test(name)) return normalizePath(name);
  return normalizePath(name === '' ? directory : `${directory}/${name}`);
}

/** Without `//`, `/./` and `x/../`. A leading `..` stays. */
export function normalizePath(path: string): string {
  if (!/(?:^|\/)(?:\.{0,2}\/|\.{1,2}$)/.test(path.slice(1)) && !path.startsWith('./')) return path;
  const kept: string[] = [];
  const rooted = path.startsWith('/');
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (!rooted) kept.push(part);
  }
  return (rooted ? '/' : '') + kept.join('/');
}

/**
 * The known paths that `wanted` means: the same path; else those that end in it; else those that share the longest tail
 * with it, since a kernel built elsewhere has another root. Blank where not even the base name fits.
 */
export function matchPaths(known: Iterable<string>, wanted: string): string[] {
  const target = normalizePath(wanted.replaceAll('\\', '/')).split('/').reverse();
  let [best, found]: [number, string[]] = [1, []];
  for (const path of known) {
    const parts = path.replaceAll('\\', '/').split('/').reverse();
    let common = 0;
    while (common < target.length && common < parts.length && parts[common] === target[common]) common++;
    // The whole path beats everything that merely ends like it.
    const score = common === target.length && common === parts.length ? Infinity : common;
    if (score > best) [best, found] = [score, []];
    if (score === best) found.push(path);
  }
  return found;
}
