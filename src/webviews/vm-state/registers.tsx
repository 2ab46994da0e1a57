// One vCPU's registers: general, instruction pointer, flags, control registers, segments, descriptor tables.
// Bit names are the SDM's (vol. 1, 3.4.3; vol. 3, 2.5) and are not translated.

import type { ComponentChildren } from 'preact';
import type { RegistersView, SourceLocation } from '../../protocol/views.ts';
import { Address } from '../common/Address.tsx';
import { hex } from '../common/format.ts';
import { t } from '../common/vscode-api.ts';

type Bits = readonly (readonly [name: string, bit: number])[];

// prettier-ignore
const EFLAGS: Bits = [
  ['CF', 0], ['PF', 2], ['AF', 4], ['ZF', 6], ['SF', 7], ['TF', 8], ['IF', 9], ['DF', 10], ['OF', 11],
  ['NT', 14], ['RF', 16], ['VM', 17], ['AC', 18], ['VIF', 19], ['VIP', 20], ['ID', 21],
];
// prettier-ignore
const CR0: Bits = [
  ['PE', 0], ['MP', 1], ['EM', 2], ['TS', 3], ['ET', 4], ['NE', 5], ['WP', 16], ['AM', 18], ['NW', 29], ['CD', 30], ['PG', 31],
];
// prettier-ignore
const CR4: Bits = [
  ['VME', 0], ['PVI', 1], ['TSD', 2], ['DE', 3], ['PSE', 4], ['PAE', 5], ['MCE', 6], ['PGE', 7], ['PCE', 8],
  ['OSFXSR', 9], ['OSXMMEXCPT', 10], ['VMXE', 13],
];
const ORDER = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'ebp', 'esp'] as const;

const namesOf = (value: number, bits: Bits): string =>
  bits
    .filter(([, bit]) => ((value >>> bit) & 1) === 1)
    .map(([name]) => name)
    .join(' ');

interface Props {
  readonly registers: RegistersView;
  /** To mark changes against. */
  readonly old: RegistersView | undefined;
  readonly locations: Readonly<Record<number, SourceLocation>>;
}

interface RowProps {
  readonly name: string;
  readonly changed: boolean;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
}

const Register = ({ name, changed, children, wide = false }: RowProps) => (
  <div class={`register${wide ? ' wide' : ''}`}>
    <dt>{name}</dt>
    <dd class={changed ? 'changed' : ''}>
      {children}
      {changed && <span class="visually-hidden">{t('changed')}</span>}
    </dd>
  </div>
);

export const Registers = ({ registers, old, locations }: Props) => {
  const flags = (name: string, value: number, was: number | undefined, bits: Bits) => (
    <Register name={name} changed={was !== undefined && was !== value} wide>
      <span class="mono">{hex(value)}</span> <span class="muted mono">{namesOf(value, bits)}</span>
    </Register>
  );
  const address = (name: string, value: number, was: number | undefined) => (
    <Register key={name} name={name} changed={was !== undefined && was !== value}>
      <Address value={value} location={locations[value]} />
    </Register>
  );
  return (
    <>
      <dl class="registers">
        {ORDER.map((name) => address(name.toUpperCase(), registers.general[name], old?.general[name]))}
        {address('EIP', registers.eip, old?.eip)}
        {address('CR2', registers.cr2, old?.cr2)}
        {address('CR3', registers.cr3, old?.cr3)}
        <div class="register" />
        {flags('EFLAGS', registers.eflags, old?.eflags, EFLAGS)}
        {flags('CR0', registers.cr0, old?.cr0, CR0)}
        {flags('CR4', registers.cr4, old?.cr4, CR4)}
      </dl>
      <table class="segments">
        <thead>
          <tr>
            <th scope="col">{t('Segment')}</th>
            <th scope="col">{t('Selector')}</th>
            <th scope="col">{t('Base')}</th>
            <th scope="col">{t('Limit')}</th>
            <th scope="col">{t('Access')}</th>
          </tr>
        </thead>
        <tbody>
          {registers.segments.map((segment) => (
            <tr key={segment.name}>
              <th scope="row">{segment.name.toUpperCase()}</th>
              <td class="mono">{hex(segment.selector, 4)}</td>
              <td class="mono">{hex(segment.base)}</td>
              <td class="mono">{hex(segment.limit)}</td>
              <td class="mono">{hex(segment.access, 4)}</td>
            </tr>
          ))}
          {(['gdtr', 'idtr'] as const).map((name) => (
            <tr key={name}>
              <th scope="row">{name.toUpperCase()}</th>
              <td />
              <td class="mono">
                <Address value={registers[name].base} location={locations[registers[name].base]} />
              </td>
              <td class="mono">{hex(registers[name].limit)}</td>
              <td />
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
};
