/* hypercall.c: calls observe_op from ring 0 and ring 3 and prints `ringN NAME -> RESULT`, with what came back. Checks
 * nothing itself: the specs know what domain 0, another domain and a bare machine answer (VMCALL: #UD).
 * Command line: names of calls below, made in that order, in both rings unless `ring0` or `ring3` is among the words
 * (`info enable marker read_records disable`); none: all of them. */
#include "guest.h"
#include "kansoku.h"

#define RECORDS 16

static union {
  struct kansoku_header header;
  struct kansoku_info info;
  struct kansoku_mask mask;
  struct kansoku_read read;
  struct kansoku_counters counters;
  struct kansoku_watch watch;
  struct kansoku_unwatch unwatch;
  struct kansoku_marker marker;
  struct kansoku_weight weight;
  struct kansoku_policy policy;
} block;

static struct kansoku_record records[RECORDS];
static struct kansoku_u64 next;

static u32 operation;
static void *structure;
static u32 watched_word;

static u32 call(void) { return kansoku_observe_op(operation, structure); }

/* VMCALL with a number that is not a hypercall's. */
static u32 call_unknown(void) {
  u32 result;
  __asm__ volatile("vmcall" : "=a"(result) : "a"(0x1234), "b"(0), "c"(0) : "memory");
  return result;
}

static void show(const char *what, u32 value) {
  print(" ");
  print(what);
  print(" ");
  print_decimal(value);
}

static void after_info(void) {
  show("version", block.info.interface_version);
  show("kinds", block.info.kinds);
  show("ring", block.info.ring_bytes);
  show("record", block.info.record_bytes);
}

static void after_mask(void) {
  print(" mask ");
  print_hex(block.mask.mask.high);
  print_hex(block.mask.mask.low);
}

static void after_read(void) {
  show("copied", block.read.copied);
  show("lost", block.read.lost.low);
  show("next", block.read.next.low);
  next = block.read.next;
  for (u32 i = 0; i < block.read.copied && i < RECORDS; i++) {
    print("\n  record");
    show("kind", KANSOKU_RECORD_KIND(records + i));
    show("domain", KANSOKU_RECORD_DOMAIN(records + i));
    show("sequence", records[i].sequence);
    print(" operands");
    for (u32 j = 0; j < 5; j++) {
      print(" ");
      print_hex(records[i].operand[j]);
    }
  }
}

static void after_counters(void) {
  show("exits", block.counters.exits.low);
  show("hypercalls", block.counters.hypercalls);
  show("vmcall-exits", block.counters.exits_by_reason[18]);
  print(block.counters.instructions.low | block.counters.instructions.high ? " ran" : " never-ran");
}

static void after_watch(void) {
  show("id", block.watch.id);
  watched_word++; /* an access that the watch reports */
}

static const struct test {
  const char *name;
  u32 operation;
  u32 size;
  void (*after)(void);
} tests[] = {
    {"info", KANSOKU_INFO, sizeof block.info, after_info},
    {"set_mask", KANSOKU_SET_MASK, sizeof block.mask, 0},
    {"get_mask", KANSOKU_GET_MASK, sizeof block.mask, after_mask},
    {"enable", KANSOKU_ENABLE, sizeof block.header, 0},
    {"marker", KANSOKU_MARKER, sizeof block.marker, 0},
    {"read_records", KANSOKU_READ_RECORDS, sizeof block.read, after_read},
    {"domain_counters", KANSOKU_DOMAIN_COUNTERS, sizeof block.counters, after_counters},
    {"watch_memory", KANSOKU_WATCH_MEMORY, sizeof block.watch, after_watch},
    {"unwatch_memory", KANSOKU_UNWATCH_MEMORY, sizeof block.unwatch, 0},
    {"set_weight", KANSOKU_SET_WEIGHT, sizeof block.weight, 0},
    {"set_policy", KANSOKU_SET_POLICY, sizeof block.policy, 0},
    {"disable", KANSOKU_DISABLE, sizeof block.header, 0},
    {"bad_operation", 99, sizeof block.header, 0},
    {"bad_version", KANSOKU_INFO, sizeof block.info, 0},
    {"bad_size", KANSOKU_INFO, sizeof block.info, 0},
    {"bad_pointer", KANSOKU_INFO, sizeof block.info, 0},
    {"bad_domain", KANSOKU_DOMAIN_COUNTERS, sizeof block.counters, 0},
    {"bad_hypercall", 0, 0, 0},
};

static int is(const struct test *test, const char *name) {
  const char *a = test->name;
  while (*a && *a == *name) {
    a++;
    name++;
  }
  return *a == *name;
}

static void prepare(const struct test *test) {
  __builtin_memset(&block, 0, sizeof block);
  block.header.version = is(test, "bad_version") ? 2 : KANSOKU_VERSION;
  block.header.size = is(test, "bad_size") ? 8 : test->size;
  operation = test->operation;
  structure = is(test, "bad_pointer") ? (void *)0xf0000000 : &block;
  if (operation == KANSOKU_SET_MASK) block.mask.mask.low = 0xffff;
  if (operation == KANSOKU_MARKER) {
    for (u32 i = 0; i < 5; i++) block.marker.operand[i] = 0xa0 + i;
  }
  if (operation == KANSOKU_READ_RECORDS) {
    block.read.buffer = (u32)records;
    block.read.capacity = RECORDS;
    block.read.next = next;
  }
  if (is(test, "bad_domain")) block.counters.domain = 0x7ff0;
  if (operation == KANSOKU_WATCH_MEMORY) {
    block.watch.address = (u32)&watched_word; /* no paging: linear is physical */
    block.watch.length = sizeof watched_word;
    block.watch.access = KANSOKU_ACCESS_WRITE;
  }
  if (operation == KANSOKU_SET_WEIGHT) block.weight.weight = 512;
  if (operation == KANSOKU_SET_POLICY) block.policy.policy = KANSOKU_POLICY_ADAPTIVE;
}

static void on_invalid_opcode(struct trap *trap) {
  fault.vector = VECTOR_UD;
  trap->eip += 3; /* VMCALL is three bytes long */
}

static void make(const struct test *test, int ring) {
  u32 (*function)(void) = is(test, "bad_hypercall") ? call_unknown : call;
  prepare(test);
  fault.vector = FAULT_NONE;
  u32 result = ring ? run_user(function) : function();
  print(ring ? "ring3 " : "ring0 ");
  print(test->name);
  print(" -> ");
  if (fault.vector == VECTOR_UD) {
    print("#UD");
  } else {
    print_decimal(result);
    if (result == 0 && test->after) test->after();
  }
  print("\n");
}

static void make_in_rings(const struct test *test) {
  int only0 = has_word("ring0"), only3 = has_word("ring3");
  if (!only3 || only0) make(test, 0);
  if (!only0 || only3) make(test, 3);
}

/* The word at `at` ends with a blank or the line. */
static int word_is(const char *at, const char *name) {
  while (*name && *at == *name) {
    at++;
    name++;
  }
  return !*name && (!*at || *at == ' ');
}

void run(void) {
  const u32 count = sizeof tests / sizeof *tests;
  int named = 0;
  handlers[VECTOR_UD] = on_invalid_opcode;
  for (const char *at = command_line; *at; at++) {
    if (at != command_line && at[-1] != ' ') continue;
    for (u32 i = 0; i < count; i++) {
      if (!word_is(at, tests[i].name)) continue;
      make_in_rings(tests + i);
      named = 1;
    }
  }
  if (!named) {
    for (u32 i = 0; i < count; i++) make_in_rings(tests + i);
  }
}
