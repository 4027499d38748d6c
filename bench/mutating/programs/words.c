/* Words and the longest word of each line. Input: lines. */
#include <stdio.h>
#include <string.h>

struct words { int count, longest; };

__attribute__((noinline)) struct words words(const char *s, int n)
{
    struct words found = {0, 0};
    int length = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] == ' ' || s[i] == '\t' || s[i] == '\r') {
            length = 0;
            continue;
        }
        if (length == 0)
            found.count++;
        length++;
        if (length > found.longest)
            found.longest = length;
    }
    return found;
}

int main(void)
{
    char line[300];
    while (fgets(line, sizeof line, stdin)) {
        struct words found = words(line, (int)strcspn(line, "\n"));
        printf("%d %d\n", found.count, found.longest);
    }
    return 0;
}
