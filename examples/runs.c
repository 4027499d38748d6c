/* Three figures of a sequence: largest sum of a run (Kadane), longest non-decreasing run,
 * largest drop from an earlier to a later number.
 *
 * Input: n r seed, then n numbers from -1000 to 1000 if seed is 0; otherwise generated. The
 * sequence is scanned r times; after each scan every number x becomes (3 x + 1) % 1001.
 * Output: the sums of the three figures over all the scans.
 */
#include <stdio.h>

#define MAX_N 200000

static int a[MAX_N];

int largest_run_sum(const int *v, int n)
{
    int best = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        sum += v[i];
        if (sum < 0)
            sum = 0;
        if (sum > best)
            best = sum;
    }
    return best;
}

int longest_climb(const int *v, int n)
{
    int best = 0, length = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && v[i] >= v[i - 1])
            length++;
        else
            length = 1;
        if (length > best)
            best = length;
    }
    return best;
}

int largest_drop(const int *v, int n)
{
    int drop = 0, highest = n > 0 ? v[0] : 0;
    for (int i = 1; i < n; i++) {
        if (highest - v[i] > drop)
            drop = highest - v[i];
        if (v[i] > highest)
            highest = v[i];
    }
    return drop;
}

int main(void)
{
    int n, r;
    unsigned seed;
    if (scanf("%d %d %u", &n, &r, &seed) != 3 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        a[i] = (int)((state >> 8) % 2001) - 1000;
        if (seed == 0 && scanf("%d", &a[i]) != 1)
            return 1;
    }
    long sums = 0, climbs = 0, drops = 0;
    while (r-- > 0) {
        sums += largest_run_sum(a, n);
        climbs += longest_climb(a, n);
        drops += largest_drop(a, n);
        for (int i = 0; i < n; i++)
            a[i] = (a[i] * 3 + 1) % 1001;
    }
    printf("%ld %ld %ld\n", sums, climbs, drops);
    return 0;
}
