/* Odd divisors only, and 32-bit divisions. */
int is_prime(int n)
{
    if (n < 4)
        return n > 1;
    if (n % 2 == 0)
        return 0;
    unsigned value = (unsigned)n;
    for (unsigned d = 3; d <= 46340 && d * d <= value; d += 2)
        if (value % d == 0)
            return 0;
    return 1;
}
