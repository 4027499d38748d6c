/* Longest Collatz chain that starts in each of q intervals [low, high].
 *
 * Input: q, then q lines low high (1 <= low <= high).
 * Output: for each, the start with the longest chain, the chain's length in steps, and the sum
 * of all lengths.
 */
#include <stdio.h>

int chain_length(unsigned long x)
{
    int steps = 0;
    while (x != 1) {
        if (x % 2 == 0)
            x = x / 2;
        else
            x = 3 * x + 1;
        steps++;
    }
    return steps;
}

int main(void)
{
    int q;
    if (scanf("%d", &q) != 1)
        return 1;
    while (q-- > 0) {
        unsigned long low, high, best = 0;
        int longest = -1;
        long sum = 0;
        if (scanf("%lu %lu", &low, &high) != 2 || low < 1)
            return 1;
        for (unsigned long start = low; start <= high; start++) {
            int length = chain_length(start);
            sum += length;
            if (length > longest) {
                longest = length;
                best = start;
            }
        }
        printf("%lu %d %ld\n", best, longest, sum);
    }
    return 0;
}
