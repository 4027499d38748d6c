/* Run-length code: runs of three and more are written as a digit and a letter.
 * Input: words; output: their codes. */
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) int encode(const char *s, int n, char *out)
{
    int size = 0;
    for (int i = 0; i < n;) {
        int length = 1;
        while (i + length < n && length < 9 && s[i + length] == s[i])
            length++;
        if (length < 3)
            length = 1;
        else
            out[size++] = (char)('0' + length);
        out[size++] = s[i];
        i += length;
    }
    out[size] = 0;
    return size;
}

int main(void)
{
    char word[200], out[401];
    while (scanf("%199s", word) == 1) {
        int size = encode(word, (int)strlen(word), out);
        printf("%d %s\n", size, out);
    }
    return 0;
}
