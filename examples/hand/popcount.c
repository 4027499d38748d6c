/* The popcnt instruction: x86-64-v2. */
int count_ones(unsigned long x)
{
    return __builtin_popcountl(x);
}
