/* realmode.c: real-address mode, reached from protected mode and left again for each check: interrupts and exceptions by the vector
 * table, limits of 64 KiB, 32-bit operands and addresses, segments that keep the limits of protected mode, far transfers, flags, string
 * instructions, and what does not exist there.
 * SDM vol. 3A ch. 20 (20.1), 9.9; vol. 2, the instructions' real-mode exceptions.
 * Word `strict`: also limits, which QEMU 7.2 does not check. */
#include "guest.h"

#define CODE_16 0x70
#define DATA_16 0x78
#define END 0x60 /* INT 60h ends each piece of code */
#define CODE_AT 0x7c00
#define STACK_SEGMENT 0x2000
#define DATA_SEGMENT 0x3000

struct real {
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi, es, ss, ds, fs, gs;
  u16 start_ip, start_cs;
  u32 unused, eflags, data_selector, stack_selector, vector, ip, cs, flags;
};
static struct real *volatile block = (struct real *)0x600; /* volatile: the compiler takes addresses as low as this for errors */
static u32 *volatile vectors = 0;
#define REAL ((volatile struct real *)block)
#define REAL_BLOB 0x1000

extern char real_blob[], real_blob_end[], real_stubs[], gdtr_again[];
void real_run(void);

/* A piece of 16-bit code, and the offset of the instruction labelled `name_at` in it. */
#define CODE(name, text)                                                                                    \
  __asm__(".text\n.code16\n" #name ":\n\t" text "\n" #name "_end:\n.code32\n");                               \
  extern char name[], name##_end[];
#define AT(name) "\n" #name "_at:\t"
#define OFFSET(name)                    \
  ({                                    \
    extern char name##_at[];            \
    (u32)(name##_at - name);            \
  })

static u8 *const data = (u8 *)(DATA_SEGMENT * 16), *const stack = (u8 *)(STACK_SEGMENT * 16);

static void prepare(void) {
  static u32 once;
  if (!once) {
    once = 1;
    __builtin_memcpy((void *)REAL_BLOB, real_blob, real_blob_end - real_blob);
    struct {
      u16 limit;
      u32 base;
    } __attribute__((packed)) *gdtr = (void *)(REAL_BLOB + (gdtr_again - real_blob));
    gdtr->limit = BEYOND - 1;
    gdtr->base = (u32)gdt;
    set_descriptor(CODE_16, 0, 0xffff, 0x9b, 0);
    set_descriptor(DATA_16, 0, 0xffff, 0x93, 0);
  }
  volatile u32 *ivt = vectors;
  for (u32 i = 0; i < 128; i++) ivt[i] = REAL_BLOB + (real_stubs - real_blob) + i * 8;
  __builtin_memset(block, 0, sizeof *block);
  REAL->esp = 0x1000;
  REAL->ss = STACK_SEGMENT;
  REAL->ds = REAL->es = REAL->fs = REAL->gs = DATA_SEGMENT;
  REAL->eflags = 2;
  REAL->data_selector = REAL->stack_selector = DATA_16;
  REAL->start_cs = CODE_AT >> 4;
  REAL->vector = 0xffff;
}

static void run_code(const char *code, const char *end) {
  u32 bytes = end - code;
  __builtin_memcpy((void *)CODE_AT, code, bytes);
  *(u16 *)(CODE_AT + bytes) = 0xcd | END << 8;
  __builtin_memset((void *)(CODE_AT + bytes + 2), 0x90, 16);
  real_run();
}
#define RUN(name) run_code(name, name##_end)

/* The code ran to its end. */
static int ended(const char *name, u32 bytes) {
  if ((REAL->vector & 0xffff) == END && REAL->ip == bytes + 2) return 1;
  print(name);
  print(": vector ");
  print_decimal(REAL->vector & 0xffff);
  print(" at ");
  print_hex(REAL->ip);
  print("\n");
  return 0;
}
#define ENDED(name) check(#name, ended(#name, name##_end - name))

/* An exception of this vector, with the address of the instruction and no error code: six bytes of stack. */
static void excepted(const char *name, u32 vector, u32 ip) {
  if (REAL->vector == vector && REAL->ip == ip && REAL->cs == CODE_AT >> 4 && (REAL->esp & 0xffff) == 0x1000) {
    check(name, 1);
    return;
  }
  check(name, 0);
  print("  vector ");
  print_decimal(REAL->vector);
  print(" at ");
  print_hex(REAL->ip);
  print(" instead of ");
  print_decimal(vector);
  print(" at ");
  print_hex(ip);
  print(", sp ");
  print_hex(REAL->esp);
  print("\n");
}
#define EXCEPTED(name, vector) excepted(#name, vector, OFFSET(name))

/* ---- interrupts ---- */

CODE(int_iret,
     "movw $0x61, %bp\n\tint $0x61\n\tmovw %bx, %dx\n\tpushfw\n\tpopw %cx\n\tjmp 2f\n"
     "int_iret_at:\tpushfw\n\tpopw %bx\n\tmovw %sp, %si\n\tmovw %ss:4(%si), %ax\n\tiretw\n2:")
CODE(into_taken, "movb $0x7f, %al\n\taddb $1, %al\n\tinto" AT(into_taken) "nop")
CODE(int3_taken, "int3" AT(int3_taken) "nop")
CODE(bound_taken, "movw $5, %ax\n\tmovw $1, 0x10\n\tmovw $4, 0x12" AT(bound_taken) "boundw %ax, 0x10")
CODE(divide, "xorw %cx, %cx\n\tmovw $1, %ax" AT(divide) "divw %cx")
CODE(divide_prefixed, "xorl %ecx, %ecx" AT(divide_prefixed) "cs divl %ecx")
CODE(not_available, "smsww %ax\n\torw $8, %ax\n\tlmsw %ax" AT(not_available) "fnop")
CODE(clear_ts, "clts")
CODE(single_step, "pushfw\n\torb $1, %ss:0xfff\n\tpopfw\n\tnop" AT(single_step) "nop")
CODE(short_idt, "movw $0x187, 0x20\n\tmovl $0, 0x22\n\tlidtl 0x20" AT(short_idt) "int $0x62")
CODE(short_idt_in, "movw $0x187, 0x20\n\tmovl $0, 0x22\n\tlidtl 0x20")
CODE(moved_idt, "movw $0x3ff, 0x20\n\tmovl $0x38000, 0x22\n\tlidtl 0x20\n\tint $0x63" AT(moved_idt) "nop")

static void interrupts(void) {
  volatile u32 *ivt = vectors;
  prepare();
  ivt[0x61] = (CODE_AT >> 4) << 16 | OFFSET(int_iret);
  REAL->eflags = 0x202 | 0x40000; /* the PIC is masked */
  RUN(int_iret);
  ENDED(int_iret);
  equal("int-clears-if-tf", REAL->edx & 0x300, 0);
  equal("int-saves-if", REAL->eax & 0x200, 0x200);
  equal("iret-restores-if", REAL->ecx & 0x200, 0x200);
  equal("iret-sp", REAL->esp & 0xffff, 0x1000);
  prepare();
  RUN(into_taken);
  EXCEPTED(into_taken, VECTOR_OF);
  prepare();
  RUN(int3_taken);
  EXCEPTED(int3_taken, VECTOR_BP);
  prepare();
  RUN(bound_taken);
  EXCEPTED(bound_taken, VECTOR_BR);
  prepare();
  RUN(divide);
  EXCEPTED(divide, VECTOR_DE);
  prepare();
  RUN(divide_prefixed);
  EXCEPTED(divide_prefixed, VECTOR_DE);
  prepare();
  RUN(not_available);
  EXCEPTED(not_available, VECTOR_NM);
  RUN(clear_ts);
  equal("clts", read_cr0() & 8, 0);
  prepare();
  RUN(single_step);
  EXCEPTED(single_step, VECTOR_DB);
  prepare();
  RUN(short_idt_in); /* vector 61h ends at 187h */
  ENDED(short_idt_in);
  prepare();
  RUN(short_idt);
  EXCEPTED(short_idt, VECTOR_GP);
  prepare();
  ((volatile u32 *)0x38000)[0x63] = ivt[0x21];
  RUN(moved_idt);
  EXCEPTED(moved_idt, 0x21);
}

/* ---- operands and addresses ---- */

CODE(wide_operands, "movl $0x12345678, %eax\n\taddl $0x11111111, %eax\n\tpushl %eax\n\tpopw %cx\n\tpopw %dx\n\tmovzwl %dx, %ebx")
CODE(wide_address, "movl $0x1234, %eax\n\tmovl $2, %ebx\n\tmovw $0xabcd, 0x123c\n\taddr32 movw 4(%eax,%ebx,2), %cx")
CODE(narrow_wrap, "movw $0xffff, %bx\n\tmovw $3, %si\n\tmovb $0x5a, 2\n\tmovb (%bx,%si), %al")
CODE(displacement_wrap, "movw $0x8000, %bx\n\tmovb $0x5b, 0x10\n\tmovb -0x7ff0(%bx), %al")
CODE(xlat_wrap, "movw $0xfff0, %bx\n\tmovb $0x5c, 0xf\n\tmovb $0x1f, %al\n\txlatb")
CODE(push_wrap, "movw $0, %sp\n\tpushw $0x1234\n\tmovw %sp, %ax\n\tpopw %cx\n\tmovw %sp, %dx\n\tmovw $0x1000, %sp")
CODE(ebp_narrow, "movl $0x10000002, %ebp\n\tmovw $0x7777, %ss:2\n\tmovw (%bp), %ax")
CODE(enter_leave, "movl $0xdead4444, %ebp\n\tenter $16, $0\n\tmovw %sp, %ax\n\tmovw %bp, %cx\n\tleave\n\tmovw %sp, %dx")
CODE(lea_wrap, "movl $0xffff, %ebx\n\tmovl $-1, %eax\n\tleaw 2(%bx), %ax\n\tmovl $-1, %ecx\n\tleal 2(%bx), %ecx")
CODE(loop_narrow, "movl $0x10002, %ecx\n\txorw %ax, %ax\n1:\tincw %ax\n\tloop 1b")
CODE(loop_wide, "movl $2, %ecx\n\txorw %ax, %ax\n1:\tincw %ax\n\taddr32 loop 1b\n\tmovl $0x10000, %ecx\n\tjecxz 2f\n\torw $0x100, %ax\n2:\tjcxz 3f\n\torw $0x200, %ax\n3:")
CODE(segments_any, "movw $0xffff, %ax\n\tmovw %ax, %fs\n\tmovw %fs:0x10, %bx\n\tmovw $0, %ax\n\tmovw %ax, %gs\n\tmovw %gs:0x602, %cx")
CODE(far_pointers, "movw $0x1111, 0x40\n\tmovw $0x2222, 0x42\n\tles 0x40, %di\n\tlfs 0x40, %si\n\tlgs 0x40, %bx")
CODE(mov_cs, "movw $0x7c0, %ax" AT(mov_cs) ".byte 0x8e, 0xc8")

static void operands(void) {
  prepare();
  RUN(wide_operands);
  ENDED(wide_operands);
  equal("wide-operands-low", REAL->ecx & 0xffff, 0x6789);
  equal("wide-operands-high", REAL->ebx, 0x2345);
  prepare();
  RUN(wide_address);
  equal("wide-address", REAL->ecx & 0xffff, 0xabcd);
  prepare();
  RUN(narrow_wrap);
  equal("narrow-wrap", REAL->eax & 0xff, 0x5a);
  prepare();
  RUN(displacement_wrap);
  equal("displacement-wrap", REAL->eax & 0xff, 0x5b);
  prepare();
  RUN(xlat_wrap);
  equal("xlat-wrap", REAL->eax & 0xff, 0x5c);
  prepare();
  RUN(push_wrap);
  ENDED(push_wrap);
  equal("push-wrap", REAL->eax & 0xffff, 0xfffe);
  equal("push-wrap-memory", *(u16 *)(stack + 0xfffe), 0x1234);
  equal("pop-wrap", (REAL->ecx & 0xffff) << 16 | (REAL->edx & 0xffff), 0x12340000);
  prepare();
  RUN(ebp_narrow);
  equal("bp-address", REAL->eax & 0xffff, 0x7777);
  prepare();
  RUN(enter_leave);
  equal("enter", (REAL->eax & 0xffff) << 16 | (REAL->ecx & 0xffff), 0x0fee0ffe);
  equal("leave-sp", REAL->edx & 0xffff, 0x1000);
  equal("leave-ebp", REAL->ebp, 0xdead4444);
  prepare();
  RUN(lea_wrap);
  equal("lea-16", REAL->eax, 0xffff0001);
  equal("lea-16-to-32", REAL->ecx, 1);
  prepare();
  RUN(loop_narrow);
  equal("loop", REAL->eax & 0xffff, 2);
  equal("loop-keeps-high", REAL->ecx, 0x10000);
  prepare();
  RUN(loop_wide);
  equal("loop-jcxz-wide", REAL->eax & 0xffff, 0x102);
  prepare();
  *(u16 *)0x100000 = *(u16 *)0x100000; /* FFFF:0010 is 100000h: the guest's first word */
  REAL->edx = 0xcafe;
  RUN(segments_any);
  ENDED(segments_any);
  equal("high-memory-area", REAL->ebx & 0xffff, *(u16 *)0x100000);
  equal("segment-0", REAL->gs & 0xffff, 0);
  prepare();
  RUN(far_pointers);
  equal("les", (REAL->es & 0xffff) << 16 | (REAL->edi & 0xffff), 0x22221111);
  equal("lfs", (REAL->fs & 0xffff) << 16 | (REAL->esi & 0xffff), 0x22221111);
  equal("lgs", (REAL->gs & 0xffff) << 16 | (REAL->ebx & 0xffff), 0x22221111);
  prepare();
  RUN(mov_cs);
  EXCEPTED(mov_cs, VECTOR_UD);
}

/* ---- limits ---- */

CODE(limit_word, AT(limit_word) "movw 0xffff, %ax")
CODE(limit_dword, AT(limit_dword) "movl 0xfffd, %eax")
CODE(limit_last, "movl 0xfffc, %eax\n\tmovw 0xfffe, %ax\n\tmovb 0xffff, %al")
CODE(limit_address, "movl $0x10000, %ebx" AT(limit_address) "addr32 movb (%ebx), %al")
CODE(limit_stack, AT(limit_stack) "movw %ss:0xffff, %ax")
CODE(limit_bp, "movw $0xffff, %bp" AT(limit_bp) "movw (%bp), %ax")
CODE(limit_pop, "movw $0xffff, %sp\n\tmovw $0, %cx" AT(limit_pop) "popw %ax")
CODE(limit_write, AT(limit_write) "movw %ax, %es:0xffff")
CODE(jump_wide, AT(jump_wide) ".byte 0x66, 0xe9\n\t.long 0x10000 - 6")
CODE(jump_far_wide, AT(jump_far_wide) "ljmpl $0x7c0, $0x10000")
CODE(call_far_wide, AT(call_far_wide) "lcalll $0x7c0, $0x10000")
CODE(ret_far_wide, "pushl $0x7c0\n\tpushl $0x10000" AT(ret_far_wide) "lretl")
CODE(iret_wide, "pushl $2\n\tpushl $0x7c0\n\tpushl $0x10000" AT(iret_wide) "iretl")
CODE(jump_register_wide, "movl $0x10000, %eax" AT(jump_register_wide) ".byte 0x66, 0xff, 0xe0")
CODE(call_wide, AT(call_wide) ".byte 0x66, 0xe8\n\t.long 0x10000 - 6")
CODE(lods_limit, "movw $0xfff9, %si\n\tmovw $3, %cx" AT(lods_limit) "rep lodsl")
CODE(stos_limit, "movw $0xfffb, %di\n\tmovw $8, %cx" AT(stos_limit) "rep stosw")

static void limits(void) {
  /* Where execution gets to if limits are not looked at. */
  static const u8 strayed[] = {0xcd, END, 0xcd, END};
  __builtin_memcpy((void *)(CODE_AT + 0x10000), strayed, sizeof strayed);
  __builtin_memcpy(stack, strayed, sizeof strayed);
#define LIMIT(name, vector, sp)                                     \
  do {                                                              \
    prepare();                                                      \
    RUN(name);                                                      \
    REAL->esp -= (sp);                                              \
    EXCEPTED(name, vector);                                         \
  } while (0)
  LIMIT(limit_word, VECTOR_GP, 0);
  LIMIT(limit_dword, VECTOR_GP, 0);
  LIMIT(limit_address, VECTOR_GP, 0);
  LIMIT(limit_stack, VECTOR_SS, 0);
  LIMIT(limit_bp, VECTOR_SS, 0);
  LIMIT(limit_pop, VECTOR_SS, 0xffff - 0x1000);
  LIMIT(limit_write, VECTOR_GP, 0);
  LIMIT(jump_far_wide, VECTOR_GP, 0);
  LIMIT(call_far_wide, VECTOR_GP, 0);
  LIMIT(ret_far_wide, VECTOR_GP, -8);
  LIMIT(iret_wide, VECTOR_GP, -12);
  LIMIT(jump_wide, VECTOR_GP, 0);
  LIMIT(jump_register_wide, VECTOR_GP, 0);
  LIMIT(call_wide, VECTOR_GP, 0);
  LIMIT(lods_limit, VECTOR_GP, 0);
  equal("lods-limit-si", REAL->esi & 0xffff, 0xfffd);
  equal("lods-limit-cx", REAL->ecx & 0xffff, 2);
  LIMIT(stos_limit, VECTOR_GP, 0);
  equal("stos-limit-di", REAL->edi & 0xffff, 0xffff);
  equal("stos-limit-cx", REAL->ecx & 0xffff, 6);
  prepare();
  RUN(limit_last);
  ENDED(limit_last);

  /* Execution that goes beyond FFFFh: behind it, IP is 0 in 16 bits; and an instruction that lies across it. */
  for (u32 i = 0; i < 2; i++) {
    prepare();
    *(u8 *)0x1ffff = i ? 0xb8 : 0x90; /* mov $..., %ax; nop */
    REAL->start_cs = 0x1000;
    REAL->start_ip = 0xffff;
    real_run();
    equal(i ? "run-across" : "run-off", REAL->vector << 16 | REAL->ip, VECTOR_GP << 16 | (i ? 0xffff : 0));
  }
}

/* ---- string instructions ---- */

CODE(movs_wrap, "movw $0xfffe, %si\n\tmovw $0x100, %di\n\tmovw $4, %cx\n\trep movsb")
CODE(movs_down, "movw $1, %si\n\tmovw $0x101, %di\n\tmovw $4, %cx\n\tstd\n\trep movsb\n\tcld")
CODE(movs_wide, "movl $0x20, %esi\n\tmovl $0x200, %edi\n\tmovl $2, %ecx\n\taddr32 rep movsl")
CODE(stos_narrow_count, "movl $0x10002, %ecx\n\tmovl $0xabcd0300, %edi\n\tmovb $0x77, %al\n\trep stosb")
CODE(cmps_narrow, "movl $0x90000020, %esi\n\tmovl $0x90000024, %edi\n\tmovw $10, %cx\n\trepe cmpsb")

static void strings(void) {
  prepare();
  for (u32 i = 0; i < 0x40; i++) data[i] = i;
  data[0xfffe] = 0xfe;
  data[0xffff] = 0xff;
  RUN(movs_wrap);
  equal("movs-wrap", *(u32 *)(data + 0x100), 0x0100fffe);
  equal("movs-wrap-si", REAL->esi & 0xffff, 2);
  prepare();
  RUN(movs_down);
  equal("movs-down", *(u32 *)(data + 0xfe), 0x0100fffe);
  equal("movs-down-si", REAL->esi & 0xffff, 0xfffd);
  prepare();
  RUN(movs_wide);
  equal("movs-wide", *(u32 *)(data + 0x204), 0x27262524);
  equal("movs-wide-ecx", REAL->ecx, 0);
  prepare();
  RUN(stos_narrow_count);
  equal("stos-count", REAL->ecx, 0x10000);
  equal("stos-edi", REAL->edi, 0xabcd0302);
  equal("stos-memory", *(u16 *)(data + 0x300), 0x7777);
  prepare();
  __builtin_memset(data + 0x20, 1, 8);
  data[0x26] = 9;
  RUN(cmps_narrow);
  equal("cmps-esi", REAL->esi, 0x90000023);
  equal("cmps-cx", REAL->ecx & 0xffff, 7);
}

/* ---- transfers and flags ---- */

CODE(jump_far, "ljmpw $0x7c1, $jump_far_at - jump_far - 0x10\n\t.skip 14, 0xf4" AT(jump_far) "movw %cs, %ax\n\tljmpw $0x7c0, $1f - jump_far\n1:")
CODE(call_far, "lcallw $0x7c0, $call_far_at - call_far\n\tjmp 1f" AT(call_far) "movw %sp, %si\n\tmovw %ss:(%si), %ax\n\tmovw %ss:2(%si), %cx\n\tlretw\n1:")
CODE(call_far_32, "lcalll $0x7c0, $call_far_32_at - call_far_32\n\tjmp 1f" AT(call_far_32) "movw %sp, %ax\n\tlretl\n1:\tmovw %sp, %cx")
CODE(call_far_memory, "movw $call_far_memory_at - call_far_memory, 0x50\n\tmovw $0x7c0, 0x52\n\tpushw $1\n\tpushw $2\n\tlcallw *0x50\n\tjmp 1f" AT(call_far_memory) "lretw $4\n1:")
CODE(near_wrap, "jmp 2f\n1:\tmovw $7, %ax\n\tjmp 3f\n2:\tmovl $0x10000 + 1b - near_wrap, %ebx\n\tjmpw *%bx\n3:")
CODE(iret_32, "pushl $0x247ed7\n\tpushl $0x7c0\n\tpushl $iret_32_at - iret_32\n\tiretl" AT(iret_32) "pushfl\n\tpopl %eax\n\tpushl $2\n\tpopfl")
CODE(popf_16, "pushl $0x240000\n\tpopfl\n\tpushw $0x7cd7\n\tpopfw\n\tpushfl\n\tpopl %eax\n\tpushl $2\n\tpopfl")
CODE(popf_32, "pushl $0x247cd7\n\tpopfl\n\tpushfl\n\tpopl %eax\n\tpushl $2\n\tpopfl\n\tpushfl\n\tpopl %ecx")
CODE(popf_vm_rf, "pushl $0x30002\n\tpopfl\n\tpushfl\n\tpopl %eax")

static void transfers(void) {
  prepare();
  RUN(jump_far);
  ENDED(jump_far);
  equal("jump-far-cs", REAL->eax & 0xffff, 0x7c1);
  prepare();
  RUN(call_far);
  ENDED(call_far);
  equal("call-far-frame", (REAL->ecx & 0xffff) << 16 | (REAL->eax & 0xffff), 0x7c00005);
  prepare();
  RUN(call_far_32);
  ENDED(call_far_32);
  equal("call-far-32-frame", (REAL->ecx & 0xffff) << 16 | (REAL->eax & 0xffff), 0x10000ff8);
  prepare();
  RUN(call_far_memory);
  ENDED(call_far_memory);
  equal("ret-far-n", REAL->esp & 0xffff, 0x1000);
  prepare();
  RUN(near_wrap);
  ENDED(near_wrap);
  equal("near-16", REAL->eax & 0xffff, 7);
  prepare();
  RUN(iret_32);
  ENDED(iret_32);
  equal("iret-32-flags", REAL->eax, 0x247ed7);
  prepare();
  RUN(popf_16);
  equal("popf-16-flags", REAL->eax, 0x247cd7);
  prepare();
  RUN(popf_32);
  equal("popf-32-flags", REAL->eax, 0x247cd7);
  equal("popf-32-clears", REAL->ecx, 2);
  prepare();
  RUN(popf_vm_rf);
  equal("popf-32-vm-rf", REAL->eax, 2);
}

/* ---- what does not exist, and what is allowed ---- */

#define UD_CODE(name, text) CODE(name, AT(name) text)
UD_CODE(ud_arpl, ".byte 0x63, 0xc0")
UD_CODE(ud_lar, "larw %ax, %ax")
UD_CODE(ud_lsl, "lslw %ax, %ax")
UD_CODE(ud_sldt, "sldtw %ax")
UD_CODE(ud_str, "strw %ax")
UD_CODE(ud_lldt, "lldtw %ax")
UD_CODE(ud_ltr, "ltrw %ax")
UD_CODE(ud_verr, "verrw %ax")
UD_CODE(ud_verw, "verww %ax")
UD_CODE(ud_lock, ".byte 0xf0, 0x90")
UD_CODE(ud_0f, ".byte 0x0f, 0x0b")
UD_CODE(gp_sysenter, "sysenter")
UD_CODE(gp_length, ".fill 15, 1, 0x26\n\tnop")
CODE(privileged,
     "movl %cr0, %eax\n\tmovl %eax, %cr0\n\tmovl %cr3, %ecx\n\tmovl %ecx, %cr3\n\tmovl %dr7, %edx\n\tmovl %edx, %dr7\n\t"
     "sgdtl 0x60\n\tlgdtl 0x60\n\tcli\n\tsti\n\tcli\n\tinvlpg 0\n\twbinvd\n\tmovl $0x10, %ecx\n\trdmsr\n\tsmsww %bx\n\tinb $0x61, %al")
CODE(length_15, ".fill 14, 1, 0x26\n\tnop")

static void existence(void) {
#define UNDEFINED(name)          \
  do {                           \
    prepare();                   \
    RUN(name);                   \
    EXCEPTED(name, VECTOR_UD);   \
  } while (0)
  UNDEFINED(ud_arpl);
  UNDEFINED(ud_lar);
  UNDEFINED(ud_lsl);
  UNDEFINED(ud_sldt);
  UNDEFINED(ud_str);
  UNDEFINED(ud_lldt);
  UNDEFINED(ud_ltr);
  UNDEFINED(ud_verr);
  UNDEFINED(ud_verw);
  UNDEFINED(ud_lock);
  UNDEFINED(ud_0f);
  prepare();
  RUN(gp_sysenter);
  EXCEPTED(gp_sysenter, VECTOR_GP);
  prepare();
  RUN(gp_length);
  EXCEPTED(gp_length, VECTOR_GP);
  prepare();
  RUN(length_15);
  ENDED(length_15);
  prepare();
  RUN(privileged);
  ENDED(privileged);
  equal("smsw-pe", REAL->ebx & 1, 0);
}

/* ---- limits of protected mode ---- */

CODE(big_read, "movl $0x800000 - 0x30000, %ebx\n\taddr32 movl (%ebx), %eax")
CODE(big_reload, "movw $0x4000, %ax\n\tmovw %ax, %ds\n\tmovl $0x800000 - 0x40000, %ebx\n\taddr32 movl (%ebx), %eax")
CODE(big_write, "movl $0x800010 - 0x30000, %edi\n\tmovl $0x13572468, %eax\n\taddr32 stosl")
CODE(big_pop, "pushw $0x5000\n\tpopw %gs\n\tmovl $0x800000 - 0x50000, %ebx\n\taddr32 movl %gs:(%ebx), %eax")
CODE(small_limit, AT(small_limit) "movb 0x1000, %al")
CODE(small_limit_last, "movb 0xfff, %al\n\tmovw $0x4000, %ax\n\tmovw %ax, %ds" AT(small_limit_last) "movb 0x1000, %al")

static void kept_limits(void) {
  *(volatile u32 *)0x800000 = 0x24681357;
  prepare();
  REAL->data_selector = KERNEL_DATA;
  RUN(big_read);
  ENDED(big_read);
  equal("big-read-value", REAL->eax, 0x24681357);
  prepare();
  REAL->data_selector = KERNEL_DATA;
  RUN(big_reload);
  ENDED(big_reload);
  equal("big-reload-value", REAL->eax, 0x24681357);
  prepare();
  REAL->data_selector = KERNEL_DATA;
  RUN(big_write);
  ENDED(big_write);
  equal("big-write-value", *(volatile u32 *)0x800010, 0x13572468);
  prepare();
  REAL->data_selector = KERNEL_DATA;
  RUN(big_pop);
  equal("big-pop-value", REAL->eax, 0x24681357);
  if (!has_word("strict")) return;
  set_descriptor(SPARE, 0, 0xfff, 0x93, 0);
  prepare();
  REAL->data_selector = SPARE;
  RUN(small_limit);
  EXCEPTED(small_limit, VECTOR_GP);
  prepare();
  REAL->data_selector = SPARE;
  RUN(small_limit_last);
  EXCEPTED(small_limit_last, VECTOR_GP);
}

void run(void) {
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  extend_gdt();
  interrupts();
  operands();
  strings();
  transfers();
  existence();
  kept_limits();
  if (has_word("strict")) limits();
}
