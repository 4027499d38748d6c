/* Four digits a round, from a table. */
int digit_sum(unsigned n)
{
    static unsigned char sums[10000];
    if (sums[1] == 0)
        for (int i = 1; i < 10000; i++)
            sums[i] = (unsigned char)(sums[i / 10] + i % 10);
    return sums[n % 10000] + sums[n / 10000 % 10000] + sums[n / 100000000];
}
