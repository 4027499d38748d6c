/* Scalar and vector floating point with constants of several widths. */
#include <stdio.h>

__attribute__((noinline)) double polynomial(double x) {
    return ((1.5 * x - 2.25) * x + 3.125) * x - 0.0625;
}

__attribute__((noinline)) float scale(float *v, int n, float k) {
    float sum = 0.5f;
    for (int i = 0; i < n; i++) {
        v[i] = v[i] * k + 0.25f;
        sum += v[i] > 0 ? v[i] : -v[i];
    }
    return sum;
}

__attribute__((noinline)) void ramp(double *out, int n) {
    for (int i = 0; i < n; i++) out[i] = i * 0.375 + 1.0;
}

__attribute__((noinline)) int mix(const int *v, int n) {
    int s = 0;
    for (int i = 0; i < n; i++) s += (v[i] * 3) ^ (v[i] >> 2);
    return s;
}

__attribute__((noinline)) long double wide(long double x) { return x * 1.5L + 0.25L; }

int main(void) {
    float f[33];
    double d[21];
    int v[50];
    for (int i = 0; i < 33; i++) f[i] = i - 12;
    for (int i = 0; i < 50; i++) v[i] = i * 1234567;
    ramp(d, 21);
    printf("%.9g %.9g ", polynomial(1.375), scale(f, 33, 1.5f));
    printf("%.9g %d %.9Lg\n", d[20] + d[7], mix(v, 50), wide(2.5L));
    return 0;
}
