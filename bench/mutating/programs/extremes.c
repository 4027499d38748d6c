/* Least and greatest of numbers, and where. Input: n, then n numbers. */
#include <stdio.h>

static int a[1000];

struct extremes { int low, high; };

__attribute__((noinline)) struct extremes extremes(const int *v, int n)
{
    struct extremes found = {-1, -1};
    for (int i = 0; i < n; i++) {
        if (found.low < 0 || v[i] < v[found.low])
            found.low = i;
        if (found.high < 0 || v[i] >= v[found.high])
            found.high = i;
    }
    return found;
}

int main(void)
{
    int n;
    if (scanf("%d", &n) != 1 || n < 0 || n > 1000)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1)
            return 1;
    struct extremes found = extremes(a, n);
    printf("%d %d\n", found.low, found.high);
    return 0;
}
