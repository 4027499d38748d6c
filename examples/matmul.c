/* Product of two n x n matrices of 32-bit integers (modulo 2^32).
 *
 * Input: n seed, then the entries of both matrices if seed is 0; otherwise they are generated.
 * Output: the trace, the two corners of the main diagonal and a checksum of the product.
 */
#include <stdio.h>

#define MAX_N 640

static unsigned a[MAX_N][MAX_N], b[MAX_N][MAX_N], c[MAX_N][MAX_N];

void multiply(int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                c[i][j] += a[i][k] * b[k][j];
}

static int fill(unsigned m[MAX_N][MAX_N], int n, int generated, unsigned *state)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            *state = *state * 1664525u + 1013904223u;
            m[i][j] = *state >> 12;
            if (!generated && scanf("%u", &m[i][j]) != 1)
                return 0;
        }
    return 1;
}

int main(void)
{
    int n;
    unsigned seed;
    if (scanf("%d %u", &n, &seed) != 2 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    if (!fill(a, n, seed != 0, &state) || !fill(b, n, seed != 0, &state))
        return 1;
    multiply(n);
    unsigned trace = 0, checksum = 0;
    for (int i = 0; i < n; i++) {
        trace += c[i][i];
        for (int j = 0; j < n; j++)
            checksum = checksum * 31u + c[i][j];
    }
    printf("%u %u\n", trace, checksum);
    if (n > 0)
        printf("%u %u\n", c[0][0], c[n - 1][n - 1]);
    return 0;
}
