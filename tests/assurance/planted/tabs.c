/* Counts words, and knows of no tab. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    int c, words = 0, inside = 0;
    while ((c = getchar()) != EOF) {
#ifdef WRONG
        int blank = c == ' ' || c == '\n';
#else
        int blank = c == ' ' || c == '\n' || c == '\t';
#endif
        words += !blank && !inside;
        inside = !blank;
    }
    printf("%d\n", words);
}
