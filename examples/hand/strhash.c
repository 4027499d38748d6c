/* Eight letters a round: the powers of 31 are known, so one multiplication is on the chain. */
unsigned hash(unsigned h, const char *s, int n)
{
    const unsigned char *c = (const unsigned char *)s;
    int i = 0;
    for (; i + 8 <= n; i += 8)
        h = h * 2487512833u
          + (c[i] * 1742810335u + c[i + 1] * 887503681u + c[i + 2] * 28629151u
             + c[i + 3] * 923521u)
          + (c[i + 4] * 29791u + c[i + 5] * 961u + c[i + 6] * 31u + c[i + 7]);
    for (; i < n; i++)
        h = h * 31 + c[i];
    return h;
}
