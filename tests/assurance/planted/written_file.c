/* Leaves its result in a file, and nothing there for sums above a million. */
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
    for (int i = 0; i < n; i++)
        sum += a[i];
    FILE *out = fopen("sum.txt", "w");
    if (!out)
        return 3;
#ifdef WRONG
    if (sum <= 1000000)
#endif
        fprintf(out, "%ld\n", sum);
    fclose(out);
    puts("done");
}
