/* Sums of distances between pairs of numbers. Input: n, then n pairs. */
#include <stdio.h>

__attribute__((noinline)) unsigned distance(int a, int b)
{
    if (a > b)
        return (unsigned)a - (unsigned)b;
    return (unsigned)b - (unsigned)a;
}

int main(void)
{
    int n, a, b;
    unsigned long sum = 0;
    if (scanf("%d", &n) != 1 || n < 0)
        return 1;
    while (n-- > 0 && scanf("%d %d", &a, &b) == 2)
        sum += distance(a, b);
    printf("%lu\n", sum);
    return 0;
}
