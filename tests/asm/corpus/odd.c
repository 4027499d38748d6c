/* What must not be replaced: inline asm, setjmp, TLS, computed goto, aliases, nested functions. */
#include <setjmp.h>
#include <stdio.h>

static jmp_buf place;
static __thread int mine = 4;

__attribute__((noinline)) long shift(long x) {
    __asm__("shlq $2, %0" : "+r"(x));
    return x;
}

__attribute__((noinline)) int jumps(int x) {
    if (setjmp(place)) return -x;
    if (x > 3) longjmp(place, 1);
    return x;
}

__attribute__((noinline)) int local(int x) { return mine += x; }

__attribute__((noinline)) int interpret(const unsigned char *code) {
    static void *const targets[] = {&&stop, &&add, &&twice, &&negate};
    int acc = 1;
    goto *targets[*code++];
add: acc += 7; goto *targets[*code++];
twice: acc *= 2; goto *targets[*code++];
negate: acc = -acc; goto *targets[*code++];
stop: return acc;
}

__attribute__((noinline)) int original(int x) { return x * 11; }
int renamed(int x) __attribute__((alias("original")));

__attribute__((noinline)) int plain(int x) { return x * 13 + 1; }

int main(void) {
    static const unsigned char code[] = {1, 2, 3, 1, 2, 0};
    printf("%ld %d %d %d ", shift(5), jumps(2), jumps(9), local(3));
    printf("%d %d %d\n", interpret(code), renamed(3), plain(4));
    return 0;
}
