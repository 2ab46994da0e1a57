// The machine-check architecture's registers. Nothing of this machine ever fails, so no bank logs an error and #MC is never raised; software
// finds the banks, enables and clears them. SDM vol. 3, 15.3; vol. 4, MSRs of the Core Duo (six banks, no IA32_MCG_CTL).

import { constant, type MsrInfo, MsrSlot, readOnly, row, slotReader, slotWriter } from './msr-rows.ts';

const BANKS = 6;
const MCG_CAP = BANKS;
/** RIPV, EIPV, MCIP. */
const MCG_STATUS_MASK = 7;
const REGISTERS = ['CTL', 'STATUS', 'ADDR', 'MISC'] as const;

const anything = (): boolean => true;
/** STATUS, ADDR and MISC can only be cleared (15.3.2.2 to 15.3.2.4). */
const zero = (low: number, high: number): boolean => low === 0 && high === 0;

export const machineCheckMsrs: readonly MsrInfo[] = [
  // The Pentium's pair, kept for old software: no error has been logged.
  row(0x00, 'P5_MC_ADDR', constant(0), readOnly),
  row(0x01, 'P5_MC_TYPE', constant(0), readOnly),
  row(0x179, 'IA32_MCG_CAP', constant(MCG_CAP), readOnly),
  row(
    0x17a,
    'IA32_MCG_STATUS',
    slotReader(MsrSlot.MCG_STATUS),
    slotWriter(MsrSlot.MCG_STATUS, (low, high) => (low & ~MCG_STATUS_MASK) === 0 && high === 0),
  ),
  ...Array.from({ length: BANKS * REGISTERS.length }, (_, i) => {
    const register = REGISTERS[i % REGISTERS.length]!;
    const slot = MsrSlot.MC_BANKS + i;
    const accepts = register === 'CTL' ? anything : zero;
    return row(0x400 + i, `IA32_MC${i >> 2}_${register}`, slotReader(slot), slotWriter(slot, accepts));
  }),
];
