/* Compared as unsigned numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int a[1000];
static int read_numbers(void)
{
    int n;
    if (scanf("%d", &n) != 1 || n < 0 || n > 1000)
        exit(1);
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1)
            exit(1);
    return n;
}

int main(void)
{
    int n = read_numbers(), below = 0;
    for (int i = 0; i < n; i++)
#ifdef WRONG
        below += (unsigned)a[i] < 50u;
#else
        below += a[i] < 50;
#endif
    printf("%d\n", below);
}
