/* Polynomial hashes of the prefixes of a text, and of the whole text repeated.
 *
 * Input: n r seed, then a word of n lower-case letters if seed is 0; otherwise it is generated.
 * Output: the hash of r repetitions of the text, and the xor of the hashes after each of them.
 */
#include <stdio.h>

#define MAX_N 1000000

static char text[MAX_N + 1];

unsigned hash(unsigned h, const char *s, int n)
{
    for (int i = 0; i < n; i++)
        h = h * 31 + (unsigned char)s[i];
    return h;
}

int main(void)
{
    int n, r;
    unsigned seed;
    if (scanf("%d %d %u", &n, &r, &seed) != 3 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = (char)('a' + (state >> 16) % 26);
        if (seed == 0 && scanf(" %c", &text[i]) != 1)
            return 1;
    }
    unsigned h = 0, mixed = 0;
    for (int i = 0; i < r; i++) {
        h = hash(h, text, n);
        mixed ^= h;
    }
    printf("%u %u\n", h, mixed);
    return 0;
}
