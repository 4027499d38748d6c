/* Numbers in order, then without repetitions. Input: n, then n numbers. */
#include <stdio.h>

static int a[500];

__attribute__((noinline)) void sort(int *v, int n)
{
    for (int i = 1; i < n; i++) {
        int x = v[i], j = i - 1;
        while (j >= 0 && v[j] > x) {
            v[j + 1] = v[j];
            j--;
        }
        v[j + 1] = x;
    }
}

__attribute__((noinline)) int distinct(int *v, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (i == 0 || v[i] != v[kept - 1])
            v[kept++] = v[i];
    return kept;
}

int main(void)
{
    int n;
    if (scanf("%d", &n) != 1 || n < 0 || n > 500)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1)
            return 1;
    sort(a, n);
    n = distinct(a, n);
    for (int i = 0; i < n; i++)
        printf("%d\n", a[i]);
    return 0;
}
