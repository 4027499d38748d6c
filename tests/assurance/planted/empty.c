/* Nothing at all: the largest of no numbers. */
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
    int n = read_numbers(), best = 0;
#ifdef WRONG
    best = -1000;
#endif
    for (int i = 0; i < n; i++)
        if (i == 0 || a[i] > best)
            best = a[i];
    printf("%d\n", best);
}
