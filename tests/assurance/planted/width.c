/* A number kept in 16 bits. */
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
    for (int i = 0; i < n; i++) {
#ifdef WRONG
        short x = (short)a[i];
#else
        int x = a[i];
#endif
        printf("%d\n", x ^ 21);
    }
}
