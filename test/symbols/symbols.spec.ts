// Symbol tables, System.map and paths: the rules that no single compiled sample shows.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AddressMap } from '../../src/symbols/address-map.ts';
import { joinPath, matchPaths, normalizePath } from '../../src/symbols/paths.ts';
import { SymbolTable, type SymbolInfo } from '../../src/symbols/symbol-table.ts';
import { parseSystemMap } from '../../src/symbols/system-map.ts';

const symbol = (name: string, address: number, size = 0, more: Partial<SymbolInfo> = {}): SymbolInfo => ({
  name,
  address,
  size,
  kind: size > 0 ? 'function' : 'label',
  global: true,
  limit: 0x2000,
  ...more,
});
const at = (table: SymbolTable, address: number) => {
  const hit = table.find(address);
  return hit === undefined ? undefined : `${hit.symbol.name}+${hit.offset}`;
};

describe('SymbolTable', () => {
  it('ends a sized symbol at its size and a label at the next symbol or its section', () => {
    const table = new SymbolTable([
      symbol('f', 0x1000, 0x10),
      symbol('label', 0x1020),
      symbol('g', 0x1040, 0x10),
      symbol('last', 0x1050),
    ]);
    assert.equal(at(table, 0xfff), undefined);
    assert.equal(at(table, 0x100f), 'f+15');
    assert.equal(at(table, 0x1010), undefined);
    assert.equal(at(table, 0x103f), 'label+31');
    assert.equal(at(table, 0x104f), 'g+15');
    assert.equal(at(table, 0x1fff), 'last+4015');
    assert.equal(at(table, 0x2000), undefined);
    assert.equal(at(table, 0xffffffff), undefined);
  });

  it('gives the innermost of nested symbols and ignores labels inside sized ones', () => {
    const table = new SymbolTable([
      symbol('outer', 0x1000, 0x100),
      symbol('inner', 0x1020, 0x10),
      symbol('mark', 0x1028),
      symbol('end', 0x1100),
    ]);
    assert.equal(at(table, 0x101f), 'outer+31');
    assert.equal(at(table, 0x1029), 'inner+9');
    assert.equal(at(table, 0x1030), 'outer+48');
    assert.equal(at(table, 0x1100), 'end+0');
  });

  it('prefers, at one address, sized, typed, global, fewer underscores', () => {
    const candidates = [
      symbol('local_label', 0x1000, 0, { global: false }),
      symbol('__label', 0x1000),
      symbol('label', 0x1000),
      symbol('object', 0x1000, 0, { kind: 'object' }),
      symbol('local', 0x1000, 4, { global: false }),
      symbol('__f', 0x1000, 4),
      symbol('f', 0x1000, 4),
    ];
    for (let count = candidates.length; count > 0; count--) {
      const table = new SymbolTable(candidates.slice(0, count));
      assert.equal(at(table, 0x1000), `${candidates[count - 1]!.name}+0`);
    }
    const aliases = new SymbolTable([symbol('short', 0x1000, 4), symbol('_long', 0x1000, 8)]);
    assert.equal(at(aliases, 0x1003), 'short+3');
    assert.equal(at(aliases, 0x1004), '_long+4');
  });

  it('finds by name the global before the local, and absolute values', () => {
    const locals = [
      symbol('f', 0x1000, 4, { global: false }),
      symbol('f', 0x1100, 4),
      symbol('g', 0x1300, 4, { global: false }),
    ];
    const table = new SymbolTable([...locals, symbol('g', 0x1200, 4, { global: false })], [symbol('VERSION', 7)]);
    assert.equal(table.lookup('f')!.address, 0x1100);
    assert.equal(table.lookup('g')!.address, 0x1200);
    assert.equal(table.lookup('VERSION')!.address, 7);
    assert.equal(at(table, 7), undefined);
    assert.equal(table.lookup('toString'), undefined);
  });

  it('agrees with a search through all symbols', () => {
    const any = fc.record({ address: fc.nat(60), size: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), (list) => {
        const symbols = list.map(({ address, size }, i) =>
          symbol(`s${String(i).padStart(2, '0')}`, address, size, { limit: 70 }),
        );
        const table = new SymbolTable(symbols);
        for (let address = 0; address < 100; address++) {
          const holding = symbols.filter((s) => s.address <= address && address < s.address + s.size);
          const hit = table.find(address)?.symbol;
          if (holding.length > 0) {
            assert.equal(hit!.address, Math.max(...holding.map((s) => s.address)));
            assert.ok(holding.includes(hit!));
            continue;
          }
          const before = symbols.filter((s) => s.address <= address);
          const nearest = Math.max(...before.map((s) => s.address));
          const covered = symbols.some((s) => s.address <= nearest && nearest < s.address + s.size);
          const reaches = before.length > 0 && !covered && address < 70;
          assert.equal(hit?.address, reaches ? nearest : undefined);
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('lists the symbols of a range', () => {
    const table = new SymbolTable([symbol('c', 0x1030), symbol('a', 0x1010), symbol('b', 0x1020)]);
    assert.deepEqual(
      table.inRange(0x1010, 0x1030).map((s) => s.name),
      ['a', 'b'],
    );
  });
});

const MAP = `c0100000 T startup_32
c0100000 T _text
c0101000 t do_one_initcall
         U undefined_symbol
c0101080 W weak_one
c0300000 D jiffies
c0300004 d local_data
00000042 A absolute_value
c0400000 B _end
`;

describe('System.map', () => {
  it('is a source of symbols', () => {
    const loaded = AddressMap.load('System.map', new TextEncoder().encode(MAP));
    assert.ok(loaded.ok);
    const { map } = loaded;
    assert.equal(map.describe(0xc0101010), 'do_one_initcall+0x10');
    assert.equal(map.describe(0xc0100000), 'startup_32');
    assert.equal(map.describe(0xc0300002), 'jiffies+0x2');
    assert.equal(map.describe(0xc0400fff), '_end+0xfff');
    assert.equal(map.describe(0xc0401000), '0xc0401000 (outside any function)');
    assert.equal(map.lookup('absolute_value'), 0x42);
    assert.equal(map.lookup('undefined_symbol'), undefined);
    assert.equal(map.symbol('weak_one')!.kind, 'function');
    assert.equal(map.symbol(0xc0300000)!.kind, 'object');
    assert.deepEqual([map.hasLines, map.hasSymbols, map.files()], [false, true, []]);
  });

  it('moves with a slide', () => {
    const parsed = parseSystemMap(MAP, 0x1000000);
    assert.ok(parsed.ok);
    assert.equal(parsed.symbols.lookup('jiffies')!.address, 0xc1300000);
    assert.equal(parsed.symbols.lookup('absolute_value')!.address, 0x42);
  });

  it('takes the sizes of nm -S and the lines of nm -l, module names, CRLF', () => {
    const text = '00100000 00000010 T f\tmain.c:3\r\n00100010 t g\t[module]\r\n';
    const parsed = parseSystemMap(text);
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.symbols.symbols.map((s) => [s.name, s.size, s.global]),
      [
        ['f', 16, true],
        ['g', 0, false],
      ],
    );
  });

  it('refuses what is none of its kind', () => {
    const reason = (text: string) => {
      const loaded = AddressMap.load('file', new TextEncoder().encode(text));
      assert.ok(!loaded.ok);
      return loaded.reason;
    };
    assert.match(reason('00100000 T f\nwhat is this\n'), /^file: .*line 2 is not "address type name"/);
    assert.match(reason('ffffffff81000000 T _text\n'), /^file: .*line 1 has a 64-bit address/);
    assert.match(reason('         U a\n'), /^file: .*no symbols in it/);
    assert.match(reason('#!/bin/sh\n'), /^file: not an ELF file/);
  });
});

describe('paths', () => {
  it('joins and normalizes', () => {
    assert.equal(joinPath('/build/kernel', '../include/./a.h'), '/build/include/a.h');
    assert.equal(joinPath('/build', '/usr/a.c'), '/usr/a.c');
    assert.equal(joinPath('/build', 'C:\\src\\a.c'), 'C:\\src\\a.c');
    assert.equal(joinPath('', './a.c'), 'a.c');
    assert.equal(joinPath('/build', ''), '/build');
    assert.equal(normalizePath('../../a//b/../c'), '../../a/c');
    assert.equal(normalizePath('/../a'), '/a');
    assert.equal(normalizePath('/a/...b/..c'), '/a/...b/..c');
  });

  it('normalizes like POSIX', () => {
    const part = fc.constantFrom('a', 'b', '.', '..', '', 'c.h');
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
        const once = normalizePath(parts.join('/'));
        assert.equal(normalizePath(once), once);
        assert.ok(!/\/\/|\/\.\/|\/\.\.\/.*|\/\.$/.test(once.replace(/^(?:\.\.\/)*\.\.(?=\/|$)/, '')), once);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('matches what the user means', () => {
    const known = ['/build/kernel/fork.c', '/build/mm/fork.c', '/build/init/main.c', 'C:\\k\\boot.c'];
    assert.deepEqual(matchPaths(known, '/build/kernel/fork.c'), ['/build/kernel/fork.c']);
    assert.deepEqual(matchPaths(known, '/home/me/linux/mm/fork.c'), ['/build/mm/fork.c']);
    assert.deepEqual(matchPaths(known, 'fork.c'), ['/build/kernel/fork.c', '/build/mm/fork.c']);
    assert.deepEqual(matchPaths(known, 'D:\\src\\k\\boot.c'), ['C:\\k\\boot.c']);
    assert.deepEqual(matchPaths(known, 'ork.c'), []);
  });
});
