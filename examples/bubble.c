/* Bubble sort: the sorted numbers' checksum and the number of swaps.
 *
 * Input: n seed, then n numbers if seed is 0; otherwise the numbers are generated from the seed.
 * Output: the number of swaps, then smallest, median and largest number, then a checksum.
 */
#include <stdio.h>

#define MAX_N 20000

static int a[MAX_N];

long bubble_sort(int *v, int n)
{
    long swaps = 0;
    for (int i = n - 1; i > 0; i--)
        for (int j = 0; j < i; j++)
            if (v[j] > v[j + 1]) {
                int t = v[j];
                v[j] = v[j + 1];
                v[j + 1] = t;
                swaps++;
            }
    return swaps;
}

int main(void)
{
    int n;
    unsigned seed;
    if (scanf("%d %u", &n, &seed) != 2 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        state = state * 1103515245u + 12345u;
        a[i] = (int)(state >> 8) - 8000000;
        if (seed == 0 && scanf("%d", &a[i]) != 1)
            return 1;
    }
    long swaps = bubble_sort(a, n);
    printf("%ld\n", swaps);
    if (n > 0)
        printf("%d %d %d\n", a[0], a[n / 2], a[n - 1]);
    unsigned checksum = 0;
    for (int i = 0; i < n; i++)
        checksum = checksum * 31u + (unsigned)a[i];
    printf("%u\n", checksum);
    return 0;
}
