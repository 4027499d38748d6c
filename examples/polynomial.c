/* Product of two polynomials with 32-bit coefficients (modulo 2^32).
 *
 * Input: n m seed, then the n and the m coefficients if seed is 0; otherwise generated.
 * Output: the middle coefficient and a checksum of all n + m - 1.
 */
#include <stdio.h>

#define MAX_N 20000

static unsigned p[MAX_N], q[MAX_N], product[2 * MAX_N];

int main(void)
{
    int n, m;
    unsigned seed;
    if (scanf("%d %d %u", &n, &m, &seed) != 3)
        return 1;
    if (n < 1 || n > MAX_N || m < 1 || m > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n + m; i++) {
        unsigned *coefficient = i < n ? &p[i] : &q[i - n];
        state = state * 1664525u + 1013904223u;
        *coefficient = state >> 8;
        if (seed == 0 && scanf("%u", coefficient) != 1)
            return 1;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            product[i + j] += p[i] * q[j];
    unsigned checksum = 0;
    for (int i = 0; i < n + m - 1; i++)
        checksum = checksum * 31u + product[i];
    printf("%u %u\n", product[(n + m - 1) / 2], checksum);
    return 0;
}
