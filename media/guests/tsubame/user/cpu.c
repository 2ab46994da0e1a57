/* cpu.c: the processor by its own account. CPUID needs no privilege, so this is all user mode. SDM vol. 2A, CPUID. */
#include "lib.h"
#include "../x86.h"

#define HYPERVISOR_LEAF 0x40000000u

struct feature {
  u8 bit;
  const char *name;
};

static const struct feature features_edx[] = {
    {0, "fpu"},  {3, "pse"},   {4, "tsc"},   {5, "msr"},  {6, "pae"},   {8, "cx8"},  {9, "apic"}, {11, "sep"},
    {13, "pge"}, {15, "cmov"}, {16, "pat"},  {23, "mmx"}, {24, "fxsr"}, {25, "sse"}, {26, "sse2"}, {28, "htt"},
};
static const struct feature features_ecx[] = {{0, "sse3"}, {3, "monitor"}, {5, "vmx"}, {9, "ssse3"}, {31, "hypervisor"}};

static void print_features(u32 word, const struct feature *list, u32 count) {
  for (u32 i = 0; i < count; i++) {
    if (word >> list[i].bit & 1) printf(" %s", list[i].name);
  }
}

/* Twelve characters in three registers, in the order given. */
static void print_signature(const char *what, u32 a, u32 b, u32 c) {
  union {
    u32 words[4];
    char text[16];
  } name = {{a, b, c, 0}};
  printf("%s: %s\n", what, name.text);
}

int cpu_main(const char *argument) {
  (void)argument;
  u32 eax, ebx, ecx, edx;
  cpuid(0, &eax, &ebx, &ecx, &edx);
  print_signature("vendor", ebx, edx, ecx);
  cpuid(1, &eax, &ebx, &ecx, &edx);
  u32 family = eax >> 8 & 15, model = eax >> 4 & 15;
  if (family == 6 || family == 15) model |= eax >> 12 & 0xf0;
  if (family == 15) family += eax >> 20 & 0xff;
  printf("family %u, model %u, stepping %u\nfeatures:", family, model, eax & 15);
  print_features(edx, features_edx, sizeof features_edx / sizeof *features_edx);
  print_features(ecx, features_ecx, sizeof features_ecx / sizeof *features_ecx);
  printf("\n");
  if (ecx >> 31) {
    cpuid(HYPERVISOR_LEAF, &eax, &ebx, &ecx, &edx);
    print_signature("hypervisor", ebx, ecx, edx);
  }
  return 0;
}
