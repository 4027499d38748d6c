/* Jump tables, string tables and a table of constants. */
#include <stdio.h>

static const double weights[6] = {0.5, 1.25, 2.75, 3.5, 4.125, 5.0625};

__attribute__((noinline)) int dispatch(int op, int a, int b) {
    switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return b ? a / b : 0;
    case 4: return a & b;
    case 5: return a | (b << 1);
    case 6: return a ^ (b * 3);
    case 7: return a << (b & 7);
    case 8: printf("op8 %d\n", a); return 8;
    default: return -1;
    }
}

__attribute__((noinline)) const char *label(int i) {
    switch (i) {
    case 0: return "zero";
    case 1: return "one";
    case 2: return "two";
    case 3: return "three";
    case 4: return "four";
    case 5: return "five";
    default: return "many";
    }
}

__attribute__((noinline)) double weigh(const int *v, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += weights[i % 6] * v[i];
    return sum;
}

int main(void) {
    int v[40];
    long total = 0;
    for (int i = 0; i < 40; i++) v[i] = i * 7 - 60;
    for (int op = -1; op < 12; op++) total = total * 31 + dispatch(op, op * 5 + 3, op - 2);
    for (int i = -1; i < 8; i++) printf("%s ", label(i));
    printf("%ld %.6f\n", total, weigh(v, 40));
    return 0;
}
