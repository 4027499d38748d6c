/* Integer square roots. Input: numbers. */
#include <stdio.h>

__attribute__((noinline)) unsigned root(unsigned n)
{
    unsigned found = 0, bit = 1u << 30;
    while (bit > n)
        bit >>= 2;
    while (bit != 0) {
        if (n >= found + bit) {
            n -= found + bit;
            found = (found >> 1) + bit;
        } else {
            found >>= 1;
        }
        bit >>= 2;
    }
    return found;
}

int main(void)
{
    unsigned n;
    while (scanf("%u", &n) == 1)
        printf("%u\n", root(n));
    return 0;
}
