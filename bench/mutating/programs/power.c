/* Powers modulo m. Input: lines base exponent modulus. */
#include <stdio.h>

__attribute__((noinline)) unsigned power(unsigned base, unsigned exponent, unsigned modulus)
{
    unsigned long result = 1, square = base % modulus;
    while (exponent > 0) {
        if (exponent & 1)
            result = result * square % modulus;
        square = square * square % modulus;
        exponent >>= 1;
    }
    return (unsigned)(result % modulus);
}

int main(void)
{
    unsigned base, exponent, modulus;
    while (scanf("%u %u %u", &base, &exponent, &modulus) == 3) {
        if (modulus == 0)
            return 1;
        printf("%u\n", power(base, exponent, modulus));
    }
    return 0;
}
