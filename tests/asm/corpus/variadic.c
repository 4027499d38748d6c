/* Variadic functions, structures by value, alloca. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct triple { long a, b, c; };
struct pair { double x; int n; };

__attribute__((noinline)) long sum(int n, ...) {
    va_list ap;
    long s = 0;
    va_start(ap, n);
    while (n-- > 0) s += va_arg(ap, int);
    va_end(ap);
    return s;
}

__attribute__((noinline)) double dsum(int n, ...) {
    va_list ap;
    double s = 0.125;
    va_start(ap, n);
    while (n-- > 0) s += va_arg(ap, double);
    va_end(ap);
    return s;
}

__attribute__((noinline)) struct triple rotate(struct triple t) {
    struct triple r = {t.c * 2, t.a + 1, t.b - 1};
    return r;
}

__attribute__((noinline)) struct pair twice(struct pair p) {
    struct pair r = {p.x * 2.5, p.n * 2};
    return r;
}

__attribute__((noinline)) int reversed(const char *s) {
    size_t n = strlen(s);
    char buffer[n + 1];
    for (size_t i = 0; i < n; i++) buffer[i] = s[n - 1 - i];
    buffer[n] = 0;
    return printf("%s\n", buffer);
}

int main(void) {
    struct triple t = rotate(rotate((struct triple){5, 6, 7}));
    struct pair p = twice((struct pair){1.25, 21});
    printf("%ld %.4f %ld %ld %ld ", sum(4, 1, -2, 300, 4), dsum(3, 1.5, 2.5, 3.5), t.a, t.b, t.c);
    printf("%.4f %d\n", p.x, p.n);
    return reversed("live on time") != 13;
}
