/* Loops that vectorise, unroll and turn into calls of memset and memcpy. */
#include <stdio.h>
#include <string.h>

int grid[32][32];
unsigned char bytes[257];

__attribute__((noinline)) void fill(int k) {
    for (int i = 0; i < 32; i++)
        for (int j = 0; j < 32; j++) grid[i][j] = (i * j + k) % 97;
}

__attribute__((noinline)) long trace(void) {
    long s = 0;
    for (int i = 0; i < 32; i++) s += grid[i][i] * (long)grid[31 - i][i];
    return s;
}

__attribute__((noinline)) int count(const unsigned char *p, int n, int c) {
    int hits = 0;
    for (int i = 0; i < n; i++) hits += p[i] == c;
    return hits;
}

__attribute__((noinline)) void clear(unsigned char *p, int n) {
    for (int i = 0; i < n; i++) p[i] = 0;
}

__attribute__((noinline)) unsigned hash(const char *s) {
    unsigned h = 2166136261u;
    while (*s) h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

__attribute__((noinline)) int largest(const int *v, int n) {
    int best = v[0];
    for (int i = 1; i < n; i++)
        if (v[i] > best) best = v[i];
    return best;
}

int main(void) {
    fill(5);
    for (int i = 0; i < 257; i++) bytes[i] = (unsigned char)(i * i);
    int c = count(bytes, 257, 9);
    clear(bytes + 100, 50);
    printf("%ld %d %d %u %d\n", trace(), c, count(bytes, 257, 0), hash("gcc"), largest(grid[3], 32));
    return 0;
}
