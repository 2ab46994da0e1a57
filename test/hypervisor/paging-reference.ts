// Two slow, independent page walks to compare shadow paging with: what a guest's processor would do with the guest's tables (with accessed
// and dirty bits, on a private copy of guest memory), and what the real processor does with the shadow tables. SDM vol. 3, ch. 4.

export interface ReferenceMode {
  paging: boolean;
  pae: boolean;
  pse: boolean;
  wp: boolean;
  cr3: number;
  pdptes: number[];
}

export type Translation = { ok: true; gfn: number } | { ok: false; error: number };

/** Guest memory as words; frames outside read as all ones. */
export class ReferenceMemory {
  readonly words: Uint32Array;
  constructor(readonly frames: number) {
    this.words = new Uint32Array(frames * 1024);
  }
  read(pa: number): number {
    return pa / 4 < this.words.length ? this.words[pa / 4]! : 0xffffffff;
  }
  write(pa: number, value: number): void {
    if (pa / 4 < this.words.length) this.words[pa / 4] = value;
  }
}

interface Level {
  entry: number;
  pa: number;
}

/** Translates and, if allowed, sets A and D. */
export function translate(
  memory: ReferenceMemory,
  mode: ReferenceMode,
  va: number,
  write: boolean,
  user: boolean,
): Translation {
  if (!mode.paging) return { ok: true, gfn: Math.floor(va / 4096) };
  const base = (write ? 2 : 0) | (user ? 4 : 0);
  const levels: Level[] = [];
  let page: number;
  let reserved = false;
  const wide = mode.pae ? 8 : 4;
  let directory: number;
  if (mode.pae) {
    const pdpte = mode.pdptes[Math.floor(va / 0x40000000) * 2]!;
    if (pdpte % 2 === 0) return { ok: false, error: base };
    directory = Math.floor(pdpte / 4096) * 4096;
  } else directory = Math.floor(mode.cr3 / 4096) * 4096;
  const span = mode.pae ? 0x200000 : 0x400000;
  const perTable = mode.pae ? 512 : 1024;
  const pdeAt = directory + (Math.floor(va / span) % perTable) * wide;
  const pde = memory.read(pdeAt);
  if (pde % 2 === 0) return { ok: false, error: base };
  if (mode.pae && memory.read(pdeAt + 4) !== 0) reserved = true;
  levels.push({ entry: pde, pa: pdeAt });
  const large = (pde & 0x80) !== 0 && (mode.pae || mode.pse);
  if (large) {
    const low = mode.pae ? 0x1fe000 : 0x3fe000;
    if ((pde & low) !== 0) reserved = true;
    page = Math.floor(pde / span) * (span / 4096) + (Math.floor(va / 4096) % perTable);
  } else {
    if (reserved) return { ok: false, error: base | 9 };
    const pteAt = Math.floor(pde / 4096) * 4096 + (Math.floor(va / 4096) % perTable) * wide;
    const pte = memory.read(pteAt);
    if (pte % 2 === 0) return { ok: false, error: base };
    if (mode.pae && memory.read(pteAt + 4) !== 0) reserved = true;
    levels.push({ entry: pte, pa: pteAt });
    page = Math.floor(pte / 4096);
  }
  if (reserved) return { ok: false, error: base | 9 };
  const userOk = levels.every((level) => (level.entry & 4) !== 0);
  const writeOk = levels.every((level) => (level.entry & 2) !== 0);
  const allowed = user ? userOk && (!write || writeOk) : !write || writeOk || !mode.wp;
  if (!allowed) return { ok: false, error: base | 1 };
  levels.forEach((level, i) => {
    const leaf = i === levels.length - 1;
    memory.write(level.pa, memory.read(level.pa) | 0x20 | (leaf && write ? 0x40 : 0));
  });
  return { ok: true, gfn: page };
}

/** The processor's walk of the shadow tables in machine memory, with CR0.WP set. -1: refused. */
export function walkShadow(
  read: (pa: number) => number,
  cr3: number,
  pae: boolean,
  va: number,
  write: boolean,
  user: boolean,
): { mfn: number; writable: boolean; global: boolean; error: number } {
  const refused = (present: boolean) => ({
    mfn: -1,
    writable: false,
    global: false,
    error: (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0),
  });
  let table = cr3;
  if (pae) {
    const pdpte = read(cr3 + (va >>> 30) * 8);
    if ((pdpte & 1) === 0) return refused(false);
    table = pdpte & 0xfffff000;
  }
  const pde = read((table >>> 0) + (pae ? ((va >>> 21) & 511) * 8 : (va >>> 22) * 4));
  if ((pde & 1) === 0) return refused(false);
  const pte = read(((pde & 0xfffff000) >>> 0) + (pae ? ((va >>> 12) & 511) * 8 : ((va >>> 12) & 1023) * 4));
  if ((pte & 1) === 0) return refused(false);
  const both = pde & pte;
  if ((user && (both & 4) === 0) || (write && (both & 2) === 0)) return refused(true);
  return { mfn: pte >>> 12, writable: (both & 2) !== 0, global: (pte & 0x100) !== 0, error: 0 };
}
