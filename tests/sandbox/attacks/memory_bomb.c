#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    size_t got = 0;
    for (char *p; (p = malloc(1 << 22)); got += 1 << 22)
        memset(p, 1, 1 << 22);
    puts(got > (512u << 20) ? "succeeded" : "refused");
    return 0;
}
