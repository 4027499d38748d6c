/* Two sorted lists as one. Input: n m, then n and m numbers in order. */
#include <stdio.h>

static int a[500], b[500], all[1000];

__attribute__((noinline)) int merge(const int *v, int n, const int *w, int m, int *to)
{
    int i = 0, j = 0, size = 0;
    while (i < n && j < m) {
        if (v[i] <= w[j])
            to[size++] = v[i++];
        else
            to[size++] = w[j++];
    }
    while (i < n)
        to[size++] = v[i++];
    while (j < m)
        to[size++] = w[j++];
    return size;
}

int main(void)
{
    int n, m;
    if (scanf("%d %d", &n, &m) != 2 || n < 0 || n > 500 || m < 0 || m > 500)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1)
            return 1;
    for (int i = 0; i < m; i++)
        if (scanf("%d", &b[i]) != 1)
            return 1;
    int size = merge(a, n, b, m, all);
    for (int i = 0; i < size; i++)
        printf("%d\n", all[i]);
    return 0;
}
