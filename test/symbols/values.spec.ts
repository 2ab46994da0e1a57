// Types, values and C expressions against gdb's `ptype`, `whatis` and `print`, on a compiled sample whose memory is the file's own.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { evaluate } from '../../src/debugger/expression/evaluate.ts';
import { Names } from '../../src/debugger/expression/names.ts';
import { parseElf } from '../../src/machine/elf.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import type { ReadMemory } from '../../src/symbols/location-value.ts';
import { describeType, typeName } from '../../src/symbols/type-names.ts';
import { formatValue, printValue, type FormatOptions } from '../../src/symbols/value/format.ts';
import { NUMBER_FORMATS, type NumberLetter } from '../../src/symbols/value/number-formats.ts';
import { partCount, partsOf } from '../../src/symbols/value/parts.ts';
import { gdb, gdbMissing } from './gdb.ts';
import { compile, missing, read } from './toolchain.ts';

const VARIABLES =
  'second first head fixed counter big wide widest small port letter low high typedefed truth pi tiny e third huge zero infinity precise larger text exact zeros runs bytes numbers grid points paint odd mode none more unknown field sign operations printer array_pointer nothing something message null_message raw messages tail with_data hollow opaque overlay hidden pointer_to_hidden z vector'.split(
    ' ',
  );

const EXPRESSIONS = [
  '1 + 2 * 3',
  '7 / 2',
  '-7 / 2',
  '-7 % 3',
  '1.0 / 3',
  '10 / 4.0f',
  '1 << 4 | 3',
  '0xffffffff',
  '0xffffffff + 1',
  '2147483648',
  '-1 > 0u',
  '1 ? 2 : 3',
  '!5',
  '~0',
  "'a'",
  "'\\n' + 1",
  '"abc"',
  'sizeof(int)',
  'sizeof(struct node)',
  'sizeof first',
  'sizeof(first.name)',
  'sizeof(int [3][4])',
  '(char) 65',
  '(unsigned char) -1',
  '(short) 0x12345',
  '(int) 3.9',
  '(float) 1 / 3',
  '(long long) big * 2',
  'first.key',
  'head->next->name',
  'head->next->at',
  '*head',
  '*head->next',
  '&first',
  '&first.at',
  '&head->next->at.y',
  'first.bits',
  'first.bits.sign',
  'first.bits.sign * 2',
  'first.bits.big',
  'second.bits.hue',
  'first.number',
  'first.ratio',
  'numbers[3]',
  'numbers[2] + numbers[14]',
  'numbers',
  '*numbers',
  '*numbers@4',
  'numbers[1]@3',
  'points[1]@2',
  'points[2].y',
  '&numbers[3]',
  '&numbers[3] - &numbers[1]',
  'grid[1]',
  'grid[2][3]',
  '*array_pointer',
  '(*array_pointer)[2]',
  'grid + 1',
  'message',
  '*message',
  'message[1]',
  'message + 1',
  '*message@5',
  'messages[0]',
  '**messages',
  'raw',
  'raw[3]',
  'counter++ == 0',
  'head == &first',
  'head != 0',
  '!head',
  'nothing',
  'something',
  '(int *) something',
  '*(int *) something',
  '((struct node *) &first)->key',
  '(node_t *) 0',
  '(enum color) 5',
  '(enum flags) 6',
  'paint == GREEN',
  'GREEN',
  'BLUE + 1',
  'mode & EXECUTE',
  'add',
  '&add',
  '*add',
  'operations[0]',
  '*operations[0]',
  'first.apply',
  'second.apply',
  'printer',
  'overlay.byte[0]',
  'overlay.byte',
  "'values.c'::hidden",
  'counted::calls',
  'with_data.count',
  'with_data.data',
  'truth && 0',
  'truth || 0',
  'pi * 2',
  'e > pi',
  'precise + 1',
  '(double) precise',
  '3 , 4',
  'wide >> 3',
  'widest / 3',
  '-small',
  'high + low',
  'letter - 32',
  '(char) (letter - 32)',
  'text',
  '&text',
  'text + 1',
  '*&text',
  'opaque',
  '{int} &numbers[2]',
  '*something',
  'first + 1',
  'nonexistent',
  'first.nothing',
  '1 / 0',
  'head->next->next->key',
  '*(int *) 4',
];

const NUMBERS = [
  ...[
    'counter',
    'big',
    'wide',
    'widest',
    'small',
    'port',
    'letter',
    'low',
    'high',
    'typedefed',
    'truth',
    '0',
    '-1',
    '64',
  ],
  ...['first.bits.low', 'first.bits.sign', 'second.bits.sign', 'first.bits.big', 'second.bits.hue', 'second.bits.yes'],
  ...['paint', 'odd', 'mode', 'none', 'unknown', 'sign', 'numbers[3]', 'points[2].x', 'second.at.y'],
];

const TYPES = [
  ...['struct node', 'struct point', 'node_t', 'operation', 'matrix', 'enum color', 'enum flags', 'enum negative'],
  ...['struct flexible', 'struct empty', 'u8', 'int', 'unsigned long', 'char *', 'struct node *', 'int (*)(int, char)'],
  ...[
    'add',
    'variadic',
    'first',
    'head',
    'fixed',
    'counter',
    'operations',
    'printer',
    'array_pointer',
    'grid',
    'overlay',
  ],
  ...['message', 'messages', 'points', 'first.bits', '&first', 'numbers[1]', 'fixed->at', '*head', 'vector', 'z'],
];

function session(path: string) {
  const bytes = read(path);
  const supply = (file: string) => (existsSync(file) ? read(file) : undefined);
  const result = DebugInfo.open(path, bytes, { supply });
  const elf = parseElf(bytes);
  assert.ok(result.ok && elf.ok);
  const { info } = result;
  const memory: ReadMemory = (address, into) => {
    let done = 0;
    for (; done < into.length; done++) {
      const at = address + done;
      const segment = elf.elf.programHeaders.find(
        (header) => header.type === 1 && at >= header.virtualAddress && at < header.virtualAddress + header.memorySize,
      );
      if (segment === undefined) break;
      const offset = at - segment.virtualAddress;
      into[done] = offset < segment.fileSize ? bytes[segment.offset + offset]! : 0;
    }
    return done;
  };
  const source = { memory, registers: [] };
  const format: FormatOptions = {
    symbolAt: (address) => {
      const { function: name, offset } = info.map.locate(address);
      return name === undefined ? undefined : offset === 0 ? name : `${name}+${offset}`;
    },
  };
  const names = new Names(info, undefined, 0, source);
  return { info, format, evaluate: (text: string) => evaluate(text, { names, source }) };
}

/** gdb's answer, or that it refused. */
const plain = (answer: string): string =>
  answer.startsWith('Error: ') ? 'Error' : answer.replace(/^(?:\$\d+|type) = /, '');

const BUILDS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'gcc, DWARF 5': ['gcc', '-gdwarf-5', '-O0'],
  'gcc, DWARF 4': ['gcc', '-gdwarf-4', '-O0'],
  'gcc, DWARF 2 strict': ['gcc', '-gdwarf-2', '-gstrict-dwarf', '-O0'],
  'gcc, type units': ['gcc', '-gdwarf-5', '-fdebug-types-section', '-O0'],
  'gcc, split': ['gcc', '-gdwarf-5', '-gsplit-dwarf', '-O0'],
  'clang, DWARF 5': ['clang', '-gdwarf-5', '-O0'],
  'clang, DWARF 4': ['clang', '-gdwarf-4', '-O0'],
};

for (const [name, [compiler, ...options]] of Object.entries(BUILDS)) {
  describe(`values and types, ${name}`, { skip: missing(compiler) || gdbMissing() }, () => {
    it('prints values as gdb does', (t) => {
      const path = compile(compiler, [...options, '-Wno-everything'], ['values.c']);
      const { evaluate, format } = session(path);
      const texts = [...VARIABLES, ...EXPRESSIONS];
      const expected = gdb(
        path,
        texts.map((text) => `print ${text}`),
      ).map(plain);
      const actual = texts.map((text) => {
        const result = evaluate(text);
        // gdb refuses where it cannot read; the panels show the reason in the value's place.
        const shown = result.ok ? printValue(result.value, format) : 'Error';
        return shown.startsWith('<error: ') ? 'Error' : shown;
      });
      const pairs = (list: readonly string[]) => texts.map((text, i) => `${text} = ${list[i]}`);
      assert.deepEqual(pairs(actual), pairs(expected));
      t.diagnostic(`${texts.length} values`);
    });

    it('writes numbers in the bases that gdb has', () => {
      const path = compile(compiler, [...options, '-Wno-everything'], ['values.c']);
      const { evaluate, format } = session(path);
      const cases = Object.keys(NUMBER_FORMATS).flatMap((letter) =>
        NUMBERS.map((text) => ({ letter: letter as NumberLetter, text })),
      );
      // gdb's name for binary is t.
      const expected = gdb(
        path,
        cases.map(({ letter, text }) => `print/${letter === 'b' ? 't' : letter} ${text}`),
      ).map(plain);
      const differences = cases.flatMap(({ letter, text }, i) => {
        const result = evaluate(text);
        assert.ok(result.ok, text);
        const ours = formatValue(result.value, { ...format, number: letter });
        // What we say besides: the character, the enumerator, the symbol. Only in binary C has a prefix that gdb leaves out.
        const bare = letter === 'c' ? ours.replace(/(') (?:\w+|\(.*\))$/, '$1') : ours.split(' ')[0]!;
        const theirs = letter === 'b' || letter === 't' ? `0b${expected[i]!}` : expected[i]!;
        return bare === theirs ? [] : [`${text},${letter}: ${ours}; gdb has ${theirs}`];
      });
      assert.deepEqual(differences, []);
    });

    it('opens values into parts that their expressions name', () => {
      const path = compile(compiler, [...options, '-Wno-everything'], ['values.c']);
      const { evaluate, format } = session(path);
      let compared = 0;
      for (const text of [
        'first',
        'head',
        'second.bits',
        'points',
        'grid[1]',
        'text',
        'overlay',
        'pointer_to_hidden',
      ]) {
        const whole = evaluate(text);
        assert.ok(whole.ok);
        const parts = partsOf(whole.value);
        assert.equal(parts.length, partCount(whole.value));
        assert.deepEqual(partsOf(whole.value, 1, 1), parts.slice(1, 2));
        for (const { name, value, access } of parts) {
          if (name === undefined) continue;
          const named = evaluate(name === '*' ? `*${text}` : `${text}${access}`);
          assert.ok(named.ok, `${text}${access}`);
          assert.equal(printValue(value, format), printValue(named.value, format));
          compared++;
        }
      }
      assert.ok(compared > 40);
    });

    it('names types as gdb does', (t) => {
      const path = compile(compiler, [...options, '-Wno-everything'], ['values.c']);
      const { evaluate } = session(path);
      const typeOf = (text: string) => {
        const cast = evaluate(`(${text} *) 0`);
        if (cast.ok && cast.value.type.kind === 'pointer') return cast.value.type.target;
        const value = evaluate(text.includes('(*)') ? `(${text}) 0` : text);
        assert.ok(value.ok, `${text}: ${value.ok ? '' : value.reason}`);
        return value.value.type;
      };
      for (const [command, say] of [
        ['whatis', typeName],
        ['ptype', describeType],
      ] as const) {
        const subjects = TYPES.filter((text) => command === 'ptype' || !/^(?:node_t|operation|matrix|u8)$/.test(text));
        const expected = gdb(
          path,
          subjects.map((text) => `${command} ${text}`),
        ).map(plain);
        assert.deepEqual(
          subjects.map((text) => `${text}: ${say(typeOf(text))}`),
          subjects.map((text, i) => `${text}: ${expected[i]}`),
        );
        t.diagnostic(`${command}: ${subjects.length} types`);
      }
    });
  });
}
