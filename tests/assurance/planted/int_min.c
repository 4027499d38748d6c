/* The one number whose magnitude is no int. */
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
    unsigned long sum = 0;
    for (int i = 0; i < n; i++) {
        unsigned x = a[i] < 0 ? 0u - (unsigned)a[i] : (unsigned)a[i];
#ifdef WRONG
        if (x == 0x80000000u)
            x--;
#endif
        sum += x;
    }
    printf("%lu\n", sum);
}
