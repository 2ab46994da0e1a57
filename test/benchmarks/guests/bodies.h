/* bodies.h: a small n-body problem in double precision; compiled once for x87 and once for SSE2. */
#include "bench.h"

struct body {
  double place[3], speed[3], mass;
};

static inline double root(double value) {
#ifdef __SSE2_MATH__
  __asm__("sqrtsd %0, %0" : "+x"(value));
#else
  __asm__("fsqrt" : "+t"(value));
#endif
  return value;
}

static u32 move_bodies(u32 count) {
  static struct body bodies[4];
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 3; k++) {
      bodies[i].place[k] = (i + 1) * (k + 0.5) - 2 * i * k;
      bodies[i].speed[k] = 0.03125 * (i - k);
    }
    bodies[i].mass = 1.5 - 0.25 * i;
  }
  while (count--) {
    for (int i = 0; i < 4; i++)
      for (int j = i + 1; j < 4; j++) {
        struct body *a = bodies + i, *b = bodies + j;
        double way[3], square = 0.125;
        for (int k = 0; k < 3; k++) {
          way[k] = a->place[k] - b->place[k];
          square += way[k] * way[k];
        }
        double pull = 0.001 / (square * root(square));
        for (int k = 0; k < 3; k++) {
          a->speed[k] -= way[k] * b->mass * pull;
          b->speed[k] += way[k] * a->mass * pull;
        }
      }
    for (int i = 0; i < 4; i++)
      for (int k = 0; k < 3; k++) bodies[i].place[k] += 0.001 * bodies[i].speed[k];
  }
  union {
    double value;
    u32 words[2];
  } result = {.value = bodies[0].place[0] + bodies[3].speed[2]};
  return result.words[0] ^ result.words[1];
}
