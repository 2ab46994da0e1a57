import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressMap } from '../symbols/address-map.ts';
import { stopOfReset } from './guest-stops.ts';

describe('a reset', () => {
  it('asks for names once, when its sentence is read', () => {
    let asked = 0;
    const stop = stopOfReset(0xc010_0004, () => {
      asked++;
      return AddressMap.fromSymbols('kallsyms', [
        { name: 'machine_restart', address: 0xc010_0000, letter: 'T' },
        { name: 'end', address: 0xc010_0100, letter: 'T' },
      ]);
    });
    assert.equal(stop.address, 0xc010_0004);
    assert.equal(asked, 0);
    const sentence = /^the guest reset the machine at .*machine_restart/;
    assert.match(stop.message, sentence);
    assert.match(structuredClone(stop).message, sentence, 'it goes through a port as well');
    assert.equal(asked, 1);
  });
});
