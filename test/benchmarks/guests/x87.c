/* x87.c: double precision on the x87 stack, and its functions. */
#include "bodies.h"

u32 x87(u32 count) { return move_bodies(count); }

/* FSIN, FPATAN, F2XM1, FYL2X, FRNDINT, FIST. Results are rounded to 16 bits: the last bits of these functions differ between
 * processors. */
u32 x87_functions(u32 count) {
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    double angle = (int)(i & 1023) * 0.00048828125 + 0.25, result;
    __asm__ volatile("fldl %1; fsin; fldl %1; fpatan; fldl %1; f2xm1; faddp; fld1; fldl %1; fyl2x; faddp; fstpl %0"
                     : "=m"(result)
                     : "m"(angle));
    result *= 4096;
    short rounded;
    __asm__ volatile("fldl %1; frndint; fistps %0" : "=m"(rounded) : "m"(result));
    sum = sum * 31 + (u16)rounded;
  }
  return sum;
}
