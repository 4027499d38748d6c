/* Caesar's cipher: the vowels and the words of a text under each of r rotations by one letter.
 *
 * Input: n r seed, then a line of n lower-case letters and spaces if seed is 0; otherwise the
 * text is generated.
 * Output: the vowels and the words summed over the rotations, then the most common letter of
 * the last text and how often it occurs.
 */
#include <stdio.h>

#define MAX_N 100000

static char text[MAX_N + 1];

int count_vowels(const char *s, int n)
{
    int vowels = 0;
    for (int i = 0; i < n; i++)
        if (s[i] == 'a' || s[i] == 'e' || s[i] == 'i' || s[i] == 'o' || s[i] == 'u')
            vowels++;
    return vowels;
}

int count_words(const char *s, int n)
{
    int words = 0;
    for (int i = 0; i < n; i++)
        if (s[i] != ' ' && (i == 0 || s[i - 1] == ' '))
            words++;
    return words;
}

void rotate(char *s, int n)
{
    for (int i = 0; i < n; i++)
        if (s[i] != ' ')
            s[i] = s[i] == 'z' ? 'a' : (char)(s[i] + 1);
}

int main(void)
{
    int n, r;
    unsigned seed;
    if (scanf("%d %d %u%*c", &n, &r, &seed) != 3 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        unsigned k = (state >> 16) % 31;
        text[i] = k < 26 ? (char)('a' + k) : ' ';
        if (seed == 0 && scanf("%c", &text[i]) != 1)
            return 1;
    }
    long vowels = 0, words = 0;
    for (int i = 0; i < r; i++) {
        vowels += count_vowels(text, n);
        words += count_words(text, n);
        rotate(text, n);
    }
    int often[256] = {0};
    for (int i = 0; i < n; i++)
        often[(unsigned char)text[i]]++;
    int most = 'a';
    for (int c = 'a'; c <= 'z'; c++)
        if (often[c] > often[most])
            most = c;
    printf("%ld %ld %c %d\n", vowels, words, most, often[most]);
    return 0;
}
