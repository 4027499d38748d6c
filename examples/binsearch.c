/* For each of q queries: how many of the n numbers are smaller than the query (lower bound).
 *
 * Input: n q seed, then n numbers and q queries if seed is 0; otherwise both are generated.
 * Output: the sum of the answers and a checksum that depends on their order.
 */
#include <stdio.h>
#include <stdlib.h>

#define MAX_N 1000000

static int a[MAX_N];

static int by_value(const void *p, const void *q)
{
    int x = *(const int *)p, y = *(const int *)q;
    return (x > y) - (x < y);
}

int lower_bound(const int *v, int n, int key)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (v[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int main(void)
{
    int n, q;
    unsigned seed;
    if (scanf("%d %d %u", &n, &q, &seed) != 3 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        a[i] = (int)(state >> 4);
        if (seed == 0 && scanf("%d", &a[i]) != 1)
            return 1;
    }
    qsort(a, n, sizeof a[0], by_value);

    long sum = 0;
    unsigned long checksum = 0;
    for (int i = 0; i < q; i++) {
        state = state * 1664525u + 1013904223u;
        int key = (int)(state >> 4);
        if (seed == 0 && scanf("%d", &key) != 1)
            return 1;
        int position = lower_bound(a, n, key);
        sum += position;
        checksum = checksum * 1000003u + (unsigned)position;
    }
    printf("%ld %lu\n", sum, checksum);
    return 0;
}
