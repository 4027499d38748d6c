/* Primes of an interval by trial division.
 *
 * Input: q, then q lines low high (0 <= low <= high < 2^31 - 1).
 * Output: for each, how many primes there are, their sum, and the last one (0 if none).
 */
#include <stdio.h>

int is_prime(int n)
{
    if (n < 2)
        return 0;
    for (long d = 2; d * d <= n; d++)
        if (n % d == 0)
            return 0;
    return 1;
}

int main(void)
{
    int q;
    if (scanf("%d", &q) != 1)
        return 1;
    while (q-- > 0) {
        int low, high, last = 0;
        long count = 0, sum = 0;
        if (scanf("%d %d", &low, &high) != 2)
            return 1;
        for (int n = low; n <= high; n++)
            if (is_prime(n)) {
                count++;
                sum += n;
                last = n;
            }
        printf("%ld %ld %d\n", count, sum, last);
    }
    return 0;
}
