/* All the halvings after a tripling at once: tzcnt gives their number. */
int chain_length(unsigned long x)
{
    int halvings = __builtin_ctzl(x);
    int steps = halvings;
    x >>= halvings;
    while (x != 1) {
        x = 3 * x + 1;
        halvings = __builtin_ctzl(x);
        x >>= halvings;
        steps += halvings + 1;
    }
    return steps;
}
