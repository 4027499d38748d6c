/* Harshad numbers: how many numbers of an interval are divisible by the sum of their digits.
 *
 * Input: q, then q lines low high (1 <= low <= high).
 * Output: for each interval, the count, the sum of all digits, and the largest Harshad number.
 */
#include <stdio.h>

int digit_sum(unsigned n)
{
    int sum = 0;
    while (n > 0) {
        sum += n % 10;
        n /= 10;
    }
    return sum;
}

int main(void)
{
    int q;
    if (scanf("%d", &q) != 1)
        return 1;
    while (q-- > 0) {
        unsigned low, high, last = 0;
        long count = 0, sum = 0;
        if (scanf("%u %u", &low, &high) != 2 || low < 1 || high > 4000000000u)
            return 1;
        for (unsigned n = low; n <= high; n++) {
            unsigned digits = digit_sum(n);
            sum += digits;
            if (n % digits == 0) {
                count++;
                last = n;
            }
        }
        printf("%ld %ld %u\n", count, sum, last);
    }
    return 0;
}
