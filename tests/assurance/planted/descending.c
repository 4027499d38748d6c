/* The second largest number, wrong where the numbers only fall. */
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
    if (n < 2)
        return 2;
    int first = a[0], second = a[0];
    int seen = 0;
    for (int i = 1; i < n; i++) {
        if (a[i] > first) {
            second = first;
            first = a[i];
            seen = 1;
#ifdef WRONG
        } else if (a[i] > second) {
#else
        } else if (a[i] > second || (second == first && !seen)) {
#endif
            second = a[i];
            seen = 1;
        }
    }
    printf("%d %d\n", first, second);
}
