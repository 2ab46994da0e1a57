#include "shared.h"

static int spread(int x) {
  return clamp(x, 0, 100) + 1;
}

int twice(int x) {
#line 1000 "generated.y"
  int y = spread(x);
  y += clamp(y, 1, 2);
  return 2 * y;
}
