// The target as GDB is told of it: an XML description of the registers, made from the table (registers.ts), and their order on the wire.
// GDB's own names come first, as it wants them; what it does not know is a feature of ours. GDB manual, appendix G.

import { type Register, type RegisterField, REGISTERS } from '../registers.ts';

/** A register on the wire: its number is its place in the list. */
export interface WireRegister {
  readonly register: Register;
  /** GDB has every selector and every word of the x87 unit in 32 bits. */
  readonly bytes: number;
}

const CORE_GROUPS = ['general', 'segment', 'x87'] as const;
const inCore = ({ group, name }: Register): boolean =>
  (CORE_GROUPS as readonly string[]).includes(group) && (group !== 'segment' || name.length === 2);
const inSse = ({ group }: Register): boolean => group === 'sse';
/** MMX registers are GDB's own view of the x87's. */
const inSystem = (r: Register): boolean => !inCore(r) && !inSse(r) && r.group !== 'mmx';

const wire = (register: Register, atLeast: number): WireRegister => ({
  register,
  bytes: Math.max(register.bits / 8, atLeast),
});
const flagsOf = (id: string, bytes: number, fields: readonly RegisterField[]): string =>
  `<flags id="${id}" size="${bytes}">${fields
    .map(({ name, first, last }) => `<field name="${name}" start="${first}" end="${last}"/>`)
    .join('')}</flags>`;
const typeOf = ({ register, bytes }: WireRegister): string => {
  const { name, place, fields } = register;
  if (name === 'eflags') return 'i386_eflags';
  if (name === 'mxcsr') return 'i386_mxcsr';
  if (place.kind === 'st') return 'i387_ext';
  if (place.kind === 'xmm') return 'vec128';
  if (name === 'eip') return 'code_ptr';
  if (name === 'esp' || name === 'ebp') return 'data_ptr';
  if (inCore(register)) return 'int32';
  // A flags type has four or eight bytes.
  return fields !== undefined && bytes === 4 ? `${name}_flags` : `uint${bytes * 8}`;
};
const GROUPS: Readonly<Record<string, string>> = { x87: 'float', sse: 'vector', general: 'general' };
const regOf = (w: WireRegister, number: number): string => {
  const group = GROUPS[w.register.group] ?? 'system';
  const { place } = w.register;
  const grouped = place.kind === 'gpr' || place.kind === 'eip' || place.kind === 'eflags' ? '' : ` group="${group}"`;
  return `<reg name="${w.register.name}" bitsize="${w.bytes * 8}" type="${typeOf(w)}" regnum="${number}"${grouped}/>`;
};

const VECTOR = `<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>
<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>
<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>
<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>
<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>
<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>`;

const fieldsOf = (name: string): readonly RegisterField[] => REGISTERS.find((r) => r.name === name)?.fields ?? [];

/** `exists`: registers of that name are on this machine, which has not all MSRs. */
export class Description {
  /** In the order of their numbers. */
  readonly registers: readonly WireRegister[];
  /** target.xml. */
  readonly xml: string;

  constructor(exists: (name: string) => boolean) {
    const core = REGISTERS.filter(inCore).map((r) => wire(r, 4));
    const sse = REGISTERS.filter(inSse).map((r) => wire(r, 4));
    const system = REGISTERS.filter((r) => inSystem(r) && exists(r.name)).map((r) => wire(r, 2));
    this.registers = [...core, ...sse, ...system];
    let number = 0;
    const feature = (name: string, types: string, list: readonly WireRegister[]): string =>
      `<feature name="${name}">${types}${list.map((w) => regOf(w, number++)).join('\n')}</feature>`;
    const systemTypes = system
      .filter((w) => w.register.fields !== undefined && w.bytes === 4)
      .map((w) => flagsOf(`${w.register.name}_flags`, 4, w.register.fields!))
      .join('\n');
    this.xml = `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0"><architecture>i386</architecture>
${feature('org.gnu.gdb.i386.core', flagsOf('i386_eflags', 4, fieldsOf('eflags')), core)}
${feature('org.gnu.gdb.i386.sse', VECTOR + flagsOf('i386_mxcsr', 4, fieldsOf('mxcsr')), sse)}
${feature('org.kansoku.i386.system', systemTypes, system)}
</target>`;
  }
}
