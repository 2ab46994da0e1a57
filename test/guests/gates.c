/* gates.c: far JMP, CALL and RET in protected mode, directly and through call gates of both widths: every type, DPL, RPL, CPL and
 * present bit against the rules of the manual's pseudo-code, the stacks that calls inwards build, parameters, RET n, and the data
 * segments that returns outwards take away.
 * SDM vol. 2, CALL, JMP, RET; vol. 3A 5.8. TSSs and task gates: tasks.c. Interrupts and IRET: interrupt-gates.c.
 * Word `strict`: also limits, 16-bit gates and segments that are not present, which QEMU 7.2 has its own way with. */
#include "transfers.h"

#define GATE ANY_2
#define STACK ANY_3

#define CODE_CONFORMING (S | 12)

DEFINE_LANDING;
static volatile struct {
  u32 offset;
  u16 selector;
} __attribute__((packed)) far_pointer;
static volatile struct {
  u16 offset, selector;
} far_pointer_16;

static u32 jump(void) {
  __asm__ volatile("ljmpl *%0" : : "m"(far_pointer));
  return 0;
}
static u32 call(void) {
  __asm__ volatile("lcalll *%0" : : "m"(far_pointer));
  return 0;
}
static u32 jump_16(void) {
  __asm__ volatile("ljmpw *%0" : : "m"(far_pointer_16));
  return 0;
}
static u32 call_16(void) {
  __asm__ volatile("lcallw *%0" : : "m"(far_pointer_16));
  return 0;
}

static void aim(u16 selector, u32 offset) {
  far_pointer.selector = far_pointer_16.selector = selector;
  far_pointer.offset = offset;
  far_pointer_16.offset = offset;
}

static void set_call_gate(u32 offset, u16 selector, u8 access, u32 parameters) {
  gdt[GATE / 8] = (offset & 0xffff) | (u32)selector << 16 | (u64)(parameters | (u32)access << 8 | (offset & 0xffff0000)) << 32;
}

/* ---- to code segments ---- */

/* CONFORMING-CODE-SEGMENT and NONCONFORMING-CODE-SEGMENT of JMP and CALL. */
static u32 direct_rule(void) {
  if (!is_code(type)) return raises(VECTOR_GP, ANY);
  if (is_conforming(type) ? dpl > cpl : rpl > cpl || dpl != cpl) return raises(VECTOR_GP, ANY);
  return present ? FAULT_NONE : raises(VECTOR_NP, ANY);
}

static u32 leads_elsewhere(u32 t) { return t == 1 || t == 3 || t == 4 || t == 5 || t == 9 || t == 11 || t == 12; }

static void direct(const char *name, u32 (*transfer)(void), u32 pushed) {
  for (type = 0; type < 32; type++) {
    if (leads_elsewhere(type)) continue;
    EVERY_LEVEL {
      ready();
      target(type, dpl, present);
      aim(ANY | rpl, LANDING_OFFSET);
      run_ring(cpl, transfer);
      if (!arrives(name, direct_rule(), cpl)) continue;
      if (pushed == 4) compare("cs pushed", landed_stack[1] & 0xffff, ring_code[cpl]);
      if (pushed == 2) compare("cs pushed", landed_stack[0] >> 16, ring_code[cpl]);
    }
  }
  equal(name, wrong, 0);
  tried = wrong = 0;
}

static void direct_errors(void) {
  static const struct {
    const char *name;
    u32 (*transfer)(void);
  } forms[] = {{"jmp", jump}, {"call", call}, {"jmp-16", jump_16}, {"call-16", call_16}};
  for (u32 i = 0; i < 4; i++) {
    for (rpl = 0; rpl < 4; rpl++) {
      aim(rpl, 0);
      expect("null", 3, forms[i].transfer, raises(VECTOR_GP, 0));
      aim(BEYOND | rpl, 0);
      expect("beyond", 3, forms[i].transfer, raises(VECTOR_GP, BEYOND));
      aim(4 | rpl, 0);
      expect("no ldt", 3, forms[i].transfer, raises(VECTOR_GP, 4));
    }
  }
  verdict("far-errors", 4 * 4 * 3);
  for (u32 i = 0; i < (strict ? 4 : 0); i++) {
    set_descriptor(ANY, LANDING_BASE, LANDING_OFFSET - 1, 0xfa, 4);
    aim(ANY | 3, LANDING_OFFSET);
    expect(forms[i].name, 3, forms[i].transfer, raises(VECTOR_GP, 0));
    compare(forms[i].name, fault.cs & 0xffff, ring_code[3]);
    compare("not accessed", access_byte(ANY), 0xfa);
  }
  if (strict) verdict("far-limit", 4 * 3);
}

/* ---- call gates ---- */

static u32 gate_type, gate_present, gate_dpl;

static u32 gate_rule(u32 is_call) {
  if (gate_dpl < cpl || gate_dpl < rpl) return raises(VECTOR_GP, GATE);
  if (!gate_present) return raises(VECTOR_NP, GATE);
  if (!is_code(type)) return raises(VECTOR_GP, ANY);
  if (is_call || is_conforming(type) ? dpl > cpl : dpl != cpl) return raises(VECTOR_GP, ANY);
  return present ? FAULT_NONE : raises(VECTOR_NP, ANY);
}

static void through_gate(void) {
  u32 should = gate_rule(0);
  ready();
  run_ring(cpl, jump);
  if (should == raises(VECTOR_NP, ANY)) should = strictly(should);
  compare("jmp gate", outcome(), should);
  if (should == FAULT_NONE) {
    compare("jmp gate cs", landed.cs, ANY | cpl);
    compare("jmp gate ss", landed.ss, ring_data[cpl]);
  }
  should = gate_rule(1);
  ready();
  run_ring(cpl, call);
  compare("call gate", outcome(), should);
  if (should != FAULT_NONE) return;
  u32 level = is_conforming(type) ? cpl : dpl, wide = gate_type == 12;
  if (strict || !is_conforming(type)) compare("call gate cs", landed.cs, ANY | level);
  compare("call gate ss", landed.ss, ring_data[level]);
  compare("old cs", wide ? landed_stack[1] & 0xffff : landed_stack[0] >> 16, ring_code[cpl]);
  if (level == cpl) return;
  compare("old ss", wide ? landed_stack[3] & 0xffff : landed_stack[1] >> 16, ring_data[cpl]);
  if (level) compare("esp", landed.esp, (u32)(inner_stack[level] + 128) - (wide ? 16 : 8));
}

static void gates(void) {
  static const u8 types[] = {CODE_READABLE, S | 8, CODE_CONFORMING, S | 2, 2};
  for (gate_type = 4; gate_type <= 12; gate_type += 8)
    for (gate_present = 0; gate_present < 2; gate_present++)
      for (gate_dpl = 0; gate_dpl < 4; gate_dpl++)
        for (rpl = 0; rpl < 4; rpl++)
          for (cpl = 0; cpl < 4; cpl++)
            for (u32 i = 0; i < sizeof types; i++)
              for (dpl = 0; dpl < 4; dpl++)
                for (present = 0; present < 2; present++) {
                  type = types[i];
                  target(type, dpl, present);
                  set_call_gate(LANDING_OFFSET, ANY | 3, gate_type | gate_dpl << 5 | gate_present << 7, 0); /* its RPL is ignored */
                  aim(GATE | rpl, 0xdeadbeef);
                  through_gate();
                }
  equal("call-gates", wrong, 0);
  check("  combinations", tried > 20000);
  tried = wrong = 0;

  u32 (*const forms[])(void) = {jump, call};
  for (u32 i = 0; i < 2; i++) {
    aim(GATE | 3, 0);
    set_call_gate(LANDING_OFFSET, 3, 0xec, 0);
    expect("null", 3, forms[i], raises(VECTOR_GP, 0));
    set_call_gate(LANDING_OFFSET, BEYOND | 1, 0xec, 0);
    expect("beyond", 3, forms[i], raises(VECTOR_GP, BEYOND));
    set_call_gate(LANDING_OFFSET, GATE, 0xec, 0);
    expect("gate to gate", 3, forms[i], raises(VECTOR_GP, GATE));
  }
  verdict("gate-errors", 6);
  for (u32 i = 0; i < (strict ? 2 : 0); i++) {
    set_descriptor(ANY, LANDING_BASE, LANDING_OFFSET - 1, 0xfa, 4);
    set_call_gate(LANDING_OFFSET, ANY, 0xec, 0);
    expect("limit", 3, forms[i], raises(VECTOR_GP, 0));
    set_descriptor(ANY, LANDING_BASE, LANDING_OFFSET - 1, 0x9a, 4); /* inwards */
    expect("limit", 3, forms[i], raises(VECTOR_GP, i ? 0 : ANY));
  }
  if (strict) verdict("gate-limit", 4);
  if (!strict) return;
  /* A 16-bit gate has 16 bits of offset. At 32 bits this one leads to other code. */
  static const u8 elsewhere[] = {0xcd, 0x81};
  u32 high = 0x700000;
  __builtin_memcpy((void *)(LANDING_BASE + high + LANDING_OFFSET), elsewhere, sizeof elsewhere);
  target(CODE_READABLE, 0, 1);
  set_call_gate(high | LANDING_OFFSET, ANY, 0xe4, 0);
  ready();
  run_ring(3, call);
  equal("gate-16-offset", landed.count, 1);
}

/* Calls with `parameters` words (16 bits: `narrow`) that are worth 1, 2, 3 ... from the top of the stack. */
static volatile u32 parameters, esp_before;
static u32 call_with_parameters(void) {
  __asm__ volatile(
      "mov %0, %%ecx\n"
      "1:\tjecxz 2f\n\tpush %%ecx\n\tdec %%ecx\n\tjmp 1b\n"
      "2:\tmov %%esp, %1\n\tlcalll *%2"
      :
      : "m"(parameters), "m"(esp_before), "m"(far_pointer)
      : "ecx", "memory");
  return 0;
}

static void parameter_copies(void) {
  static const u8 counts[] = {0, 1, 2, 7, 31};
  present = 1;
  aim(GATE | 3, 0);
  for (u32 wide = 0; wide < 2; wide++)
    for (cpl = 1; cpl < 4; cpl++)
      for (dpl = 0; dpl < cpl; dpl++)
        for (u32 i = 0; i < sizeof counts; i++) {
          type = parameters = counts[i];
          ready();
          target(CODE_READABLE, dpl, 1);
          set_call_gate(LANDING_OFFSET, ANY, wide ? 0xec : 0xe4, parameters);
          expect("parameters", cpl, call_with_parameters, FAULT_NONE);
          u16 *narrow = (u16 *)landed_stack;
          /* A 16-bit gate copies words: here halves of what was pushed, whose upper halves are zero. The last pushed is on top. */
          for (u32 j = 0; j < parameters; j++) {
            if (wide) compare("copied", landed_stack[2 + j], j + 1 <= parameters ? j + 1 : 0);
            else compare("copied", narrow[2 + j], j & 1 ? 0 : j / 2 + 1);
          }
          u32 behind = 2 + parameters;
          compare("old esp", wide ? landed_stack[behind] : narrow[behind], wide ? esp_before : esp_before & 0xffff);
          compare("old ss", wide ? landed_stack[behind + 1] & 0xffff : narrow[behind + 1], ring_data[cpl]);
        }
  equal("parameters", wrong, 0);
  tried = wrong = 0;
  /* Between equal levels nothing is copied. */
  parameters = 7;
  target(CODE_READABLE, 3, 1);
  set_call_gate(LANDING_OFFSET, ANY, 0xec, 7);
  run_ring(3, call_with_parameters);
  equal("parameters-same-level", esp_before - landed.esp, 8);
}

/* The stack of the inner level, as the TSS names it. */
static u32 inner_stack_rule(u32 level) {
  if (rpl != level || dpl != level || !is_writable(type)) return raises(VECTOR_TS, STACK);
  return present ? FAULT_NONE : strictly(raises(VECTOR_SS, STACK));
}

static void inner_stacks(void) {
  aim(GATE | 3, 0);
  cpl = 3;
  for (u32 level = 1; level < 3; level++) {
    target(CODE_READABLE, level, 1);
    set_call_gate(LANDING_OFFSET, ANY, 0xec, 0);
    for (type = 0; type < 32; type++)
      for (present = 0; present < 2; present++)
        for (dpl = 0; dpl < 4; dpl++)
          for (rpl = 0; rpl < 4; rpl++) {
            ready();
            u32 expands_down = (type & (S | 8 | 4)) == (S | 4);
            set_descriptor(STACK, 0, expands_down ? 0 : 0xfffff, type | dpl << 5 | present << 7, 0xc);
            tss.ss1 = tss.ss2 = STACK | rpl;
            run_ring(3, call);
            compare("inner stack", outcome(), inner_stack_rule(level));
          }
    ready();
    tss.ss1 = tss.ss2 = 0;
    expect("null", 3, call, raises(VECTOR_TS, 0));
    tss.ss1 = tss.ss2 = BEYOND | level;
    expect("beyond", 3, call, raises(VECTOR_TS, BEYOND));
  }
  verdict("inner-stacks", 2 * (32 * 2 * 4 * 4 + 2));

  /* The TSS must hold the stack's selector: two bytes at 10h. QEMU and Bochs want the four that are its slot. */
  target(CODE_READABLE, 1, 1);
  for (u32 limit = 15; limit < 20; limit += 1 + 2 * (limit == 16)) {
    ready();
    set_descriptor(TASK, (u32)&tss, limit, 0x89, 0);
    __asm__ volatile("ltr %w0" : : "r"(TASK));
    run_ring(3, call);
    compare("tss limit", outcome(), limit < 17 ? raises(VECTOR_TS, TASK) : FAULT_NONE);
  }
  set_descriptor(TASK, (u32)&tss, sizeof tss - 1, 0x89, 0);
  __asm__ volatile("ltr %w0" : : "r"(TASK));
  verdict("inner-stack-outside-tss", 3);

  if (!strict) return;
  /* Room for the frame: the limit of the inner stack, and then of the gate's target. */
  ready();
  set_descriptor(STACK, (u32)inner_stack[1], 0xff, 0xb2, 4);
  tss.ss1 = STACK | 1;
  for (u32 words = 0; words < 6; words++) {
    tss.esp1 = words * 4;
    run_ring(3, call);
    if (words < 4) compare("room", outcome(), raises(VECTOR_SS, STACK));
  }
  verdict("inner-stack-room", 4);
}

/* ---- RET ---- */

#define RETURN(name, push, instruction)                                        \
  static u32 name(void) {                                                      \
    __asm__ volatile(push " %0\n\t" push " %1\n\t" push " %2\n\t" push " %3\n\t" instruction \
                     :                                                         \
                     : "m"(return_ss), "m"(return_esp), "m"(return_cs), "m"(return_eip) \
                     : "memory");                                              \
    return 0;                                                                  \
  }
RETURN(ret_32, "pushl", "lretl")
RETURN(ret_16, "pushw", "lretw")

static u32 outer_stack[64];

static void outer_stacks(void) {
  return_eip = LANDING_OFFSET;
  return_esp = (u32)(outer_stack + 64);
  for (u32 level = 1; level < 4; level++) {
    target(CODE_READABLE, level, 1);
    return_cs = ANY | level;
    for (type = 0; type < 32; type++)
      for (present = 0; present < 2; present++)
        for (dpl = 0; dpl < 4; dpl++)
          for (rpl = 0; rpl < 4; rpl++) {
            u32 expands_down = (type & (S | 8 | 4)) == (S | 4);
            set_descriptor(STACK, 0, expands_down ? 0 : 0xfffff, type | dpl << 5 | present << 7, 0xc);
            return_ss = STACK | rpl;
            ready();
            run_ring(0, ret_32);
            u32 should = rpl != level || dpl != level || !is_writable(type) ? raises(VECTOR_GP, STACK)
                         : present                                          ? FAULT_NONE
                                                                            : strictly(raises(VECTOR_SS, STACK));
            compare("outer stack", outcome(), should);
          }
    return_ss = level;
    expect("null", 0, ret_32, raises(VECTOR_GP, 0));
    return_ss = BEYOND | level;
    expect("beyond", 0, ret_32, raises(VECTOR_GP, BEYOND));
  }
  verdict("outer-stacks", 3 * (32 * 2 * 4 * 4 + 2));
}

static u32 ret_same_8(void) {
  __asm__ volatile(
      "movl %%esp, %0\n\tpushl $2\n\tpushl $1\n\tpushl %1\n\tpushl %2\n\tlretl $8"
      : "=m"(esp_before)
      : "m"(return_cs), "m"(return_eip)
      : "memory");
  return 0;
}
static u32 ret_same_16_6(void) {
  __asm__ volatile(
      "movl %%esp, %0\n\tpushw $3\n\tpushw $2\n\tpushw $1\n\tpushw %1\n\tpushw %2\n\tlretw $6"
      : "=m"(esp_before)
      : "m"(return_cs), "m"(return_eip)
      : "memory");
  return 0;
}
static u32 ret_outer_8(void) { /* the parameters lie between CS and the pointer of the outer stack */
  __asm__ volatile(
      "pushl %0\n\tpushl %1\n\tpushl $2\n\tpushl $1\n\tpushl %2\n\tpushl %3\n\tlretl $8"
      :
      : "m"(return_ss), "m"(return_esp), "m"(return_cs), "m"(return_eip)
      : "memory");
  return 0;
}

static void released(void) {
  return_eip = LANDING_OFFSET;
  return_ss = ring_data[3];
  return_esp = (u32)(outer_stack + 32);
  target(CODE_READABLE, 3, 1);
  return_cs = ANY | 3;
  ready();
  run_ring(0, ret_outer_8);
  equal("ret-n-outer", landed.esp, return_esp + 8);
  equal("ret-n-outer-ss", landed.ss, ring_data[3]);
  run_ring(3, ret_same_8);
  equal("ret-n-same", landed.esp, esp_before);
  run_ring(3, ret_same_16_6);
  equal("ret-n-same-16", landed.esp, esp_before);
  equal("ret-n-landed", landed.count, 3);
}

/* A return outwards takes data segments away that the outer level may not use: all but conforming code of a lower DPL. */
static volatile u32 inner_segment;
static u32 ret_with_segments(void) {
  __asm__ volatile(
      "movw %w0, %%ds\n\tmovw %w0, %%es\n\tmovw %w0, %%fs\n\tmovw %w0, %%gs\n\t"
      "pushl %%ss:return_ss\n\tpushl %%ss:return_esp\n\tpushl %%ss:return_cs\n\tpushl %%ss:return_eip\n\tlretl"
      :
      : "r"(inner_segment)
      : "memory");
  return 0;
}

static void data_segments(void) {
  return_eip = LANDING_OFFSET;
  return_esp = (u32)(outer_stack + 64);
  for (cpl = 0; cpl < 3; cpl++)
    for (rpl = cpl; rpl < 4; rpl++)
      for (type = S; type < 32; type++)
        for (dpl = 0; dpl < 4; dpl++) {
          if (!is_readable(type) || (!is_conforming(type) && dpl < cpl)) continue;
          ready();
          target(CODE_READABLE, rpl, 1);
          return_cs = ANY | rpl;
          return_ss = ring_data[rpl];
          set_descriptor(STACK, 0, 0xfffff, type | dpl << 5 | P, 0xc);
          inner_segment = STACK | cpl;
          run_ring(cpl, ret_with_segments);
          u32 should = is_conforming(type) || dpl >= rpl ? STACK | cpl : 0;
          if (rpl == cpl) should = STACK | cpl;
          compare("landed", landed.count, 1);
          compare("ds", landed.ds, should);
          compare("es", landed.es, should);
          compare("fs", landed.fs, should);
          compare("gs", landed.gs, should);
        }
  equal("data-segments-outwards", wrong, 0);
  check("  combinations", tried > 1500);
  tried = wrong = 0;
}

/* ---- stacks without room ---- */

static volatile u32 small_esp;
#define SMALL_STACK(name, instruction)                                                                \
  static u32 name(void) {                                                                             \
    __asm__ volatile("movw %w0, %%ss\n\tmovl %1, %%esp\n\t" instruction                               \
                     :                                                                                \
                     : "r"(STACK | 3), "m"(small_esp), "m"(far_pointer), "m"(far_pointer_16)          \
                     : "memory");                                                                     \
    return 0;                                                                                         \
  }
SMALL_STACK(small_call, "lcalll *%2")
SMALL_STACK(small_call_16, "lcallw *%3")
SMALL_STACK(small_ret, "lretl")
SMALL_STACK(small_ret_16, "lretw")

static void same_stack_room(void) {
  target(CODE_READABLE, 3, 1);
  aim(ANY | 3, LANDING_OFFSET);
  set_descriptor(STACK, (u32)inner_stack[1], 0xff, 0xf2, 4);
  static const struct {
    const char *name;
    u32 (*function)(void);
    u32 esp;
  } cases[] = {{"call", small_call, 4},      {"call", small_call, 7},       {"call-16", small_call_16, 2},
               {"ret", small_ret, 0xfc},     {"ret", small_ret, 0xfd},      {"ret-16", small_ret_16, 0xfe},
               {"ret", small_ret, 0x100}};
  for (u32 i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    small_esp = cases[i].esp;
    expect(cases[i].name, 3, cases[i].function, raises(VECTOR_SS, 0));
    compare("esp stays", fault.esp, cases[i].esp);
  }
  verdict("same-stack-room", 14);
}

void run(void) {
  strict = has_word("strict");
  extend_gdt();
  __asm__ volatile("lldt %w0" : : "r"(0));
  direct("jmp-far", jump, 0);
  direct("call-far", call, 4);
  direct("jmp-far-16", jump_16, 0);
  direct("call-far-16", call_16, 2);
  direct_errors();
  gates();
  parameter_copies();
  inner_stacks();
  returns("ret-far", ret_32, (u32)(outer_stack + 64));
  verdict("ret-far-errors", 6);
  returns("ret-far-16", ret_16, 0x7000);
  verdict("ret-far-16-errors", 6);
  outer_stacks();
  released();
  data_segments();
  if (strict) same_stack_room();
}
