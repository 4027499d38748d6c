/* Bits of numbers: how many, the lowest, the highest. Input: numbers. */
#include <stdio.h>

__attribute__((noinline)) int population(unsigned long x)
{
    int bits = 0;
    for (int i = 0; i < 64; i++)
        if (x >> i & 1)
            bits++;
    return bits;
}

__attribute__((noinline)) int lowest(unsigned long x)
{
    int at = 0;
    if (x == 0)
        return -1;
    while (!(x & 1)) {
        x >>= 1;
        at++;
    }
    return at;
}

__attribute__((noinline)) int highest(unsigned long x)
{
    int at = -1;
    while (x != 0) {
        x >>= 1;
        at++;
    }
    return at;
}

int main(void)
{
    unsigned long x;
    while (scanf("%lu", &x) == 1)
        printf("%d %d %d\n", population(x), lowest(x), highest(x));
    return 0;
}
