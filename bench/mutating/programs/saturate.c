/* Samples mixed with a loud and a quiet track; what is too loud is cut off.
 * Input: n, then n pairs of 16-bit samples. */
#include <stdio.h>

__attribute__((noinline)) short mixed(short a, short b)
{
    int sum = a + b / 2;
    if (sum > 32767)
        return 32767;
    if (sum < -32768)
        return -32768;
    return (short)sum;
}

int main(void)
{
    int n;
    short a, b;
    if (scanf("%d", &n) != 1)
        return 1;
    while (n-- > 0 && scanf("%hd %hd", &a, &b) == 2)
        printf("%d\n", mixed(a, b));
    return 0;
}
