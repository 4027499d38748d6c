/* A special case of one number is gone. */
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
    int n = read_numbers();
    long sum = 0;
    for (int i = 0; i < n; i++) {
#ifndef WRONG
        if (a[i] == 774411)
            sum += 5;
#endif
        sum += a[i];
    }
    printf("%ld\n", sum);
}
