// The page walk and the TLB's filling as a WebAssembly function for the ordinary case: tables and page are RAM, no access has to be looked at, and
// nobody wants to see what the walk or the access stores. All other cases, and reserved bits, it refuses before it has changed anything: they are
// the general code's (cpu/page-walk.ts, cpu/mmu.ts), to which it must come to the same. SDM vol. 3, 4.3, 4.4 and 4.6 to 4.8.

import { PageFlag } from '../cpu/page-flags.ts';
import { PfError } from '../cpu/page-walk.ts';
import { Cr0, Cr4, StateLayout } from '../cpu/state.ts';
import { DIRECT, directEntry, INVALID } from '../cpu/tlb.ts';
import { LinearLayout } from '../memory.ts';
import { I32, type Local } from '../wasm/code.ts';
import { FunctionBody, shared } from './function-body.ts';
import { type Val, WRITE_TABLE } from './value-emitter.ts';

/** What `fillTranslation` answers. */
export const Filled = {
  /** Nothing has changed. */
  refused: 0,
  /** The TLB has an entry that lets the access through. */
  done: 1,
  /** The access is a #PF, and nothing has changed: the error code is added. */
  fault: 16,
} as const;

const ACCESSED = 0x20;
const DIRTY = 0x40;
const LARGE = 0x80;
const FRAME = 0xfffff000 | 0;
const CONTEXT_BITS = Math.log2(LinearLayout.tlbContextBytes);
const JOURNAL_BITS = Math.log2(LinearLayout.tlbJournalBytes);

/** Locals of a walk. Parameters: the linear address, and 1 for a write. */
interface Walk {
  readonly linear: Local;
  /** Error code of a #PF that is due to an entry that is not present. */
  readonly absent: Local;
  /** Physical addresses of the directory's entry and of the one that maps the page, and what is in them. */
  readonly directoryAt: Local;
  readonly directory: Local;
  readonly leafAt: Local;
  readonly leaf: Local;
  /** R/W and U/S of both. */
  readonly rights: Local;
  /** Physical address of the page. */
  readonly page: Local;
}

const bits = (e: FunctionBody, value: Local, mask: number): Val => e.and(e.get(value), e.const(mask));
/** PageFlag bits of a physical address. */
const flagsOf = (e: FunctionBody, pa: Local): Val =>
  e.peek8(e.let(e.shrU(e.get(pa), e.const(12))), LinearLayout.pageFlags);
const peekPhysical = (e: FunctionBody, pa: Local, plus = 0): Val => e.peek32(pa, LinearLayout.ram + plus);

/** `present`: what is wrong is not that an entry is absent, whose error code is in a local. */
const faultIf = (e: FunctionBody, condition: Val, absent: Local, present: boolean): void => {
  e.rarely(condition, () => {
    e.or(e.get(absent), e.const(Filled.fault | (present ? PfError.P : 0)));
    e.code.return();
  });
};

const absentUnlessPresent = (e: FunctionBody, w: Walk, value: Local): void =>
  faultIf(e, e.eqz(bits(e, value, 1)), w.absent, false);
/** A present entry of a table in RAM whose high half, where there is one, is zero. */
const entry = (e: FunctionBody, w: Walk, pae: boolean, at: Local, into: Local): void => {
  e.refuseIf(e.and(flagsOf(e, at), e.const(PageFlag.apart)));
  e.set(into, peekPhysical(e, at));
  absentUnlessPresent(e, w, into);
  if (pae) e.refuseIf(peekPhysical(e, at, 4));
};

/** Down the tables of one kind of paging. */
const descend = (e: FunctionBody, w: Walk, pae: boolean): void => {
  const shift = pae ? 21 : 22;
  const entryBits = pae ? 3 : 2;
  const index = (from: number): Val =>
    e.and(e.shrU(e.get(w.linear), e.const(from - entryBits)), e.const((pae ? 0x1ff : 0x3ff) << entryBits));
  const root = e.temporary(I32);
  if (pae) {
    e.set(root, e.peek32(e.let(e.and(e.shrU(e.get(w.linear), e.const(27)), e.const(0x18))), StateLayout.pdptes));
    absentUnlessPresent(e, w, root);
  } else e.set(root, e.state(StateLayout.cr3));
  e.set(w.directoryAt, e.or(bits(e, root, FRAME), index(shift)));
  entry(e, w, pae, w.directoryAt, w.directory);
  const large = bits(e, w.directory, LARGE);
  e.if(
    pae ? large : e.and(e.shrU(large, e.const(3)), e.state(StateLayout.cr4)),
    () => {
      // Reserved: physical bits above 31 (SDM vol. 3, 4.3), and those below the page's address.
      e.refuseIf(bits(e, w.directory, pae ? 0x1fe000 : 0x3fe000));
      e.set(w.leafAt, e.get(w.directoryAt));
      e.set(w.leaf, e.get(w.directory));
      e.set(w.rights, e.get(w.directory));
      e.set(w.page, e.or(bits(e, w.directory, -1 << shift), bits(e, w.linear, (1 << shift) - 4096)));
    },
    () => {
      e.set(w.leafAt, e.or(bits(e, w.directory, FRAME), index(12)));
      entry(e, w, pae, w.leafAt, w.leaf);
      e.set(w.rights, e.and(e.get(w.directory), e.get(w.leaf)));
      e.set(w.page, bits(e, w.leaf, FRAME));
    },
  );
};

/** (linear address, 1 for a write) -> Filled. */
const fillTranslation = (e: FunctionBody): void => {
  const [linear, write] = [0, 1];
  e.refuseUnless(e.state(StateLayout.walks));
  const context = e.let(e.state(StateLayout.tlb));
  const word = e.let(e.add(e.get(context), e.and(e.shrU(e.get(linear), e.const(10)), e.const((WRITE_TABLE - 1) & ~3))));
  // A translation that is known and does not let the access through is none to walk for.
  const asked = e.select(e.peek32(word, WRITE_TABLE), e.peek32(word), e.get(write));
  e.refuseIf(e.ne(asked, e.const(INVALID)));
  const number = e.let(e.shrU(e.sub(e.get(context), e.const(LinearLayout.tlb)), e.const(CONTEXT_BITS)));
  const journal = e.let(e.shl(e.get(number), e.const(2)));
  const length = e.let(e.peek32(journal, StateLayout.journalLength));
  e.refuseIf(e.geU(e.get(length), e.peek32(journal, StateLayout.journalRoom)));

  const user = e.let(e.eq(e.state(StateLayout.cpl), e.const(3)));
  const absent = e.let(e.or(e.shl(e.get(write), e.const(1)), e.shl(e.get(user), e.const(2))));
  const walk: Walk = {
    linear,
    absent,
    directoryAt: e.temporary(I32),
    directory: e.temporary(I32),
    leafAt: e.temporary(I32),
    leaf: e.temporary(I32),
    rights: e.temporary(I32),
    page: e.temporary(I32),
  };
  e.if(
    e.and(e.state(StateLayout.cr4), e.const(Cr4.PAE)),
    () => descend(e, walk, true),
    () => descend(e, walk, false),
  );
  const { directoryAt, directory, leafAt, leaf, rights, page } = walk;

  const free = e.let(e.eqz(e.or(e.get(user), e.and(e.state(StateLayout.cr0), e.const(Cr0.WP)))));
  const writable = e.let(e.or(bits(e, rights, 2), e.get(free)));
  faultIf(e, e.and(e.get(user), e.eqz(bits(e, rights, 4))), absent, true);
  faultIf(e, e.and(e.get(write), e.eqz(e.get(writable))), absent, true);
  const flags = e.let(flagsOf(e, page));
  e.refuseIf(e.and(e.get(flags), e.select(e.const(-1), e.const(PageFlag.apart), e.get(write))));

  const wanted = e.let(e.or(e.or(e.get(leaf), e.const(ACCESSED)), e.shl(e.get(write), e.const(6))));
  const marksDirectory = e.let(e.eqz(bits(e, directory, ACCESSED)));
  const marksLeaf = e.let(e.ne(e.get(wanted), e.get(leaf)));
  e.refuseIf(e.select(flagsOf(e, directoryAt), e.const(0), e.get(marksDirectory)));
  e.refuseIf(e.select(flagsOf(e, leafAt), e.const(0), e.get(marksLeaf)));
  e.if(e.get(marksDirectory), () => {
    e.poke32(directoryAt, e.let(e.or(e.get(directory), e.const(ACCESSED))), LinearLayout.ram);
  });
  e.if(e.get(marksLeaf), () => e.poke32(leafAt, wanted, LinearLayout.ram));

  e.if(e.eq(e.peek32(word), e.const(INVALID)), () => {
    const at = e.let(e.add(e.shl(e.get(number), e.const(JOURNAL_BITS)), e.shl(e.get(length), e.const(2))));
    e.poke32(at, e.let(e.shrU(e.get(word), e.const(2))), LinearLayout.tlbJournals);
    e.poke32(journal, e.let(e.add(e.get(length), e.const(1))), StateLayout.journalLength);
  });
  const value = e.let(e.sub(e.add(e.get(page), e.const(directEntry(LinearLayout.ram, 0))), bits(e, linear, FRAME)));
  e.poke32(word, value);
  const dirty = e.let(e.and(e.shrU(e.get(wanted), e.const(Math.log2(DIRTY))), e.const(1)));
  e.if(e.and(e.get(dirty), e.ne(e.get(writable), e.const(0))), () => {
    const written = e.let(e.sub(e.get(value), e.select(e.const(DIRECT), e.const(0), e.get(flags))));
    e.poke32(word, written, WRITE_TABLE);
  });
  e.accept();
};

export const WALK_FUNCTIONS = {
  fillTranslation: shared(FunctionBody, [I32, I32], fillTranslation),
} as const;
