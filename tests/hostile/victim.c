/* What the attacks are made from: a hot loop beside most things that a unit can hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int limit = 5;
int pool[64];
const int primes[4] = {2, 3, 5, 7};
const char *const names[] = {"zero", "one; two", "three\n\"four\""};
static int calls;

__attribute__((noinline)) long hot(const int *values, int count)
{
    long sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i] * (long)primes[i & 3];
    calls++;
    return sum;
}

__attribute__((noinline)) const char *pick(int kind)
{
    switch (kind) {
    case 0: return names[0];
    case 1: return getenv("HOME");
    case 2: return names[1];
    case 3: puts("three"); return names[2];
    case 4: return strerror(limit);
    case 5: return "five";
    default: return "many";
    }
}

int main(int argc, char **argv)
{
    char text[64];
    snprintf(text, sizeof text, "%ld %s %d\n", hot(pool, 64), pick(argc), calls);
    fputs(text, stdout);
    return argv[0] == NULL;
}
