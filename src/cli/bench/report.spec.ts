import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LineReader, namesBegun, readMeasurements } from './report.ts';

const at = (time: number, text: string, instructions?: number) => ({
  at: time,
  text,
  ...(instructions === undefined
    ? {}
    : {
        counters: {
          instructions,
          exits: 2 * instructions,
          recorded: 3 * instructions,
          processorMilliseconds: instructions / 2,
        },
      }),
});

describe('measurements', () => {
  it('are what lies between a begin and its end', () => {
    const lines = [
      at(1, '@START'),
      at(10, '@B crc32 20', 100),
      at(35.5, '@E crc32 20 sum=FD8e04eb tsc=0000000100000002', 150),
      at(36, '@B loop 7'),
      at(40, '@E loop 7 sum=00000001'),
      at(41, '@DONE'),
    ];
    assert.deepEqual(readMeasurements(lines), [
      {
        name: 'crc32',
        count: 20,
        milliseconds: 25.5,
        sum: 'fd8e04eb',
        cycles: 2 ** 32 + 2,
        spent: { instructions: 50, exits: 100, recorded: 150, processorMilliseconds: 25 },
      },
      { name: 'loop', count: 7, milliseconds: 4, sum: '00000001', cycles: 0 },
    ]);
    assert.deepEqual(namesBegun(lines), ['crc32', 'loop']);
  });
  it('takes further words behind the counter, as `ticks=`', () => {
    const [one] = readMeasurements([
      at(0, '@B timer 2'),
      at(9, '@E timer 2 sum=0000000a tsc=000000000000000b ticks=5'),
    ]);
    assert.equal(one?.cycles, 11);
  });
  it('gives none for a guest that did not end, an end of another guest, and an end without a begin', () => {
    const lines = [at(0, '@B a 1'), at(1, '@B b 1'), at(2, '@E a 1 sum=00000001'), at(3, '@E c 1 sum=00000001')];
    assert.deepEqual(readMeasurements(lines), []);
    assert.deepEqual(namesBegun(lines), ['a', 'b']);
  });
  it('believes no line that only resembles a result', () => {
    for (const text of [
      '@E a 1 sum=1',
      '@E a 1 sum=0000000g',
      '@E a x sum=00000001',
      'x @E a 1 sum=00000001',
      '@E a 1',
    ])
      assert.deepEqual(readMeasurements([at(0, '@B a 1'), at(1, text)]), []);
  });
});

describe('lines', () => {
  it('are the same however the bytes are cut, without carriage returns', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '@', '\n', '\r', ' '), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.nat({ max: 60 }), (all, cut) => {
        const bytes = Buffer.from(all);
        const reader = new LineReader();
        const lines = [...reader.add(bytes.subarray(0, cut)), ...reader.add(bytes.subarray(cut)), reader.unfinished];
        assert.deepEqual(lines, all.replaceAll('\r', '').split('\n'));
      }),
    );
  });
});
