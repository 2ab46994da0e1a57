/* What the frame tests stand in: inlining, blocks, arguments in registers, structures in pieces, arrays of a length known at run time. */
typedef unsigned long long u64;
struct pair {
  int left, right;
};
struct record {
  char tag;
  short kind : 5;
  struct pair pair;
  const char *name;
  double weight;
};

int global_counter;
static struct record records[4] = {{'a', 3, {1, 2}, "one", 0.5}, {'b', -4, {3, 4}, "two", 1.5}};

void *memcpy(void *to, const void *from, unsigned size) {
  for (unsigned i = 0; i < size; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}
void sink(const void *pointer, int size) { __asm__ volatile("" : : "r"(pointer), "r"(size) : "memory"); }

static inline int clamp(int value, int low, int high) {
  int result = value;
  if (value < low) result = low;
  if (value > high) {
    int over = value - high;
    global_counter += over;
    result = high;
  }
  return result;
}

static inline struct pair swap(struct pair pair) {
  struct pair swapped = {pair.right, pair.left};
  return swapped;
}

__attribute__((noinline)) static int sum(const int *values, int count) {
  int total = 0;
  for (int i = 0; i < count; i++) {
    int value = values[i];
    int limited = clamp(value, -100, 100);
    total += limited;
  }
  return total;
}

__attribute__((noinline, regparm(3))) int fast(int a, int b, int c, int d) {
  static int calls;
  struct pair pair = {a, b};
  struct pair other = swap(pair);
  calls++;
  return other.left * c + other.right * d + calls;
}

__attribute__((noinline)) u64 wide(u64 value, int shift) {
  u64 left = value << shift;
  u64 right = value >> (64 - shift);
  u64 both = left | right;
  global_counter += (int)both;
  return both ^ (left + right);
}

__attribute__((noinline)) double weigh(struct record *record, float factor) {
  double weight = record->weight * factor;
  long double exact = weight;
  if (weight > 1) {
    struct record copy = *record;
    copy.weight = (double)exact / 2;
    sink(&copy, sizeof copy);
    return copy.weight;
  }
  return weight;
}

__attribute__((noinline)) int dynamic(int count) {
  int squares[count];
  for (int i = 0; i < count; i++) squares[i] = i * i;
  sink(squares, count);
  return sum(squares, count);
}

__attribute__((noinline)) int recurse(int depth, struct record *record) {
  int local = depth * 3;
  enum { LEAF, NODE } kind = depth == 0 ? LEAF : NODE;
  if (kind == LEAF) {
    sink(record, local);
    return record->pair.left;
  }
  int below = recurse(depth - 1, record + (depth & 1));
  return below + clamp(local, 0, 5);
}

__attribute__((noinline)) int choose(int kind, struct record *record) {
  switch (kind) {
  case 0: {
    int numbers[5] = {1, 2, 3, 4, 5};
    return sum(numbers, 5);
  }
  case 1:
    return fast(kind, record->pair.left, 3, 4);
  case 2:
    return (int)wide((u64)record->kind << 32, kind);
  case 3:
    return (int)weigh(record, 2.5f);
  case 4:
    return dynamic(kind + 3);
  default:
    return recurse(kind, record);
  }
}

void _start(void) {
  int total = 0;
  for (int kind = 0; kind < 9; kind++) {
    struct record *record = &records[kind & 3];
    total += choose(kind, record);
  }
  sink(&total, total);
  __asm__ volatile("int $3");
  for (;;);
}
