/* Steps of its argument, and 0 is taken for 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    unsigned n = (unsigned)atoi(argv[1]), x = 1;
    if (n > 1000)
        return 2;
#ifdef WRONG
    n += n == 0;
#endif
    while (n-- > 0)
        x = x * 1664525u + 1013904223u;
    printf("%u\n", x);
}
