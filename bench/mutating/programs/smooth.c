/* A series smoothed over three neighbours. Input: n, then n numbers of 16 bits. */
#include <stdio.h>

static short in[1000], out[1000];

__attribute__((noinline)) void smooth(const short *from, short *to, int n)
{
    for (int i = 0; i < n; i++) {
        int before = i > 0 ? from[i - 1] : from[i];
        int after = i + 1 < n ? from[i + 1] : from[i];
        to[i] = (short)((before + 2 * from[i] + after) >> 2);
    }
}

int main(void)
{
    int n;
    if (scanf("%d", &n) != 1 || n < 0 || n > 1000)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%hd", &in[i]) != 1)
            return 1;
    smooth(in, out, n);
    for (int i = 0; i < n; i++)
        printf("%d\n", out[i]);
    return 0;
}
