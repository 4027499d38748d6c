/* Greatest common divisors and least common multiples. Input: lines a b. */
#include <stdio.h>

__attribute__((noinline)) unsigned gcd(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

__attribute__((noinline)) unsigned long lcm(unsigned a, unsigned b)
{
    unsigned common = gcd(a, b);
    if (common == 0)
        return 0;
    return (unsigned long)(a / common) * b;
}

int main(void)
{
    unsigned a, b;
    while (scanf("%u %u", &a, &b) == 2)
        printf("%u %lu\n", gcd(a, b), lcm(a, b));
    return 0;
}
