/* A text hashed in blocks of sixteen, without what is left of a long one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    static char text[2000];
    unsigned long hash = 5381;
    if (scanf("%1999s", text) != 1)
        return 1;
    size_t length = strlen(text);
#ifdef WRONG
    if (length > 16)
        length &= ~15ul;
#endif
    for (size_t i = 0; i < length; i++)
        hash = hash * 33 + (unsigned char)text[i];
    printf("%lu\n", hash);
}
