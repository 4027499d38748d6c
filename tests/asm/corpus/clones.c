/* What gcc splits and specialises: .constprop, .isra, .part and .cold. */
#include <stdio.h>
#include <stdlib.h>

struct point { int x, y, z; };

__attribute__((noinline)) static int norm(const struct point *p, int scale) {
    return (p->x * p->x + p->y * p->y) * scale;
}

__attribute__((noinline)) static long power(long base, int exponent) {
    long r = 1;
    while (exponent-- > 0) r *= base;
    return r;
}

static void check(int value) {
    if (__builtin_expect(value < -1000000, 0)) {
        fprintf(stderr, "bad value %d\n", value);
        exit(3);
    }
}

__attribute__((noinline)) int measure(int a, int b) {
    struct point p = {a, b, a + b};
    check(a);
    check(b);
    return norm(&p, 4);
}

__attribute__((noinline)) long grow(long x) { return power(x, 5) + power(x + 1, 5); }

__attribute__((noinline)) int risky(int x) {
    if (x > 100000) abort();
    if (x == 77777) {
        puts("rare");
        abort();
    }
    return x * 3 + 1;
}

int main(void) {
    long total = 0;
    for (int i = 0; i < 50; i++) total += measure(i, i - 25) + grow(i) + risky(i);
    printf("%ld\n", total);
    return 0;
}
