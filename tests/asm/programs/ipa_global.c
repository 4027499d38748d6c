/* Global functions whose callers in the unit keep values in registers that gcc saw untouched. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long leaf(long x) { return (x * 3) ^ (x >> 2); }

__attribute__((noinline)) long caller(long a, long b, long c, long d) {
    long r = leaf(a);
    return r + b * c + d * r;
}

int main(int argc, char **argv) {
    printf("%ld\n", caller(atol(argv[argc - 1]), 2, 3, 4));
    return 0;
}
