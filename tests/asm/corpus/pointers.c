/* Constants whose addresses are compared, tables of functions, weak and hidden symbols. */
#include <stdio.h>

struct node { int key; const struct node *next; };
static const struct node nil = {-1, 0};
static const struct node pool[3] = {{1, &pool[1]}, {2, &pool[2]}, {3, &nil}};
static const char *const names[] = {"alpha", "beta", "gamma", "delta"};
int shared = 3;
__attribute__((visibility("hidden"))) int hidden_value = 4;

__attribute__((noinline)) const struct node *find(const struct node *p, int key) {
    while (p != &nil && p->key != key) p = p->next;
    return p;
}

__attribute__((noinline)) int is_nil(const struct node *p) { return p == &nil; }

static int plus(int a) { return a + shared; }
static int times(int a) { return a * hidden_value; }
static int (*const steps[])(int) = {plus, times, plus};

__attribute__((noinline)) int run(int x, int n) {
    for (int i = 0; i < n; i++) x = steps[i % 3](x);
    return x;
}

__attribute__((weak, noinline)) int weakling(int x) { return x * 5; }
__attribute__((visibility("hidden"), noinline)) int inner(int x) { return weakling(x) + 2; }
__attribute__((noinline)) const char *name_of(int i) { return names[i & 3]; }

int main(void) {
    printf("%d %d ", is_nil(find(pool, 9)), find(pool, 2)->key);
    printf("%d %d %s\n", run(2, 7), inner(6), name_of(6));
    return 0;
}
