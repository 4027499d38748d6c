/* Recursion, tail calls, many live values across calls. */
#include <stdio.h>

__attribute__((noinline)) long leaf(long x) { return (x * 3) ^ (x >> 2); }

__attribute__((noinline)) long caller(long a, long b, long c, long d) {
    long r = leaf(a);
    return r + b * c + d * r;
}

__attribute__((noinline)) static void bump(long *p) { *p += 1; }

__attribute__((noinline)) double blend(double x, double y, long *p) {
    bump(p);
    return x * y + *p;
}

int even(unsigned n);
__attribute__((noinline)) int odd(unsigned n) { return n == 0 ? 0 : even(n - 1); }
__attribute__((noinline)) int even(unsigned n) { return n == 0 ? 1 : odd(n - 1); }

__attribute__((noinline)) int ackermann(int m, int n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

__attribute__((noinline)) unsigned long fibonacci(unsigned n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(void) {
    long q = 5;
    printf("%ld %f ", caller(12, 2, 3, 4), blend(1.5, 2.5, &q));
    printf("%d %d %d %lu\n", odd(101), even(40), ackermann(2, 5), fibonacci(18));
    return 0;
}
