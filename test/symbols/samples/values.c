/* What the value tests print: one variable for each kind of type, and expressions on them. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef struct node node_t;
typedef int (*operation)(int, int);
typedef int matrix[3][4];

enum color { RED, GREEN = 5, BLUE };
enum flags { READ = 1, WRITE = 2, EXECUTE = 4, SHARED = 16 };
enum wide { ALL = 0x30, LOW = 1, NOTHING = 0 };
enum negative { MINUS = -1, PLUS = 1 };

struct point {
  short x, y;
};
struct node {
  int key;
  struct node *next;
  const char *name;
  struct point at;
  union {
    int number;
    float ratio;
  };
  struct {
    u8 low : 3;
    u8 middle : 5;
    int sign : 4;
    unsigned long long big : 40;
    _Bool yes : 1;
    enum color hue : 3;
  } bits;
  operation apply;
};
struct flexible {
  int count;
  char data[];
};
struct empty {};
struct incomplete;

int add(int a, int b) { return a + b; }
int variadic(const char *format, ...) { return *format; }

struct node second = {2, 0, "second", {3, -4}, {7}, {1, 2, -3, 4, 1, BLUE}, add};
struct node first = {1, &second, "first\n\t\"quoted\"\001\177\200", {-1, 2}, {.ratio = 1.5f}, {7, 31, -8, 0xffffffffffull, 0, GREEN}, 0};
node_t *head = &first;
const node_t *const fixed = &second;
volatile int counter = -42;
unsigned int big = 4000000000u;
long long wide = -1234567890123456789LL;
unsigned long long widest = 18446744073709551615ULL;
short small = -7;
unsigned short port = 0x3f8;
char letter = 'k';
signed char low = -128;
unsigned char high = 200;
u8 typedefed = 10;
_Bool truth = 1;
float pi = 3.14159274f;
float tiny = 1e-40f;
double e = 2.718281828459045;
double third = 1.0 / 3, huge = 1e300, zero = -0.0, infinity = 1.0 / 0.0;
long double precise = 1.1L, larger = 1e4000L;
char text[16] = "abc";
char exact[3] = {'x', 'y', 'z'};
char zeros[40];
char runs[32] = "aaaaaaaaaaaaaaaaaaaabc";
u8 bytes[6] = {1, 2, 3, 200, 0, 0};
int numbers[20] = {1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 5};
matrix grid = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
struct point points[3] = {{1, 2}, {3, 4}, {5, 6}};
enum color paint = GREEN, odd = 3;
enum flags mode = READ | EXECUTE, none = 0, more = READ | 0x40, unknown = 0x80;
enum wide field = ALL;
enum negative sign = MINUS;
operation operations[2] = {add, 0};
int (*printer)(const char *, ...) = variadic;
int (*array_pointer)[4] = &grid[1];
void *nothing, *something = &numbers[3];
char *message = "hello", *null_message;
const u8 *raw = bytes;
char **messages = &message;
struct flexible *tail;
struct flexible with_data = {3};
struct empty hollow;
struct incomplete *opaque;
union {
  u32 word;
  u8 byte[4];
} overlay = {0x01020304};
static int hidden = 17;
int *pointer_to_hidden = &hidden;
double _Complex z = 1.0 + 2.0i;
int vector __attribute__((vector_size(16))) = {1, 2, 3, 4};

int counted(int step) {
  static int calls = 5;
  calls += step;
  return calls + hidden;
}

void _start(void) {
  counted(add(1, 2));
  for (;;);
}
