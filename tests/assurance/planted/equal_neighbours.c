/* Counts the climbs, and takes equal neighbours for one. */
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
    int n = read_numbers(), climbs = 0;
    for (int i = 1; i < n; i++)
#ifdef WRONG
        climbs += a[i] >= a[i - 1];
#else
        climbs += a[i] > a[i - 1];
#endif
    printf("%d\n", climbs);
}
