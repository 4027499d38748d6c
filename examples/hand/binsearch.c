/* No branch depends on the data: the lower half is skipped by a multiplication or a cmov. */
int lower_bound(const int *v, int n, int key)
{
    const int *base = v;
    if (n == 0)
        return 0;
    while (n > 1) {
        int half = n / 2;
        base += (base[half - 1] < key) * half;
        n -= half;
    }
    return (int)(base - v) + (*base < key);
}
