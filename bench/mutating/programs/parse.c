/* Numbers in words of any base up to 16, held within 32 bits. Input: lines base word. */
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) int parsed(const char *s, int base, int *bad)
{
    long value = 0;
    int negative = 0;
    *bad = 0;
    if (*s == '-' || *s == '+')
        negative = *s++ == '-';
    if (*s == 0)
        *bad = 1;
    for (; *s; s++) {
        int digit = 99;
        if (*s >= '0' && *s <= '9')
            digit = *s - '0';
        else if (*s >= 'a' && *s <= 'f')
            digit = *s - 'a' + 10;
        else if (*s >= 'A' && *s <= 'F')
            digit = *s - 'A' + 10;
        if (digit >= base) {
            *bad = 1;
            break;
        }
        value = value * base + digit;
        if (value > 2147483648)
            value = 2147483648;
    }
    if (negative)
        return (int)-value;
    return value > 2147483647 ? 2147483647 : (int)value;
}

int main(void)
{
    char word[80];
    int base, bad;
    while (scanf("%d %79s", &base, word) == 2) {
        if (base < 2 || base > 16)
            return 1;
        int value = parsed(word, base, &bad);
        printf("%d %d\n", value, bad);
    }
    return 0;
}
