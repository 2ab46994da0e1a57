// The checks of a VM entry on the host-state area: a failure is VMfailValid(8). SDM vol. 3, 26.2.2 to 26.2.4.
// Address-space size (26.2.4) has nothing that a processor without Intel 64 could get wrong.

import { ExitControl } from '../controls.ts';
import { Field } from '../fields.ts';
import { fixed, has, patValid, read, rows, type EntryCheck, type Row } from './check.ts';

const HOST_REGISTERS = rows('host', '26.2.2', [
  [
    'host-cr0',
    'the host CR0 must have the bits fixed in VMX operation (PE, NE and PG set)',
    (c) => fixed(read(c, Field.HOST_CR0), c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1),
  ],
  [
    'host-cr4',
    'the host CR4 must have the bits fixed in VMX operation (VMXE set, no reserved bit)',
    (c) => fixed(read(c, Field.HOST_CR4), c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1),
  ],
  [
    'host-pat',
    'the host IA32_PAT must have valid memory types',
    (c) =>
      !has(c.controls.exit, ExitControl.LOAD_IA32_PAT) ||
      patValid(read(c, Field.HOST_IA32_PAT), read(c, Field.HOST_IA32_PAT + 1)),
  ],
]);

const selectorRow = (name: string, field: number): Row => [
  `host-${name.toLowerCase()}-selector`,
  `RPL and TI of the host ${name} selector must be 0`,
  (c) => (read(c, field) & 7) === 0,
];

const HOST_SEGMENTS = rows('host', '26.2.3', [
  selectorRow('ES', Field.HOST_ES_SELECTOR),
  selectorRow('CS', Field.HOST_CS_SELECTOR),
  selectorRow('SS', Field.HOST_SS_SELECTOR),
  selectorRow('DS', Field.HOST_DS_SELECTOR),
  selectorRow('FS', Field.HOST_FS_SELECTOR),
  selectorRow('GS', Field.HOST_GS_SELECTOR),
  selectorRow('TR', Field.HOST_TR_SELECTOR),
  ['host-cs-null', 'the host CS selector must not be null', (c) => read(c, Field.HOST_CS_SELECTOR) !== 0],
  ['host-tr-null', 'the host TR selector must not be null', (c) => read(c, Field.HOST_TR_SELECTOR) !== 0],
  ['host-ss-null', 'the host SS selector must not be null', (c) => read(c, Field.HOST_SS_SELECTOR) !== 0],
]);
/** In the SDM's order. */
export const HOST_CHECKS: readonly EntryCheck[] = [...HOST_REGISTERS, ...HOST_SEGMENTS];
