/* sse.c: SSE2, a value at a time as compilers use it, and four at a time. */
#include "bodies.h"

u32 sse2(u32 count) { return move_bodies(count); }

typedef float four __attribute__((vector_size(16)));
typedef int four_ints __attribute__((vector_size(16)));

/* z = z * z + c for four points, with a comparison and a count of those inside. */
u32 sse_packed(u32 count) {
  four_ints inside = {0};
  u32 sum = 0;
  while (count--) {
    float start = (float)(int)(count & 255) * 0.0078125f - 1.5f;
    four x = {0}, y = {0}, cx = {start, start + 0.125f, start + 0.25f, start + 0.5f}, cy = {0.25f, 0.5f, 0.125f, 0.375f};
    four limit = {4, 4, 4, 4};
    for (int i = 0; i < 12; i++) {
      four xx = x * x, yy = y * y;
      four_ints within = xx + yy < limit;
      inside -= within;
      y = (x + x) * y + cy;
      x = xx - yy + cx;
      x = (four)((four_ints)x & within);
      y = (four)((four_ints)y & within);
    }
    sum = mix(sum, (u32)inside[0] ^ (u32)inside[3]);
  }
  return sum ^ (u32)inside[1] ^ (u32)inside[2];
}
