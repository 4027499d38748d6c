/* Characters of UTF-8 text, and whether it is well-formed. Input: bytes. */
#include <stdio.h>

static char text[4096];

__attribute__((noinline)) int characters(const char *s, long n)
{
    int count = 0;
    for (long i = 0; i < n; count++) {
        unsigned char c = (unsigned char)s[i];
        int more = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;
        if (more < 0 || i + more >= n)
            return -1;
        for (int k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return -1;
        i += 1 + more;
    }
    return count;
}

int main(void)
{
    long n = (long)fread(text, 1, sizeof text, stdin);
    printf("%d\n", characters(text, n));
    return 0;
}
