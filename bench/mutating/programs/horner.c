/* Averages and a polynomial, in doubles. Input: n x, then n coefficients. */
#include <stdio.h>

static double c[300];

__attribute__((noinline)) double value(const double *v, int n, double x)
{
    double y = 0;
    for (int i = n - 1; i >= 0; i--)
        y = y * x + v[i];
    return y;
}

__attribute__((noinline)) double mean(const double *v, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += v[i];
    return n > 0 ? sum / n : 0;
}

int main(void)
{
    int n;
    double x;
    if (scanf("%d %lf", &n, &x) != 2 || n < 0 || n > 300)
        return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%lf", &c[i]) != 1)
            return 1;
    printf("%.9g %.9g\n", value(c, n, x), mean(c, n));
    return 0;
}
