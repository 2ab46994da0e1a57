// Accesses by linear address that go to the hypervisor's callbacks instead of paging, while the machine executes an instruction for it.
// Not paging (mmu.ts) and not the callbacks (hypervisor/shadow/guest-access.ts).

/** Takes the place of paging while an instruction is emulated for the hypervisor (hypervisor/machine.ts EmulatorOps). */
export interface LinearAccess {
  /** INT n and its like, which enter a handler, are refused as if they left the guest. */
  readonly refusesHandlers?: boolean;
  /** Value, or -1 if the access faulted and the callee has recorded why. `size` 1, 2 or 4. */
  read(linear: number, size: number, user: boolean): number;
  write(linear: number, size: number, value: number, user: boolean): boolean;
  /** Is a write allowed here? Asked before the read of a read-modify-write. */
  probeWrite(linear: number, size: number, user: boolean): boolean;
}

const crosses = (linear: number, size: number): boolean => (linear & 0xfff) + size > 4096;

/** Value; 0 if it faulted. */
export const readEmulated = (access: LinearAccess, linear: number, size: number, user: boolean): number => {
  if (crosses(linear, size)) {
    let value = 0;
    for (let i = 0; i < size; i++) {
      const byte = access.read((linear + i) >>> 0, 1, user);
      if (byte < 0) return 0;
      value |= byte << (8 * i);
    }
    return value >>> 0;
  }
  const value = access.read(linear, size, user);
  return value < 0 ? 0 : value;
};
/** False if it faulted. */
export const writeEmulated = (
  access: LinearAccess,
  linear: number,
  size: number,
  value: number,
  user: boolean,
): boolean => {
  if (!crosses(linear, size)) return access.write(linear, size, value >>> 0, user);
  // Both pages are asked for before the first byte is stored.
  if (!access.probeWrite(linear, size, user)) return false;
  for (let i = 0; i < size; i++)
    if (!access.write((linear + i) >>> 0, 1, (value >>> (8 * i)) & 0xff, user)) return false;
  return true;
};
