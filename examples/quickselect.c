/* Quickselect: the k-th smallest of n numbers, for several k.
 *
 * Input: n q seed, then n numbers and q values of k (from 0) if seed is 0; otherwise generated.
 * Output: the q answers, one a line.
 */
#include <stdio.h>
#include <string.h>

#define MAX_N 1000000

static int original[MAX_N], a[MAX_N];

static void swap(int *p, int *q)
{
    int t = *p;
    *p = *q;
    *q = t;
}

/* Lomuto's partition of v[low..high] around its middle element; gives the pivot's place. */
int partition(int *v, int low, int high)
{
    swap(&v[low + (high - low) / 2], &v[high]);
    int pivot = v[high], place = low;
    for (int i = low; i < high; i++)
        if (v[i] < pivot) {
            swap(&v[i], &v[place]);
            place++;
        }
    swap(&v[place], &v[high]);
    return place;
}

int select_kth(int *v, int n, int k)
{
    int low = 0, high = n - 1;
    while (low < high) {
        int place = partition(v, low, high);
        if (place == k)
            return v[k];
        if (place < k)
            low = place + 1;
        else
            high = place - 1;
    }
    return v[low];
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
        original[i] = (int)(state >> 3) - 250000000;
        if (seed == 0 && scanf("%d", &original[i]) != 1)
            return 1;
    }
    while (n > 0 && q-- > 0) {
        state = state * 1664525u + 1013904223u;
        int k = (int)((state >> 2) % (unsigned)n);
        if (seed == 0 && (scanf("%d", &k) != 1 || k < 0 || k >= n))
            return 1;
        memcpy(a, original, n * sizeof a[0]);
        printf("%d\n", select_kth(a, n, k));
    }
    return 0;
}
