/* segments.c: what loading a segment register demands in each ring, of each descriptor; the instructions about descriptors (LAR, LSL,
 * VERR, VERW, ARPL, LLDT, LTR, SLDT, STR, LGDT, SGDT); and what a segment then allows at each access. The loads are tried for every
 * type, DPL, RPL, CPL and present bit against the rules as the manual's pseudo-code gives them.
 * SDM vol. 2, the named instructions; vol. 3A 3.4.5, 3.5, 5.3-5.7, 6.13.
 * Word `strict`: also what QEMU 7.2 does not check: limits and types at each access, the limit of CS, LTR of a null selector. */
#include "rules.h"

#define ANY_LDT ANY_2

static volatile u32 wanted;

/* ---- loads ---- */

#define LOAD(name)                                                       \
  static u32 load_##name(void) {                                         \
    __asm__ volatile("movw %w0, %%" #name : : "r"(wanted) : "memory");   \
    return 1;                                                            \
  }
LOAD(ds)
LOAD(es)
LOAD(fs)
LOAD(gs)
LOAD(ss)

static u32 data_rule(void) {
  if (!is_readable(type)) return raises(VECTOR_GP, ANY);
  if (!is_conforming(type) && (rpl > dpl || cpl > dpl)) return raises(VECTOR_GP, ANY);
  return present ? FAULT_NONE : raises(VECTOR_NP, ANY);
}

static u32 stack_rule(void) {
  if (rpl != cpl || !is_writable(type) || dpl != cpl) return raises(VECTOR_GP, ANY);
  return present ? FAULT_NONE : raises(VECTOR_SS, ANY);
}

static void loads(const char *name, u32 (*load)(void), u32 (*rule)(void)) {
  for (type = 0; type < 32; type++) {
    u32 expands_down = (type & (S | 8 | 4)) == (S | 4);
    EVERY_LEVEL {
      u8 access = type | dpl << 5 | present << 7;
      set_descriptor(ANY, 0, expands_down ? 0 : 0xfffff, access, 0xc);
      wanted = ANY | rpl;
      run_ring(cpl, load);
      u32 should = rule();
      compare(name, outcome(), should);
      /* The accessed bit follows a load that succeeds, and no other. */
      compare("accessed", access_byte(ANY), should == FAULT_NONE ? access | 1 : access);
    }
  }
  verdict(name, 32 * 2 * 4 * 4 * 4 * 2);
}

static void other_loads(void) {
  u32 (*const all[])(void) = {load_ds, load_es, load_fs, load_gs};
  for (u32 i = 0; i < 4; i++)
    for (cpl = 0; cpl < 4; cpl++)
      for (rpl = 0; rpl < 4; rpl++) {
        wanted = rpl;
        expect("null", cpl, all[i], FAULT_NONE);
        wanted = BEYOND | rpl;
        expect("beyond", cpl, all[i], raises(VECTOR_GP, BEYOND));
      }
  verdict("load-null-and-beyond", 4 * 4 * 4 * 2);
  for (cpl = 0; cpl < 4; cpl++)
    for (rpl = 0; rpl < 4; rpl++) {
      wanted = rpl;
      expect("null", cpl, load_ss, raises(VECTOR_GP, 0));
      wanted = BEYOND | rpl;
      expect("beyond", cpl, load_ss, raises(VECTOR_GP, BEYOND));
    }
  verdict("load-ss-null-and-beyond", 4 * 4 * 2);
  PROBE("movw %w0, %%fs", "r"(0xfff8 | 3));
  faulted("load-last-index", VECTOR_GP, 0xfff8);
  PROBE("movw %%fs, %%ax\n\tmov %%ax, %%cs", "i"(0));
  faulted("mov-to-cs", VECTOR_UD, 0);
  PROBE(".byte 0x8e, 0xf0"); /* mov %ax, segment register 6 */
  faulted("mov-to-sreg-6", VECTOR_UD, 0);
  PROBE(".byte 0x8c, 0xf8"); /* mov segment register 7, %ax */
  faulted("mov-from-sreg-7", VECTOR_UD, 0);

  /* A refused load leaves both registers of LFS alone. */
  static volatile u32 pointer[2] = {0x12345678, BEYOND};
  static volatile u32 offset;
  u32 selector;
  set_descriptor(ANY, 0, 0xfffff, 0x92, 0xc);
  __asm__ volatile("movw %w0, %%fs" : : "r"(ANY));
  PROBE("movl $1, %%eax\n\tlfs (%0), %%eax\n\tmovl $2, %%eax", "r"(pointer));
  faulted("lfs-refused", VECTOR_GP, BEYOND);
  __asm__ volatile("mov %%fs, %0" : "=r"(selector));
  equal("lfs-refused-keeps-fs", selector & 0xffff, ANY);
  pointer[1] = ANY;
  PROBE("lfs (%0), %%eax\n\tmovl %%eax, (%1)", "r"(pointer), "r"(&offset));
  equal("lfs", offset, 0x12345678);

  /* The hidden part is loaded once: a descriptor changed later does not matter, even one made not present. */
  __asm__ volatile("movw %w0, %%fs" : : "r"(ANY));
  gdt[ANY / 8] = 0;
  static volatile u32 word = 0xa5a5a5a5;
  PROBE("movl %%fs:(%0), %%eax", "r"(&word));
  equal("hidden-part-stays", fault.vector, FAULT_NONE);
  __asm__ volatile("movw %w0, %%fs" : : "r"(0));
}

/* ---- LAR, LSL, VERR, VERW, ARPL ---- */

static volatile u32 zf, value;
#define QUERY(name, operands)                                                                                    \
  static u32 query_##name(void) {                                                                                \
    u32 flag, result = 0xfeedface;                                                                               \
    __asm__ volatile(operands "\n\tsetz %b1" : "+r"(result), "=q"(flag) : "r"(wanted) : "cc");               \
    value = result;                                                                                              \
    zf = flag & 1;                                                                                               \
    return 1;                                                                                                    \
  }
QUERY(lar, "lar %2, %0")
QUERY(lsl, "lsl %2, %0")
QUERY(larw, "lar %w2, %w0")
QUERY(lslw, "lsl %w2, %w0")
#define VERIFY(name)                                                        \
  static u32 query_##name(void) {                                           \
    u32 flag;                                                               \
    __asm__ volatile(#name " %w1\n\tsetz %b0" : "=q"(flag) : "r"(wanted) : "cc"); \
    zf = flag & 1;                                                          \
    return 1;                                                               \
  }
VERIFY(verr)
VERIFY(verw)

/* System types with a limit: TSSs and LDTs; and those with access rights: call and task gates too. */
static u32 has_limit(void) { return type & S || type == 1 || type == 2 || type == 3 || type == 9 || type == 11; }
static u32 has_rights(void) { return has_limit() || type == 4 || type == 5 || type == 12; }
static u32 visible(void) { return is_conforming(type) || (cpl <= dpl && rpl <= dpl); }

static void queries(void) {
  for (type = 0; type < 32; type++)
    EVERY_LEVEL {
      u8 access = type | dpl << 5 | present << 7;
      u32 granular = rpl & 1, rights = access << 8 | 0x500000 | granular << 23;
      u32 limit = granular ? 0x12345fff : 0x12345;
      set_descriptor(ANY, 0x76543210, 0x12345, access, 5 | granular << 3);
      wanted = ANY | rpl;
      run_ring(cpl, query_lar);
      compare("lar", zf, visible() && has_rights());
      compare("lar value", zf ? value & 0xf0ff00 : value, zf ? rights : 0xfeedface);
      run_ring(cpl, query_larw);
      compare("lar16 value", zf ? value & 0xffffff00 : value, zf ? 0xfeed0000 | (rights & 0xff00) : 0xfeedface);
      run_ring(cpl, query_lsl);
      compare("lsl", zf, visible() && has_limit());
      compare("lsl value", value, zf ? limit : 0xfeedface);
      run_ring(cpl, query_lslw);
      compare("lsl16 value", value, zf ? 0xfeed0000 | (limit & 0xffff) : 0xfeedface);
      run_ring(cpl, query_verr);
      compare("verr", zf, visible() && is_readable(type));
      run_ring(cpl, query_verw);
      compare("verw", zf, visible() && is_writable(type));
      compare("not accessed", access_byte(ANY), access);
    }
  verdict("lar-lsl-verr-verw", 32 * 2 * 4 * 4 * 4 * 9);

  u32 (*const all[])(void) = {query_lar, query_lsl, query_verr, query_verw};
  for (u32 i = 0; i < 4; i++) {
    wanted = 3;
    run_ring(0, all[i]);
    compare("null", zf, 0);
    wanted = BEYOND;
    run_ring(0, all[i]);
    compare("beyond", zf, 0);
  }
  verdict("query-null-and-beyond", 8);

  for (u32 i = 0; i < 16; i++) {
    u32 destination = 0x80 | (i & 3), source = 0x40 | i >> 2, flag;
    u32 raised = (i & 3) < i >> 2;
    __asm__("arpl %w2, %w0\n\tsetz %b1" : "+r"(destination), "=q"(flag) : "r"(source) : "cc");
    compare("arpl", destination, 0x80 | (raised ? i >> 2 : i & 3));
    compare("arpl zf", flag & 1, raised);
  }
  verdict("arpl", 32);
}

/* ---- LDTR, TR, GDTR ---- */

static u32 load_ldtr(void) {
  __asm__ volatile("lldt %w0" : : "r"(wanted) : "memory");
  return 1;
}
static u32 load_tr(void) {
  __asm__ volatile("ltr %w0" : : "r"(wanted) : "memory");
  return 1;
}
static u32 store_ldtr(void) {
  u32 stored = 0xffffffff;
  __asm__ volatile("sldt %0" : "+r"(stored));
  return stored;
}
static u32 store_tr(void) {
  u32 stored = 0xffffffff;
  __asm__ volatile("str %0" : "+r"(stored));
  return stored;
}
static u32 store_ldtr_16(void) {
  u32 stored = 0xffffffff;
  __asm__ volatile("sldt %w0" : "+r"(stored));
  return stored;
}

static void again_tr(void) {
  set_descriptor(TASK, (u32)&tss, sizeof tss - 1, 0x89, 0);
  __asm__ volatile("ltr %w0" : : "r"(TASK));
}

static void system_registers(void) {
  dpl = 0;
  rpl = 0;
  for (type = 0; type < 32; type++)
    for (present = 0; present < 2; present++)
      for (cpl = 0; cpl < 4; cpl += 3) {
        u8 access = type | present << 7;
        wanted = ANY;
        set_descriptor(ANY, (u32)&tss, 0x67, access, 0);
        run_ring(cpl, load_ldtr);
        u32 should = type != 2 ? raises(VECTOR_GP, ANY) : present ? FAULT_NONE : raises(VECTOR_NP, ANY);
        if (cpl) should = raises(VECTOR_GP, 0);
        compare("lldt", outcome(), should);
        compare("lldt writes", access_byte(ANY), access);
        __asm__ volatile("lldt %w0" : : "r"(0));
        run_ring(cpl, load_tr);
        should = type != 1 && type != 9 ? raises(VECTOR_GP, ANY) : present ? FAULT_NONE : raises(VECTOR_NP, ANY);
        if (cpl) should = raises(VECTOR_GP, 0);
        compare("ltr", outcome(), should);
        compare("ltr busy", access_byte(ANY), should == FAULT_NONE ? access | 2 : access);
        again_tr();
      }
  verdict("lldt-ltr", 32 * 2 * 2 * 4);

  if (has_word("strict")) {
    PROBE("ltr %w0", "r"(3));
    faulted("ltr-null", VECTOR_GP, 0);
    again_tr();
  }
  PROBE("ltr %w0", "r"(TASK | 4));
  faulted("ltr-local", VECTOR_GP, TASK | 4);
  PROBE("ltr %w0", "r"(BEYOND));
  faulted("ltr-beyond", VECTOR_GP, BEYOND);
  PROBE("ltr %w0", "r"(TASK));
  faulted("ltr-busy", VECTOR_GP, TASK);
  PROBE("lldt %w0", "r"(TASK | 4));
  faulted("lldt-local", VECTOR_GP, TASK | 4);
  PROBE("lldt %w0", "r"(BEYOND | 3));
  faulted("lldt-beyond", VECTOR_GP, BEYOND);
  equal("str-ring-3", run_ring(3, store_tr) & 0xffff, TASK);

  /* The LDT: its own limit, its own selectors, and none at all. */
  static u64 ldt[4];
  ldt[0] = gdt[USER_DATA / 8];
  ldt[3] = gdt[USER_DATA / 8];
  set_descriptor(ANY_LDT, (u32)ldt, sizeof ldt - 1, 0x82, 0);
  __asm__ volatile("lldt %w0" : : "r"(ANY_LDT | 3));
  equal("sldt", run_ring(3, store_ldtr), ANY_LDT | 3);
  equal("sldt-16", run_ring(3, store_ldtr_16), 0xffff0000 | ANY_LDT | 3);
  wanted = 0x1f;
  run_ring(3, load_fs);
  equal("ldt-last", outcome(), FAULT_NONE);
  wanted = 7; /* index 0 of the LDT is an entry like any other */
  run_ring(3, load_fs);
  equal("ldt-first", outcome(), FAULT_NONE);
  equal("ldt-accessed", (u32)(ldt[0] >> 40) & 0xff, 0xf3);
  wanted = 0x27;
  run_ring(3, load_fs);
  equal("ldt-beyond", outcome(), raises(VECTOR_GP, 0x24));
  set_descriptor(ANY_LDT, (u32)ldt, 8 + 6, 0x82, 0);
  __asm__ volatile("lldt %w0" : : "r"(ANY_LDT));
  wanted = 0xf;
  run_ring(3, load_fs);
  equal("ldt-cut-off", outcome(), raises(VECTOR_GP, 0xc));
  __asm__ volatile("lldt %w0" : : "r"(0));
  wanted = 7;
  run_ring(3, load_fs);
  equal("ldt-none", outcome(), raises(VECTOR_GP, 4));

  /* A 16-bit operand size loads 24 bits of base; the limit is taken as it is. */
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) was, table = {0x27, 0xff000000 | (u32)gdt}, now;
  __asm__ volatile("sgdt %0" : "=m"(was));
  __asm__ volatile("lgdtw %1\n\tsgdtl %0" : "=m"(now) : "m"(table));
  equal("lgdt-16-base", now.base, (u32)gdt);
  equal("lgdt-16-limit", now.limit, 0x27);
  PROBE("movw %w0, %%fs", "r"(0x28));
  faulted("gdt-shorter", VECTOR_GP, 0x28);
  table.limit = 0x26;
  table.base = (u32)gdt;
  __asm__ volatile("lgdtl %0" : : "m"(table));
  PROBE("movw %w0, %%fs", "r"(0x20));
  faulted("gdt-cut-off", VECTOR_GP, 0x20);
  __asm__ volatile("lgdtl %0" : : "m"(was));
  __asm__ volatile("sidt %0" : "=m"(was));
  table.limit = was.limit;
  table.base = 0xab000000 | was.base;
  __asm__ volatile("lidtw %1\n\tsidtl %0" : "=m"(now) : "m"(table));
  equal("lidt-16-base", now.base, was.base);
  PROBE(".byte 0x0f, 0x01, 0xd8"); /* lidt with a register: VMRUN's place on other makers' processors */
  faulted("lidt-register", VECTOR_UD, 0);
  PROBE(".byte 0x0f, 0x01, 0xe8"); /* 0F 01 /5 */
  faulted("0f01-5", VECTOR_UD, 0);
}

/* ---- accesses ---- */

static volatile u32 at;
/* In ring 3, and out of it without a stack: SS may be the segment under test. */
#define ACCESS(name, segment, instruction)                                                       \
  static u32 segment##_##name(void) {                                                            \
    __asm__ volatile("movw %w0, %%" #segment "\n\t" instruction "\n\tmovl $1, %%eax\n\tint $0x81" \
                     :                                                                           \
                     : "r"(wanted), "b"(at)                                                      \
                     : "eax", "memory");                                                         \
    return 0;                                                                                    \
  }
#define ACCESSES(segment)                                          \
  ACCESS(read_1, segment, "movb %%" #segment ":(%%ebx), %%al")     \
  ACCESS(read_2, segment, "movw %%" #segment ":(%%ebx), %%ax")     \
  ACCESS(read_4, segment, "movl %%" #segment ":(%%ebx), %%eax")    \
  ACCESS(read_8, segment, "fildll %%" #segment ":(%%ebx)\n\tfstp %%st") \
  ACCESS(write_1, segment, "movb %%al, %%" #segment ":(%%ebx)")    \
  ACCESS(write_2, segment, "movw %%ax, %%" #segment ":(%%ebx)")    \
  ACCESS(write_4, segment, "movl %%eax, %%" #segment ":(%%ebx)")   \
  ACCESS(write_8, segment, "fld1\n\tfistpll %%" #segment ":(%%ebx)") \
  ACCESS(modify_4, segment, "incl %%" #segment ":(%%ebx)")
ACCESSES(fs)
ACCESSES(ss)

struct access {
  u32 (*fs)(void), (*ss)(void);
  u32 bytes, writes;
};
#define BOTH(name) fs_##name, ss_##name
static const struct access accesses_of[] = {
    {BOTH(read_1), 1, 0},  {BOTH(read_2), 2, 0},  {BOTH(read_4), 4, 0},  {BOTH(read_8), 8, 0},  {BOTH(modify_4), 4, 1},
    {BOTH(write_1), 1, 1}, {BOTH(write_2), 2, 1}, {BOTH(write_4), 4, 1}, {BOTH(write_8), 8, 1},
};
#define ACCESS_COUNT (sizeof accesses_of / sizeof accesses_of[0])

/* The offsets that a segment holds. */
static const struct extent {
  const char *name;
  u32 access, flags, limit, first, last;
} extents[] = {
    {"bytes", 0xf2, 4, 0xfff, 0, 0xfff},
    {"one-byte", 0xf2, 4, 0, 0, 0},
    {"two-bytes", 0xf2, 4, 1, 0, 1},
    {"six-bytes", 0xf2, 4, 5, 0, 5},
    {"page", 0xf2, 0xc, 0, 0, 0xfff},
    {"pages", 0xf2, 0xc, 2, 0, 0x2fff},
    {"small", 0xf2, 0, 0xffff, 0, 0xffff},
    {"down", 0xf6, 4, 0xfff, 0x1000, 0xffffffff},
    {"down-small", 0xf6, 0, 0xfff, 0x1000, 0xffff},
    {"down-pages", 0xf6, 0xc, 1, 0x2000, 0xffffffff},
    {"down-odd", 0xf6, 4, 0x1235, 0x1236, 0xffffffff},
    {"down-nothing", 0xf6, 0, 0xffff, 1, 0},
};

static void accesses(void) {
  write_cr0(read_cr0() & ~12u); /* x87 without traps */
  __asm__ volatile("fninit");
  cpl = 3;
  for (u32 i = 0; i < sizeof extents / sizeof extents[0]; i++) {
    const struct extent *e = &extents[i];
    type = i;
    for (u32 j = 0; j < ACCESS_COUNT; j++) {
      const struct access *a = &accesses_of[j];
      u32 low = e->first - 8, high = e->last - 9; /* by 18 offsets around each end; not where an access wraps around 4 GiB */
      for (u32 k = 0; k < 36; k++) {
        at = k < 18 ? low + k : high + k - 18;
        if (at + a->bytes - 1 < at) continue;
        u32 good = e->first <= e->last && at >= e->first && at + a->bytes - 1 <= e->last;
        rpl = j;
        dpl = k;
        wanted = ANY | 3;
        set_descriptor(ANY, AREA, e->limit, e->access, e->flags);
        run_ring(3, a->fs);
        compare(e->name, outcome(), good ? FAULT_NONE : raises(VECTOR_GP, 0));
        run_ring(3, a->ss);
        compare(e->name, outcome(), good ? FAULT_NONE : raises(VECTOR_SS, 0));
      }
    }
  }
  equal("limits", wrong, 0);
  check("  combinations", tried > 7000);
  tried = wrong = 0;

  /* Types: what may be read and written. */
  for (type = S; type < 32; type++) {
    if (!is_readable(type)) continue;
    u32 expands_down = (type & 12) == 4;
    set_descriptor(ANY, AREA, expands_down ? 0 : 0xfffff, type | P | 3 << 5, 0xc);
    wanted = ANY | 3;
    at = 0x2000;
    for (u32 j = 0; j < ACCESS_COUNT; j++) {
      run_ring(3, accesses_of[j].fs);
      compare("type", outcome(), accesses_of[j].writes && !is_writable(type) ? raises(VECTOR_GP, 0) : FAULT_NONE);
    }
  }
  verdict("access-types", 12 * ACCESS_COUNT);
  wanted = 0;
  at = AREA;
  for (u32 j = 0; j < ACCESS_COUNT; j++) {
    expect("null", 3, accesses_of[j].fs, raises(VECTOR_GP, 0));
  }
  verdict("access-null", ACCESS_COUNT);

  set_descriptor(ANY, 0, 0xfffff, 0x98, 0xc); /* code that cannot be read: through CS only by executing */
  static volatile u32 word;
  PROBE("movl %%cs:(%0), %%eax", "r"(&word));
  equal("read-readable-code", fault.vector, FAULT_NONE);
  PROBE("ljmp %1, $1f\n1:\n\tmovl %%cs:(%0), %%eax", "r"(&word), "i"(ANY));
  faulted("read-execute-only", VECTOR_GP, 0);
  equal("read-execute-only-cs", fault.cs & 0xffff, ANY);
}

/* ---- stacks ---- */

#define STACK_CASE(name, instruction)                                                           \
  static u32 stack_##name(void) {                                                               \
    __asm__ volatile("movw %w0, %%ss\n\tmovl %%ebx, %%esp\n\t" instruction "\n\tmovl $1, %%eax\n\tint $0x81" \
                     :                                                                          \
                     : "r"(wanted), "b"(at)                                                     \
                     : "eax", "memory");                                                        \
    return 0;                                                                                   \
  }
STACK_CASE(push, "push %%eax")
STACK_CASE(pushw, "pushw %%ax")
STACK_CASE(pop, "pop %%eax")
STACK_CASE(pusha, "pusha")
STACK_CASE(popa, "popa")
STACK_CASE(call, "call 1f\n1:")
STACK_CASE(enter, "enter $0, $0")
STACK_CASE(leave, "mov %%ebx, %%ebp\n\tleave")
STACK_CASE(ebp, "mov %%ebx, %%ebp\n\tmovl (%%ebp), %%eax")
STACK_CASE(esp, "movl (%%esp), %%eax")
STACK_CASE(push_memory, "pushl %%ds:(%%esp)")

static void stacks(void) {
  static const struct {
    const char *name;
    u32 (*function)(void);
    u32 low, high; /* the least and the greatest ESP that do */
  } cases[] = {
      {"push", stack_push, 0x1004, 0x2000},  {"pushw", stack_pushw, 0x1002, 0x2000}, {"pop", stack_pop, 0x1000, 0x1ffc},
      {"pusha", stack_pusha, 0x1020, 0x2000}, {"popa", stack_popa, 0x1000, 0x1fe0},   {"call", stack_call, 0x1004, 0x2000},
      {"enter", stack_enter, 0x1004, 0x2000}, {"leave", stack_leave, 0x1000, 0x1ffc}, {"ebp", stack_ebp, 0x1000, 0x1ffc},
      {"esp", stack_esp, 0x1000, 0x1ffc},     {"push-memory", stack_push_memory, 0x1004, 0x2000},
  };
  wanted = ANY | 3;
  dpl = rpl = cpl = 3;
  for (u32 i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    type = i;
    for (u32 down = 0; down < 2; down++)
      for (int step = -1; step <= 1; step++) {
        set_descriptor(ANY, AREA, down ? 0xfff : 0x1fff, down ? 0xf6 : 0xf2, 4);
        at = (down ? cases[i].low : cases[i].high) + step;
        run_ring(3, cases[i].function);
        u32 bad = down ? step < 0 : step > 0;
        compare(cases[i].name, outcome(), bad ? raises(VECTOR_SS, 0) : FAULT_NONE);
        if (bad) compare("esp stays", fault.esp, at);
      }
  }
  verdict("stack-limits", 11 * 8);
}

/* ---- the limit of CS ---- */

__asm__(
    ".text\n"
    ".balign 16\n"
    "limited_code:\n\t"
    "nop\n\tnop\n\tnop\n\tnop\n\t" /* 0 to 3 */
    "mov $0x11111111, %eax\n\t"    /* 4 to 8 */
    "jmp 1f\n\t"                   /* 9 and 10 */
    ".skip 5, 0x90\n"
    "1:\tmov $1, %eax\n\t" /* 16 to 20 */
    "int $0x81\n"          /* 21 and 22 */
    );
extern char limited_code[];
static volatile struct {
  u32 offset;
  u16 selector;
} __attribute__((packed)) far_pointer;
static u32 run_limited(void) {
  __asm__ volatile("ljmp *%0" : : "m"(far_pointer));
  return 0;
}

static void code_limits(void) {
  static const struct {
    u32 limit, fault_eip; /* ffffffff: none */
  } cases[] = {{22, 0xffffffff}, {21, 21}, {20, 21}, {19, 16}, {16, 16}, {15, 9}, {10, 9}, {9, 9}, {8, 9}, {7, 4}, {4, 4}, {3, 4}, {2, 3}};
  far_pointer.selector = ANY | 3;
  far_pointer.offset = 0;
  type = 0x1a;
  /* A copy of the code for each limit; then all limits for the same code, which a processor that keeps decoded code must tell apart. */
  for (u32 same = 0; same < 2; same++) {
    for (u32 i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      char *copy = (char *)AREA + 0x1000 * (same ? 0 : i);
      if (!same) __builtin_memcpy(copy, limited_code, 32);
      dpl = cases[i].limit;
      set_descriptor(ANY, (u32)copy, cases[i].limit, 0xfa, 4);
      run_ring(3, run_limited);
      compare("exception", outcome(), cases[i].fault_eip == 0xffffffff ? FAULT_NONE : raises(VECTOR_GP, 0));
      if (cases[i].fault_eip != 0xffffffff) compare("eip", fault.eip, cases[i].fault_eip);
    }
    verdict(same ? "code-limit-same-code" : "code-limit", 13 * 2 - 1);
  }
  far_pointer.offset = 23;
  set_descriptor(ANY, (u32)limited_code, 22, 0xfa, 4);
  run_ring(3, run_limited);
  equal("jump-beyond-limit", outcome(), raises(VECTOR_GP, 0));
  equal("jump-beyond-limit-cs", fault.cs & 0xffff, USER_CODE);
}

void run(void) {
  extend_gdt();
  loads("load-ds", load_ds, data_rule);
  loads("load-es", load_es, data_rule);
  loads("load-fs", load_fs, data_rule);
  loads("load-gs", load_gs, data_rule);
  loads("load-ss", load_ss, stack_rule);
  other_loads();
  queries();
  system_registers();
  if (has_word("strict")) {
    accesses();
    stacks();
    code_limits();
  }
}
