// Structures of the kernel in guest memory, by the names that its debug data gives them: members, strings, linked lists. What is not mapped or
// not known is undefined, never a guess. Not values for display (symbols/value) and not expressions.

import type { DebugInfo } from '../../symbols/debug-info.ts';
import { fromBytes, type ReadMemory } from '../../symbols/location-value.ts';
import { sizeOf, stripped, type CType, type Member } from '../../symbols/types.ts';

export interface Field {
  /** In bytes, from the start of the structure. */
  readonly offset: number;
  readonly type: CType;
}

/** Longer lists are damaged ones. */
const LONGEST_LIST = 65_536;

export class Structures {
  private readonly fields = new Map<string, Field | undefined>();
  private readonly types = new Map<string, CType | undefined>();

  constructor(
    readonly info: DebugInfo,
    readonly memory: ReadMemory,
  ) {}

  /** Address of a variable or function. */
  symbol(name: string): number | undefined {
    return this.info.map.lookup(name);
  }

  /** A structure's type. @param name without `struct` */
  struct(name: string): CType | undefined {
    if (!this.types.has(name)) this.types.set(name, this.info.type('struct', name));
    return this.types.get(name);
  }
  size(struct: string): number | undefined {
    const type = this.struct(struct);
    return type === undefined ? undefined : sizeOf(type);
  }

  /** A member by its path: `thread.sp`, `mem[0].base`; members of anonymous structures belong to what contains them. */
  field(struct: string, path: string): Field | undefined {
    const key = `${struct} ${path}`;
    if (!this.fields.has(key)) this.fields.set(key, this.findField(struct, path));
    return this.fields.get(key);
  }
  private findField(struct: string, path: string): Field | undefined {
    let type = this.struct(struct);
    let offset = 0;
    for (const step of path.split(/[.[]/)) {
      if (type === undefined) return undefined;
      const plain = stripped(type);
      if (step.endsWith(']')) {
        if (plain.kind !== 'array') return undefined;
        offset += parseInt(step, 10) * sizeOf(plain.element);
        type = plain.element;
        continue;
      }
      const member = memberOf(plain, step);
      if (member === undefined) return undefined;
      offset += member.offset;
      type = member.type;
    }
    return type === undefined ? undefined : { offset, type };
  }

  /** Bytes at an address; undefined unless all are mapped. */
  bytes(address: number, length: number): Uint8Array | undefined {
    const into = new Uint8Array(length);
    return this.memory(address >>> 0, into) === length ? into : undefined;
  }
  word(address: number | undefined): number | undefined {
    const bytes = address === undefined ? undefined : this.bytes(address, 4);
    return bytes === undefined ? undefined : Number(fromBytes(bytes));
  }

  /** The unsigned value of a member of at most eight bytes; beyond 2^53 it is rounded. */
  read(address: number | undefined, struct: string, path: string): number | undefined {
    const field = this.field(struct, path);
    if (field === undefined || address === undefined) return undefined;
    const bytes = this.bytes(address + field.offset, sizeOf(field.type));
    return bytes === undefined || bytes.length === 0 || bytes.length > 8 ? undefined : Number(fromBytes(bytes));
  }
  /** A member that is an array of characters, to its first NUL. */
  readText(address: number, struct: string, path: string): string | undefined {
    const field = this.field(struct, path);
    return field === undefined ? undefined : this.text(address + field.offset, sizeOf(field.type));
  }
  /** Characters to the first NUL, at most `limit`. Latin-1 where they are not UTF-8. */
  text(address: number, limit: number): string | undefined {
    const into = new Uint8Array(limit);
    const mapped = into.subarray(0, this.memory(address >>> 0, into));
    const end = mapped.indexOf(0);
    if (end < 0 && mapped.length < limit) return undefined;
    return new TextDecoder().decode(end < 0 ? mapped : mapped.subarray(0, end));
  }

  /** Addresses of the structures in a `struct list_head`, of which `path` is the member in it. Ends where memory does. */
  *list(head: number, struct: string, path: string): Generator<number> {
    const link = this.field(struct, path);
    if (link === undefined) return;
    const seen = new Set<number>();
    for (let at = this.word(head); at !== undefined && at !== head && at !== 0; at = this.word(at)) {
      if (seen.has(at) || seen.size >= LONGEST_LIST) return;
      seen.add(at);
      yield (at - link.offset) >>> 0;
    }
  }
}

const memberOf = (type: ReturnType<typeof stripped>, name: string): Member | undefined => {
  if (type.kind !== 'struct' && type.kind !== 'union' && type.kind !== 'class') return undefined;
  for (const member of type.members) {
    if (member.name === name) return member;
    if (member.name !== undefined) continue;
    const inner = memberOf(stripped(member.type), name);
    if (inner !== undefined) return { ...inner, offset: inner.offset + member.offset };
  }
  return undefined;
};
