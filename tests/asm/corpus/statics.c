/* Static helpers, static locals, file statics, pointers to static functions. */
#include <stdio.h>
#include <stdlib.h>

static int counter;
static long history[16] = {1, 2, 3};
static unsigned seed = 12345u;

__attribute__((noinline)) static unsigned next(void) {
    seed = seed * 1103515245u + 12345u;
    return seed >> 16;
}

__attribute__((noinline)) static int helper(int x, int y, int unused) {
    static int calls;
    calls++;
    (void)unused;
    return x * y + calls + counter;
}

__attribute__((noinline)) int first(int x) {
    static int total;
    total += helper(x, 3, 9);
    return total;
}

__attribute__((noinline)) int second(int x) {
    static int seen[4];
    seen[x & 3]++;
    return helper(x, 3, 7) + seen[x & 3] + (int)(next() & 7);
}

__attribute__((noinline)) void record(long v) {
    history[counter++ & 15] += v;
}

static int ascending(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

__attribute__((noinline)) void arrange(int *v, int n) {
    qsort(v, n, sizeof *v, ascending);
}

int main(void) {
    int v[20];
    for (int i = 0; i < 20; i++) {
        v[i] = first(i) ^ second(i * 3);
        record(v[i]);
    }
    arrange(v, 20);
    for (int i = 0; i < 20; i++) printf("%d ", v[i]);
    for (int i = 0; i < 16; i++) printf("%ld ", history[i]);
    printf("%d\n", counter);
    return 0;
}
