// Debug data of loaded modules, by a kernel that is nothing but the structures of Linux, as several versions have them, and a module built like one of
// Linux: placed where its memory says, read only when it is asked for, refused where it is of another build, and followed as modules come and go.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GuestSymbols } from '../../src/debugger/guest-symbols.ts';
import { evaluate } from '../../src/debugger/expression/evaluate.ts';
import { Names } from '../../src/debugger/expression/names.ts';
import type { GuestModule } from '../../src/debugger/os/awareness.ts';
import { GuestOs } from '../../src/debugger/os/guest-os.ts';
import { ModuleFiles } from '../../src/debugger/os/module-files.ts';
import { english } from '../../src/debugger/saying.ts';
import type { DebugGuest } from '../../src/debugger/target.ts';
import { Elf, parseElf } from '../../src/machine/elf.ts';
import { SymbolFile } from '../../src/symbols/symbol-file.ts';
import { printValue } from '../../src/symbols/value/format.ts';
import { threadFiles } from '../../src/workers/files.ts';
import { memoryOf, regionsOf, type Region } from '../symbols/core.ts';
import { compile, folder, missing, nm, read, tool } from '../symbols/toolchain.ts';

const skip = missing('gcc');

/** Where each section of the module is. */
const PLACES: Readonly<Record<string, number>> = {
  '.note.gnu.build-id': 0xf880_0000,
  '.text': 0xf880_1000,
  '.data': 0xf880_2000,
  '.init.text': 0xf890_0000,
};
const CORE = { base: 0xf880_0000, bytes: 0x3000 };
const INITIAL = { base: 0xf890_0000, bytes: 0x1000 };

const MODULE_SOURCE = `int counter = 7;
struct thing {
  int a;
  char b[4];
} first = {3, "xyz"};
struct kernel_thing;
struct kernel_thing *theirs;
int work(int x)
{
  counter += x;
  return counter * 2;
}
__attribute__((section(".init.text"))) int begin(void)
{
  return work(1);
}
`;

/** include/linux/module.h, kernel/module/sysfs.c, include/linux/sysfs.h: what matters here. */
const KERNEL_SOURCE = `
struct list_head { struct list_head *next, *prev; };
struct task_struct { int pid; struct list_head tasks; } init_task;
struct kernel_thing { int inside; } kernel_thing = { 42 };
char linux_banner[] = "Linux version 6.1.0-test";
struct attribute { const char *name; unsigned short mode; };
struct bin_attribute { struct attribute attr; unsigned size; void *private; };
struct attribute_group { const char *name; };
struct module_attribute { struct attribute attr; void *show; };
#if VERSION >= 614
#define SECTION(n, a) { { n }, 0, (void *) a }
#define END , { { 0 } }
struct module_sect_attrs { struct attribute_group grp; struct bin_attribute attrs[]; };
#else
#if VERSION >= 508
#define SECTION(n, a) { { { n } }, a }
struct module_sect_attr { struct bin_attribute battr; unsigned long address; };
#else
#define SECTION(n, a) { { { 0 } }, n, a }
struct module_sect_attr { struct module_attribute mattr; char *name; unsigned long address; };
#endif
#define END
struct module_sect_attrs { struct attribute_group grp; unsigned nsections; struct module_sect_attr attrs[]; };
#endif
struct layout { void *base; unsigned size; };
struct module {
  int state;
  struct list_head list;
  char name[56];
#if VERSION >= 604
  struct layout mem[7];
#elif VERSION >= 405
  struct layout core_layout, init_layout;
#else
  void *module_init, *module_core;
  unsigned init_size, core_size;
#endif
  struct module_sect_attrs *sect_attrs;
};
struct module_sect_attrs sections = {
  { "sections" },
#if VERSION < 614
  4,
#endif
  { SECTION(".note.gnu.build-id", 0xf8800000), SECTION(".text", 0xf8801000), SECTION(".data", 0xf8802000),
    SECTION(".init.text", 0xf8900000) END }
};
extern struct list_head modules;
struct module loaded = {
  .list = { &modules, &modules },
  .name = "my_driver",
#if VERSION >= 604
  .mem = { { (void *) 0xf8800000, 0x3000 }, [4] = { (void *) 0xf8900000, 0x1000 } },
#elif VERSION >= 405
  .core_layout = { (void *) 0xf8800000, 0x3000 }, .init_layout = { (void *) 0xf8900000, 0x1000 },
#else
  .module_core = (void *) 0xf8800000, .core_size = 0x3000, .module_init = (void *) 0xf8900000, .init_size = 0x1000,
#endif
  .sect_attrs = &sections,
};
struct list_head modules = { &loaded.list, &loaded.list };
void do_init_module(void) {}
__asm__(".globl _text\\n.set _text, 0xc0000000");
`;

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** As Linux builds modules: with debug data and a build id. */
const buildModule = (path: string, ...options: readonly string[]): string => {
  const source = write('driver.c', MODULE_SOURCE);
  const part = join(folder, 'driver.o');
  tool(
    'gcc',
    '-m32',
    '-c',
    '-g',
    '-O1',
    '-ffreestanding',
    '-fno-pic',
    '-fno-asynchronous-unwind-tables',
    ...options,
    '-o',
    part,
    source,
  );
  tool('ld', '-m', 'elf_i386', '-r', '--build-id', '-o', path, part);
  return path;
};

const buildKernel = (version: number): string =>
  compile(
    'gcc',
    ['-g', '-O0', '-Wl,-Ttext=0xc0100000', '-Wno-everything', `-DVERSION=${version}`, '-Wl,-e,0'],
    [write(`kernel${version}.c`, KERNEL_SOURCE)],
  );

/** Contents of the module's sections where they are. */
const moduleRegions = (path: string): Region[] => {
  const parsed = parseElf(read(path));
  assert.ok(parsed.ok);
  return Object.entries(PLACES).map(([name, address]) => {
    const contents = parsed.elf.sectionBytes(parsed.elf.section(name)!);
    assert.ok(contents.ok);
    return { address, bytes: contents.bytes };
  });
};

interface Bench {
  readonly symbols: GuestSymbols;
  /** Files that were read. */
  readonly reads: string[];
  /** Writes a word where a symbol of the kernel is; the guest has moved, or it was the debugger. */
  poke(symbol: string, offset: number, value: number, by?: 'guest' | 'debugger'): void;
  /** How often the kernel's list of modules was read. */
  readonly lists: number;
  readonly os: GuestOs;
  readonly modules: readonly GuestModule[];
}

const benchOf = async (kernel: string, inMemory: string, places: readonly string[]): Promise<Bench> => {
  const regions = [...regionsOf(read(kernel)), ...moduleRegions(inMemory)];
  const reads: string[] = [];
  const access = (await threadFiles())!;
  const files = new ModuleFiles(places, {
    list: (path) => access.list(path),
    read: (path) => {
      reads.push(path);
      return access.read(path);
    },
  });
  const opened = SymbolFile.open('vmlinux', read(kernel));
  assert.ok(opened.ok);
  let [instructions, changes, lists] = [0, 0, 0];
  const readMemory = memoryOf(regions);
  const head = (): number => symbols.map.lookup('modules')!;
  const guest = {
    vcpus: [{ read: () => 0 }],
    get position() {
      return { instructions, events: 0 };
    },
    get changes() {
      return changes;
    },
    readMemory: (linear: number, into: Uint8Array) => {
      if (linear === head()) lists++;
      return readMemory(linear, into);
    },
    readPhysical: () => 0,
  } as unknown as ReturnType<ConstructorParameters<typeof GuestSymbols>[3]>;
  const symbols = new GuestSymbols(opened.file, 'kernel', undefined, () => guest, files);
  return {
    symbols,
    reads,
    os: new GuestOs({ guestSymbols: symbols, target: guest as DebugGuest }, () => {}),
    poke: (symbol, offset, value, by = 'guest') => {
      const address = symbols.map.lookup(symbol)! + offset;
      const region = regions.find((one) => address >= one.address && address < one.address + one.bytes.length)!;
      new DataView(region.bytes.buffer, region.bytes.byteOffset).setUint32(address - region.address, value, true);
      if (by === 'guest') instructions++;
      else changes++;
    },
    get lists() {
      return lists;
    },
    get modules() {
      return symbols.linux!.modules();
    },
  };
};

describe('debug data of modules', { skip }, () => {
  const own = join(folder, 'own');
  const file = join(own, 'kernel', 'my-driver.ko');
  const build = (): string => {
    tool('mkdir', '-p', join(own, 'kernel'));
    return buildModule(file);
  };

  for (const version of [404, 507, 601, 604, 614]) {
    it(`is where the kernel says: ${Math.floor(version / 100)}.${version % 100}`, async () => {
      const path = build();
      const bench = await benchOf(buildKernel(version), path, [own]);
      const [module] = bench.modules;
      assert.deepEqual(module!.regions, [CORE, INITIAL]);
      assert.deepEqual(
        module!.sections,
        Object.entries(PLACES).map(([name, address]) => ({ name, address })),
      );
      assert.deepEqual(bench.symbols.modules!.state(module!), { kind: 'unread', path });
      // Lines of every symbol of the file.
      const parsed = parseElf(read(path));
      assert.ok(parsed.ok);
      const functions = parsed.elf.symbols().filter(({ type }) => type === Elf.STT_FUNC);
      assert.deepEqual(functions.map(({ name }) => name).sort(), ['begin', 'work']);
      for (const { name, value, section } of functions) {
        const home: string = parsed.elf.sections[section]!.name;
        const address = PLACES[home]! + value;
        const place = bench.symbols.map.locate(address);
        assert.equal(place.function, name);
        assert.equal(
          `${place.file}:${place.line}`,
          tool('addr2line', '-e', path, '-j', home, `0x${value.toString(16)}`).trim(),
        );
      }
      assert.equal(bench.symbols.modules!.state(module!).kind, 'read');
      assert.deepEqual(bench.reads, [path]);
    });
  }

  it('is read only when something asks for it, and once', async () => {
    const path = build();
    const kernel = buildKernel(601);
    const bench = await benchOf(kernel, path, [own]);
    const { symbols, reads } = bench;
    const inKernel = nm(kernel).find(({ name }) => name === 'do_init_module')!.address;
    assert.equal(symbols.map.locate(inKernel).function, 'do_init_module');
    assert.equal(symbols.map.locate(0x0804_8000).function, undefined);
    assert.equal(symbols.map.lookup('nothing'), undefined);
    assert.equal(symbols.info.global('counter'), undefined);
    assert.deepEqual(symbols.map.statements('elsewhere.c', 1, 999), []);
    assert.ok(reads.length <= 1, 'for the names of its sources');
    assert.equal(symbols.info.global('counter'), undefined);
    reads.length = 0;
    const places = symbols.map.statements('/home/me/driver.c', 10, 10);
    assert.ok(places.length > 0 && places.every(({ address }) => address >= 0xf880_1000 && address < 0xf880_2000));
    for (let i = 0; i < 5; i++) {
      bench.poke('kernel_thing', 0, i);
      assert.match(symbols.map.locate(places[0]!.address).file!, /driver\.c$/);
    }
    assert.deepEqual(reads, [path]);
  });

  it('asks the kernel for its modules once a moment, whoever asks', async () => {
    const bench = await benchOf(buildKernel(601), build(), [own]);
    const { symbols, os } = bench;
    const askAll = (): void => {
      assert.equal(symbols.map.locate(0xf880_1000).function, 'work');
      assert.equal(os.moduleAt(0xf880_1000)?.name, 'my_driver');
      assert.deepEqual(os.modules(), bench.modules);
      assert.equal(symbols.info.global('counter')?.name, 'counter');
    };
    askAll();
    askAll();
    assert.equal(bench.lists, 1);
    bench.poke('kernel_thing', 0, 1);
    askAll();
    assert.equal(bench.lists, 2, 'it has moved');
    bench.poke('modules', 0, symbols.map.lookup('modules')!, 'debugger');
    assert.deepEqual(os.modules(), []);
    assert.equal(symbols.map.locate(0xf880_1000).function, undefined);
    assert.equal(bench.lists, 3, 'it was changed where it stands');
    assert.equal(os.awareness!.name, 'Linux 6.1.0-test');
  });

  it('has variables and types, the kernel\u2019s too', async () => {
    const bench = await benchOf(buildKernel(601), build(), [own]);
    const { symbols } = bench;
    const work = symbols.map.statements('driver.c', 10, 10)[0]!.address;
    const memory = memoryOf([...regionsOf(read(buildKernel(601))), ...moduleRegions(file)]);
    const frame = symbols.info.frame([0, 0, 0, 0, 0, 0, 0, 0, work, 2], memory);
    const source = { memory, registers: frame.registers };
    const names = new Names(symbols.info, frame, 0, source);
    const value = (text: string): string => {
      const result = evaluate(text, { names, source });
      return result.ok ? printValue(result.value, {}) : result.reason;
    };
    assert.equal(value('counter'), '7');
    assert.equal(value('first.a'), '3');
    assert.equal(value('first.b[1]'), "121 'y'");
    assert.equal(value('kernel_thing.inside'), '42');
    // The module only declares it.
    assert.equal(value('((struct kernel_thing *) &kernel_thing)->inside'), '42');
    assert.equal(value('sizeof(struct kernel_thing)'), '4');
  });

  it('is refused where it is of another build, or not there', async () => {
    const loaded = buildModule(join(folder, 'loaded.ko'), '-DANOTHER', '-O0');
    build();
    const other = await benchOf(buildKernel(601), loaded, [own]);
    assert.equal(other.symbols.map.locate(0xf880_1000).function, undefined);
    const state = other.symbols.modules!.state(other.modules[0]!);
    assert.ok(state.kind === 'missing');
    assert.match(
      english(...state.reason),
      /my-driver\.ko: of another build \(build id [0-9a-f]{40}\) than the module that is loaded/,
    );
    const none = await benchOf(buildKernel(601), loaded, [join(folder, 'nowhere')]);
    assert.equal(none.symbols.map.locate(0xf880_1000).function, undefined);
    const absent = none.symbols.modules!.state(none.modules[0]!);
    assert.ok(absent.kind === 'missing');
    assert.match(english(...absent.reason), /there is no my_driver\.ko in .*nowhere cannot be looked into: ENOENT/);
    const silent = await benchOf(buildKernel(601), loaded, [own]);
    silent.poke('sections', 4, 0);
    assert.equal(silent.symbols.map.locate(0xf880_1000).function, undefined);
    const unknown = silent.symbols.modules!.state(silent.modules[0]!);
    assert.ok(unknown.kind === 'missing');
    assert.match(english(...unknown.reason), /does not say where the sections of my_driver are/);
  });

  it('follows the modules that are loaded', async () => {
    const bench = await benchOf(buildKernel(601), build(), [own]);
    const { symbols } = bench;
    const [head, module] = [symbols.map.lookup('modules')!, symbols.map.lookup('loaded')!];
    const LIST = 4;
    assert.equal(symbols.map.locate(0xf890_0000).function, 'begin');
    const unload = (): void => bench.poke('modules', 0, head);
    unload();
    assert.equal(symbols.map.locate(0xf880_1000).function, undefined);
    assert.deepEqual(symbols.map.statements('driver.c', 1, 99), []);
    assert.equal(symbols.info.global('counter'), undefined);
    // Loaded again, or the guest went back in time.
    bench.poke('modules', 0, module + LIST);
    assert.equal(symbols.map.locate(0xf880_1000).function, 'work');
    // Its initialisation has ended: that memory is nobody's.
    const layout = LIST + 8 + 56 + 8;
    bench.poke('loaded', layout, 0);
    bench.poke('loaded', layout + 4, 0);
    assert.equal(symbols.map.locate(0xf890_0000).function, undefined);
    assert.equal(symbols.map.locate(0xf880_1000).function, 'work');
    assert.deepEqual(symbols.info.functionsNamed('begin'), []);
    assert.deepEqual(symbols.map.statements('driver.c', 15, 15), []);
  });
});
