/* Total number of one bits in q numbers, and the largest count of a single number.
 *
 * Input: q seed, then q numbers if seed is 0; otherwise the numbers are generated from the seed.
 * Output: the total, the largest count, and a checksum over all the counts.
 */
#include <stdio.h>

static unsigned long state;

static unsigned long generate(void)
{
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return state ^ (state >> 29);
}

int count_ones(unsigned long x)
{
    int ones = 0;
    while (x > 0) {
        ones += x & 1;
        x >>= 1;
    }
    return ones;
}

int main(void)
{
    long q;
    unsigned long seed, total = 0, checksum = 0;
    int most = 0;
    if (scanf("%ld %lu", &q, &seed) != 2)
        return 1;
    state = seed;
    for (long i = 0; i < q; i++) {
        unsigned long x = 0;
        if (seed != 0)
            x = generate();
        else if (scanf("%lu", &x) != 1)
            return 1;
        int ones = count_ones(x);
        total += ones;
        if (ones > most)
            most = ones;
        checksum = checksum * 31 + ones;
    }
    printf("%lu %d %lu\n", total, most, checksum);
    return 0;
}
