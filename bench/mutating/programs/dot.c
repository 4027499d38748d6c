/* Inner products. Input: n, then two vectors of n numbers. */
#include <stdio.h>

static int a[1000], b[1000];

__attribute__((noinline)) long dot(const int *v, const int *w, int n)
{
    long sum = 0;
    for (int i = 0; i < n; i++)
        sum += (long)v[i] * w[i];
    return sum;
}

int main(void)
{
    int n;
    if (scanf("%d", &n) != 1 || n < 0 || n > 1000)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1)
            return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &b[i]) != 1)
            return 1;
    printf("%ld\n", dot(a, b, n));
    return 0;
}
