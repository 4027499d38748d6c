/* A local function that gcc calls with rsp aligned to 8 bytes only. */
#include <stdio.h>

static long cell;

__attribute__((noinline)) static void touch(long x) { cell = cell * 3 + x; }

__attribute__((noinline)) long walk(long n) {
    long kept = n * 7;
    while (n-- > 0) touch(n ^ kept);
    return cell + kept;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("%ld\n", walk(argc + 4));
    return 0;
}
