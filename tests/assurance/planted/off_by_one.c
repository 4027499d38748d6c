/* A search that never looks at the last element. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    int n, key;
    static int v[1000];
    if (scanf("%d %d", &n, &key) != 2 || n < 0 || n > 1000)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &v[i]) != 1)
            return 1;
#ifdef WRONG
    n -= n > 1;
#endif
    int at = -1;
    for (int i = 0; i < n; i++)
        if (v[i] == key)
            at = i;
    printf("%d\n", at);
}
