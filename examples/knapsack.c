/* 0/1 knapsack: the best value of items that fit into a capacity, with one row of the table.
 *
 * Input: n capacity seed, then n lines weight value if seed is 0; otherwise they are generated.
 * Output: the best value, and the sum of the best values of all smaller capacities too.
 */
#include <stdio.h>

#define MAX_CAPACITY 200000

static int best[MAX_CAPACITY + 1];

void take(int *row, int capacity, int weight, int value)
{
    for (int c = capacity; c >= weight; c--)
        if (row[c - weight] + value > row[c])
            row[c] = row[c - weight] + value;
}

int main(void)
{
    int n, capacity;
    unsigned seed;
    if (scanf("%d %d %u", &n, &capacity, &seed) != 3 || capacity < 0 || capacity > MAX_CAPACITY)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        int weight, value;
        if (seed != 0) {
            state = state * 1664525u + 1013904223u;
            weight = 1 + (int)((state >> 8) % 1000);
            state = state * 1664525u + 1013904223u;
            value = (int)((state >> 8) % 10000);
        } else if (scanf("%d %d", &weight, &value) != 2 || weight < 0) {
            return 1;
        }
        take(best, capacity, weight, value);
    }
    long sum = 0;
    for (int c = 0; c <= capacity; c++)
        sum += best[c];
    printf("%d %ld\n", best[capacity], sum);
    return 0;
}
