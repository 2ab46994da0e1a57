/* fpu.c: the x87, MMX and SSE as a kernel sees them: who may use them (CR0.EM, TS, MP; CR4.OSFXSR), #MF and its pointers, FSAVE and
 * FXSAVE images, SIMD floating-point exceptions, and floating-point errors by FERR# and IRQ 13 with CR0.NE clear.
 * SDM vol. 1 8.1, 8.6, 8.7, 11.5 and appendix D; vol. 3A 2.5, ch. 13; 82371AB datasheet (port F0h).
 * Word `strict` on the command line: also what QEMU 7.2 does not do (README.md); FERR# is among it, which makes QEMU 7.2 abort.
 * Word `freeze`: no checks, but an error that no interrupt can answer.
 * Word `native`: CR0.NE is 1 whatever is written to it, as in VMX operation; errors are #MF then. */
#include "guest.h"

#define VECTOR_MF 16
#define VECTOR_XM 19
#define CR0_MP 2u
#define CR0_EM 4u
#define CR0_TS 8u
#define CR0_NE 0x20u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u

#define FCW_DEFAULT 0x37f
#define FCW_ZERO_DIVIDE 0x37b /* the zero divide not masked */
#define FSW_IE 1u
#define FSW_ZE 4u
#define FSW_ERROR 0x8080u /* ES and B */
#define MXCSR_DEFAULT 0x1f80u

#define ERROR_IRQ (IRQ + 13)
#define COPROCESSOR_ERROR 0xf0

static int strict;
static u8 image[512 + 16] __attribute__((aligned(16)));

static u16 status_word(void) {
  u16 value;
  __asm__ volatile("fnstsw %0" : "=a"(value));
  return value;
}
static u16 control_word(void) {
  u16 value;
  __asm__ volatile("fnstcw %0" : "=m"(value));
  return value;
}
static void load_control(u16 value) { __asm__ volatile("fldcw %0" : : "m"(value)); }
static void load_mxcsr(u32 value) { __asm__ volatile("ldmxcsr %0" : : "m"(value)); }
static u32 mxcsr(void) {
  u32 value;
  __asm__ volatile("stmxcsr %0" : "=m"(value));
  return value;
}
static u32 image32(u32 offset) { return *(volatile u32 *)(image + offset); }
static u16 image16(u32 offset) { return *(volatile u16 *)(image + offset); }

static void fresh(void) {
  write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
  write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
  __asm__ volatile("fninit");
  load_mxcsr(MXCSR_DEFAULT);
}

/* ---- who may use them ---- */

#define TRY(code) \
  PROBE(code, "r"(image)); \
  got = fault.vector == FAULT_NONE ? 0 : fault.vector + 1

/* Vectors plus one, a byte each, in the order x87, WAIT, FNINIT, MMX; and SSE, FXSAVE, STMXCSR, MOVNTQ. */
static u32 x87_use(void) {
  u32 got, all;
  TRY("fnop");
  all = got;
  TRY("fwait");
  all |= got << 8;
  TRY("fninit");
  all |= got << 16;
  TRY("paddb %%mm0, %%mm0\n\temms");
  return all | got << 24;
}
static u32 sse_use(void) {
  u32 got, all;
  TRY("xorps %%xmm0, %%xmm0");
  all = got;
  TRY("fxsave (%0)");
  all |= got << 8;
  TRY("stmxcsr (%0)");
  all |= got << 16;
  TRY("movntq %%mm0, (%0)\n\temms");
  return all | got << 24;
}
#define EACH(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define NM (VECTOR_NM + 1)
#define UD (VECTOR_UD + 1)

static void controls(void) {
  static const struct {
    const char *x87, *sse;
    u32 cr0, x87_expected, sse_expected;
  } cases[] = {
      {"x87-usable", "sse-usable", CR0_MP, EACH(0, 0, 0, 0), EACH(0, 0, 0, 0)},
      {"x87-ts", "sse-ts", CR0_TS, EACH(NM, 0, NM, NM), EACH(NM, NM, NM, NM)},
      {"x87-ts-mp", "sse-ts-mp", CR0_TS | CR0_MP, EACH(NM, NM, NM, NM), EACH(NM, NM, NM, NM)},
      {"x87-em", "sse-em", CR0_EM, EACH(NM, 0, NM, UD), EACH(UD, NM, UD, UD)},
      {"x87-em-mp", "sse-em-mp", CR0_EM | CR0_MP, EACH(NM, 0, NM, UD), EACH(UD, NM, UD, UD)},
      {"x87-em-ts", "sse-em-ts", CR0_EM | CR0_TS, EACH(NM, 0, NM, UD), EACH(UD, NM, UD, UD)},
      {"x87-em-ts-mp", "sse-em-ts-mp", CR0_EM | CR0_TS | CR0_MP, EACH(NM, NM, NM, UD), EACH(UD, NM, UD, UD)},
  };
  for (u32 i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (!strict && (cases[i].cr0 & (CR0_EM | CR0_TS)) == (CR0_EM | CR0_TS)) continue;
    fresh();
    write_cr0((read_cr0() & ~CR0_MP) | cases[i].cr0);
    u32 x87 = x87_use(), sse = sse_use();
    fresh();
    equal(cases[i].x87, x87, cases[i].x87_expected);
    equal(cases[i].sse, sse, cases[i].sse_expected);
  }
  write_cr4(read_cr4() & ~CR4_OSFXSR);
  u32 x87 = x87_use(), sse = sse_use();
  fresh();
  equal("x87-no-osfxsr", x87, EACH(0, 0, 0, 0));
  equal("sse-no-osfxsr", sse, EACH(UD, 0, UD, 0));
}

/* ---- #MF ---- */

extern char divides[];

/* 1 / 0 with the zero divide not masked: pending afterwards. */
static __attribute__((noinline, noclone)) void leave_error(void) {
  __asm__ volatile("fninit");
  load_control(FCW_ZERO_DIVIDE);
  __asm__ volatile("fld1\n\tfldz\n.globl divides\ndivides:\n\tfdivr %st(1), %st");
}

static void native_error(void) {
  fresh();
  leave_error();
  equal("pending-status", status_word() & (FSW_ERROR | FSW_ZE), FSW_ERROR | FSW_ZE);
  equal("control-word", control_word(), FCW_ZERO_DIVIDE);
  PROBE("fwait");
  faulted("mf", VECTOR_MF, 0);
  equal("mf-is-a-fault", *(volatile u8 *)fault.eip, 0x9b);
  __asm__ volatile("fnstenv %0" : "=m"(image));
  if (strict) {
    equal("mf-pointer", image32(12), (u32)divides);
    equal("mf-selector", image32(16) & 0xffff, KERNEL_CODE);
    equal("fnstenv-masks", control_word(), FCW_DEFAULT);
    equal("fnstenv-keeps-flags", status_word() & (FSW_ERROR | FSW_ZE), FSW_ZE);
  }
  __asm__ volatile("fnclex");
  PROBE("fwait");
  equal("fnclex", fault.vector, FAULT_NONE);
  if (!strict) return;
  fresh();
  leave_error();
  PROBE("fld1");
  faulted("mf-x87", VECTOR_MF, 0);
  PROBE("paddb %%mm0, %%mm0", "i"(0));
  faulted("mf-mmx", VECTOR_MF, 0);
  PROBE("fldcw %0", "m"(image));
  faulted("mf-fldcw", VECTOR_MF, 0);
  equal("mf-operands-stay", status_word() & 0x3800, 6 << 11);
  PROBE("addps %%xmm0, %%xmm0", "i"(0));
  equal("mf-not-for-sse", fault.vector, FAULT_NONE);
  PROBE("fxsave %0", "m"(image));
  equal("mf-not-for-fxsave", fault.vector, FAULT_NONE);
  __asm__ volatile("fninit");
}

/* ---- images ---- */

static void images(void) {
  fresh();
  __asm__ volatile("fld1\n\tfldz");
  __asm__ volatile("fnsave %0" : "=m"(image));
  equal("fnsave-control", image16(0), FCW_DEFAULT);
  equal("fnsave-status", image16(4), 6 << 11);
  equal("fnsave-tags", image16(8), 0x1fff);
  equal("fnsave-st0", image16(28 + 8), 0);
  equal("fnsave-st1", image16(38 + 8), 0x3fff);
  equal("fnsave-initializes", status_word() << 16 | control_word(), FCW_DEFAULT);
  __asm__ volatile("frstor %0" : : "m"(image));
  equal("frstor", status_word(), 6 << 11);

  for (u32 i = 0; i < sizeof image; i++) image[i] = 0xa5;
  static const u32 ones[4] = {0x3f800000, 0x40000000, 0x40400000, 0x40800000};
  __asm__ volatile("movups %0, %%xmm3" : : "m"(ones));
  __asm__ volatile("fxsave (%0)" : : "r"(image) : "memory");
  equal("fxsave-control", image16(0), FCW_DEFAULT);
  equal("fxsave-status", image16(2), 6 << 11);
  equal("fxsave-tags", image[4], 0xc0);
  equal("fxsave-mxcsr", image32(24), MXCSR_DEFAULT);
  equal("fxsave-mask", image32(28) & 0xffbf, 0xffbf);
  equal("fxsave-st1", image16(48 + 8), 0x3fff);
  equal("fxsave-xmm", image32(160 + 3 * 16 + 12), 0x40800000);
  PROBE("fxsave 8(%0)", "r"(image));
  faulted("fxsave-alignment", VECTOR_GP, 0);

  *(volatile u32 *)(image + 24) = 0x10000 | MXCSR_DEFAULT;
  __asm__ volatile("fninit");
  if (strict) {
    PROBE("fxrstor (%0)", "r"(image));
    faulted("fxrstor-reserved", VECTOR_GP, 0);
    equal("fxrstor-changed-nothing", status_word(), 0);
  }
  *(volatile u32 *)(image + 24) = MXCSR_DEFAULT | 0x6000;
  __asm__ volatile("xorps %%xmm3, %%xmm3\n\tfxrstor (%0)" : : "r"(image) : "memory");
  u32 last[4];
  __asm__ volatile("movups %%xmm3, %0" : "=m"(last));
  equal("fxrstor-xmm", last[3], 0x40800000);
  equal("fxrstor-mxcsr", mxcsr(), MXCSR_DEFAULT | 0x6000);
  equal("fxrstor-status", status_word(), 6 << 11);

  fresh();
  __asm__ volatile("fld1\n\tmovq %0, %%mm5\n\tfnsave %1" : : "m"(ones), "m"(image) : "memory");
  equal("mmx-top", image16(4) & 0x3800, 0);
  if (strict) equal("mmx-exponent", image16(28 + 50 + 8), 0xffff);
  equal("mmx-value", image32(28 + 50), ones[0]);
  __asm__ volatile("movq %0, %%mm5\n\temms\n\tfnstenv %1" : : "m"(ones), "m"(image) : "memory");
  equal("emms", image16(8), 0xffff);
}

/* ---- SIMD floating-point exceptions ---- */

static const float vectors[8] __attribute__((aligned(16))) = {1, 1, 1, 1, 0, 0, 0, 0};

static void simd(void) {
  fresh();
  if (strict) {
    PROBE("ldmxcsr %0", "m"((u32){0x10000}));
    faulted("ldmxcsr-reserved", VECTOR_GP, 0);
  }
  __asm__ volatile("movaps %0, %%xmm0\n\tdivps %1, %%xmm0" : : "m"(vectors[0]), "m"(vectors[4]));
  equal("simd-masked", mxcsr(), MXCSR_DEFAULT | FSW_ZE);
  PROBE("movaps %0, %%xmm0", "m"(*(const char *)((const char *)vectors + 4)));
  faulted("simd-alignment", VECTOR_GP, 0);
  PROBE("movups %0, %%xmm0", "m"(*(const char *)((const char *)vectors + 4)));
  equal("simd-unaligned", fault.vector, FAULT_NONE);
  if (!strict) return;
  load_mxcsr(MXCSR_DEFAULT & ~(FSW_ZE << 7));
  __asm__ volatile("movaps %0, %%xmm0" : : "m"(vectors[0]));
  PROBE("divps %0, %%xmm0", "m"(vectors[4]));
  faulted("xm", VECTOR_XM, 0);
  equal("xm-is-a-fault", *(volatile u8 *)fault.eip, 0x0f);
  equal("xm-flags", mxcsr() & 0x3f, FSW_ZE);
  float after[4];
  __asm__ volatile("movups %%xmm0, %0" : "=m"(after));
  equal("xm-destination-stays", *(volatile u32 *)after, 0x3f800000);
  PROBE("movaps %0, %%xmm0\n\taddps %%xmm0, %%xmm0", "m"(vectors[0]));
  equal("xm-is-not-sticky", fault.vector, FAULT_NONE);
  write_cr4(read_cr4() & ~CR4_OSXMMEXCPT);
  PROBE("divps %0, %%xmm0", "m"(vectors[4]));
  faulted("xm-not-enabled", VECTOR_UD, 0);
  fresh();
}

/* ---- FERR# and IRQ 13 ---- */

static volatile u32 errors, error_eip, error_status, inside, ticks;

static void end_of_error(void) {
  outb(PIC_SLAVE, 0x20);
  outb(PIC, 0x20);
}
static void note(struct trap *trap) {
  errors++;
  error_eip = trap->eip;
  error_status = status_word();
}
/* The order that the PC's firmware has: IGNNE# first, so that waiting instructions may follow. */
static void error_interrupt(struct trap *trap) {
  note(trap);
  outb(COPROCESSOR_ERROR, 0);
  __asm__ volatile("fwait\n\tfwait");
  inside = 1;
  __asm__ volatile("fnclex");
  end_of_error();
}
/* The other order: the error is gone before the write, which must not assert IGNNE#. */
static void clearing_interrupt(struct trap *trap) {
  note(trap);
  __asm__ volatile("fnclex");
  outb(COPROCESSOR_ERROR, 0);
  end_of_error();
}
static void tick(struct trap *trap) {
  (void)trap;
  if (++ticks == 3) __asm__ volatile("fnclex");
  outb(PIC, 0x20);
}
static void native_handler(struct trap *trap) {
  note(trap);
  __asm__ volatile("fnclex");
}

extern char waits[], waits_mmx[];

static __attribute__((noinline, noclone)) void external_errors(void) {
  fresh();
  write_cr0(read_cr0() & ~CR0_NE);
  equal("ne-reads-clear", read_cr0() & CR0_NE, 0);
  if (has_word("native")) {
    handlers[VECTOR_MF] = native_handler;
    leave_error();
    __asm__ volatile("fwait");
    handlers[VECTOR_MF] = 0;
    equal("native-error", errors, 1);
    fresh();
    return;
  }
  handlers[ERROR_IRQ] = error_interrupt;
  pic_init(0xfb, 0xdf);
  leave_error();
  __asm__ volatile("sti\n\tnop\n.globl waits\nwaits:\n\tfwait\n\tnop\n\tcli" : : : "memory");
  equal("irq13", errors, 1);
  equal("irq13-status", error_status & (FSW_ERROR | FSW_ZE), FSW_ERROR | FSW_ZE);
  equal("ignne-in-the-handler", inside, 1);
  equal("irq13-before-the-instruction", error_eip, (u32)waits);
  leave_error();
  __asm__ volatile("sti\n\tfwait\n\tnop\n\tcli" : : : "memory");
  equal("ignne-ends-with-the-error", errors, 2);

  handlers[ERROR_IRQ] = clearing_interrupt;
  leave_error();
  __asm__ volatile("sti\n\tfwait\n\tnop\n\tcli" : : : "memory");
  equal("cleared-before-f0h", errors, 3);
  outb(COPROCESSOR_ERROR, 0);
  leave_error();
  __asm__ volatile("sti\n\tfwait\n\tnop\n\tcli" : : : "memory");
  equal("f0h-without-an-error", errors, 4);
  leave_error();
  __asm__ volatile("sti\n\tnop\n.globl waits_mmx\nwaits_mmx:\n\tpaddb %%mm0, %%mm0\n\tcli\n\temms" : : : "memory");
  equal("irq13-mmx", errors, 5);
  equal("irq13-mmx-eip", error_eip, (u32)waits_mmx);

  /* IRQ 13 is masked: the frozen processor still takes the timer's interrupts, and the third sets it free. */
  handlers[IRQ] = tick;
  pic_init(0xfe, 0xff);
  outb(0x43, 0x34);
  outb(0x40, 0x00);
  outb(0x40, 0x10);
  leave_error();
  ticks = 0;
  __asm__ volatile("sti\n\tfwait\n\tcli" : : : "memory");
  equal("frozen-takes-interrupts", ticks, 3);
  pic_init(0xff, 0xff);
  outb(COPROCESSOR_ERROR, 0);
  fresh();
}

void run(void) {
  if (has_word("freeze")) {
    fresh();
    write_cr0(read_cr0() & ~CR0_NE);
    leave_error();
    __asm__ volatile("fwait");
  }
  strict = has_word("strict");
  controls();
  native_error();
  images();
  simd();
  if (strict) external_errors();
}
