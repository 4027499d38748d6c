/* CRC-16 (CCITT) of lines of text. Input: lines; output: a sum for each. */
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) unsigned crc16(const char *s, int n)
{
    unsigned crc = 0xffff;
    for (int i = 0; i < n; i++) {
        crc ^= (unsigned)(unsigned char)s[i] << 8;
        for (int k = 0; k < 8; k++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        crc &= 0xffff;
    }
    return crc;
}

int main(void)
{
    char line[200];
    while (fgets(line, sizeof line, stdin))
        printf("%u\n", crc16(line, (int)strcspn(line, "\n")));
    return 0;
}
