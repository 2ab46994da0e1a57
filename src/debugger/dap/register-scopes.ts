// Registers in the Variables view: one scope a group of the table (registers.ts), hexadecimal, flags decoded, and set from text.

import { describeFields, REGISTERS, type Register, registerNamed, type RegisterGroup } from '../registers.ts';
import { Register as DwarfRegister } from '../../symbols/unwind/unwinder.ts';
import type { Frame } from '../frames.ts';
import { reasonOf, type Saying } from '../saying.ts';
import type { DebugVcpu } from '../target.ts';
import type { Container } from './containers.ts';
import { type Dap, Refusal } from './protocol.ts';
import type { DebugSession } from './session.ts';

/** The groups of one scope. Those that take long to read, or to look through, wait until they are opened. */
export const REGISTER_SCOPES: readonly {
  readonly name: Saying;
  readonly groups: readonly RegisterGroup[];
  readonly expensive: boolean;
}[] = [
  { name: ['registers'], groups: ['general', 'segment'], expensive: false },
  { name: ['controlRegisters'], groups: ['control', 'debug', 'table'], expensive: true },
  { name: ['vectorRegisters'], groups: ['x87', 'mmx', 'sse'], expensive: true },
  { name: ['msrs'], groups: ['msr'], expensive: true },
];

export const registerContainer = (session: DebugSession, groups: readonly RegisterGroup[]): Container => {
  const shown = REGISTERS.filter(({ group, name }) => groups.includes(group) && !isPart(name));
  const vcpu = (): DebugVcpu => session.context.vcpu;
  return {
    children: (start, count) =>
      shown
        .slice(start, count === undefined ? undefined : start + count)
        .map((register) => variable(session, vcpu(), register))
        .filter((found) => found !== undefined),
    set: (name, value) => {
      const register = registerNamed(name);
      if (register === undefined) throw new Refusal('noRegister', { name });
      setRegister(session, register, value);
      const { value: text } = variable(session, vcpu(), register)!;
      return { value: text };
    },
  };
};

/** What is known of a caller's frame, or of one of a task that does not run: by unwinding. It is set where it is kept. */
export const savedRegisters = (session: DebugSession, frame: Frame): Container => {
  const { physical, task } = frame;
  const known = Object.entries(DwarfRegister).flatMap(([name, number]) => {
    const value = physical?.registers[number];
    return value === undefined ? [] : [variableOf(session, registerNamed(name)!, value, task?.pageTable)];
  });
  return {
    children: (start, count) => known.slice(start, count === undefined ? undefined : start + count),
    set: (name, text) => {
      const register = registerNamed(name);
      if (register === undefined) throw new Refusal('noRegister', { name });
      const value = valueIn(session, register, text, frame);
      try {
        session.context.evaluate(`$${name} = ${value}`, frame);
      } catch (error) {
        throw cannotBeSet(name, error);
      }
      return { value: variableOf(session, register, Number(value), task?.pageTable).value };
    },
  };
};

/** Base, limit and access of a segment stand behind its selector. */
const isPart = (name: string): boolean => /^(cs|ss|ds|es|fs|gs|ldtr|tr)_/.test(name);

const hex = (value: number, digits: number): string => `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;

const variable = (session: DebugSession, vcpu: DebugVcpu, register: Register): Dap.Variable | undefined => {
  const { name, bits } = register;
  if (bits > 32) {
    const bytes = vcpu.readWide(name);
    if (bytes.length === 0) return undefined;
    return {
      name,
      value: wideText(register, bytes),
      variablesReference: 0,
      type: session.tell('bits', { count: bits }),
    };
  }
  const value = vcpu.read(name);
  const text = hex(value, bits / 4);
  if (register.place.kind === 'segment') {
    const [base, limit, access] = (['base', 'limit', 'access'] as const).map((part) => vcpu.read(`${name}_${part}`));
    const rights = describeFields(registerNamed(`${name}_access`)!, access!);
    return {
      name,
      value: `${text} base ${hex(base!, 8)} limit ${hex(limit!, 8)} ${rights}`,
      variablesReference: 0,
      memoryReference: session.subject.reference(base!),
      type: session.tell('bits', { count: bits }),
    };
  }
  return variableOf(session, register, value);
};

const variableOf = (session: DebugSession, register: Register, value: number, pageTable?: number): Dap.Variable => {
  const { name, bits } = register;
  const text = hex(value, bits / 4);
  const fields = describeFields(register, value);
  const symbol =
    register.group === 'general' && register.fields === undefined ? session.subject.nameOf(value) : undefined;
  const note = fields !== '' ? ` ${fields}` : symbol !== undefined ? ` <${symbol}>` : '';
  return {
    name,
    value: text + note,
    variablesReference: 0,
    type: session.tell('bits', { count: bits }),
    evaluateName: `$${name}`,
    ...(bits === 32 ? { memoryReference: session.subject.reference(value, pageTable) } : {}),
  };
};

/** Most significant byte first; the x87 registers as numbers too. */
const wideText = ({ place }: Register, bytes: Uint8Array): string => {
  const digits = [...bytes]
    .reverse()
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  return place.kind === 'st' ? `0x${digits} ${extended(bytes)}` : `0x${digits}`;
};

/** Double extended-precision (SDM vol. 1, 4.2.2), as nearly as a double has it. */
const extended = (bytes: Uint8Array): string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = view.getUint16(8, true);
  const significand = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  const sign = (word & 0x8000) === 0 ? '' : '-';
  const exponent = word & 0x7fff;
  if (exponent === 0x7fff)
    return view.getUint32(4, true) === 0x8000_0000 && view.getUint32(0, true) === 0 ? `${sign}inf` : 'nan';
  return `${sign}${significand * 2 ** -63 * 2 ** (exponent - 16383)}`;
};

/** Of `0x1f`, `31`, a symbol or an expression. @throws Refusal */
const valueIn = (session: DebugSession, { name, bits }: Register, text: string, frame?: Frame): bigint => {
  let value: bigint;
  try {
    value = /^\s*(0x[0-9a-f]+|\d+)\s*$/i.test(text)
      ? BigInt(text.trim())
      : BigInt(session.context.address(text, frame));
  } catch (error) {
    throw cannotBeSet(name, error);
  }
  if (value >> BigInt(bits) !== 0n) throw new Refusal('tooWide', { name, bits, text });
  return value;
};

const cannotBeSet = (name: string, error: unknown): Refusal =>
  new Refusal('cannotBeSet', { name, reason: reasonOf(error) });

const setRegister = (session: DebugSession, register: Register, text: string): void => {
  const { name, bits } = register;
  const { vcpu } = session.context;
  const value = valueIn(session, register, text);
  const done =
    bits <= 32
      ? vcpu.write(name, Number(value))
      : vcpu.writeWide(
          name,
          Uint8Array.from({ length: bits / 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)),
        );
  if (!done) throw new Refusal('valueNotTaken', { name, text });
};
