/* Closest and farthest pair of n points with integer coordinates, by trying all pairs.
 *
 * Input: n seed, then n lines x y (from -10000 to 10000) if seed is 0; otherwise generated.
 * Output: the smallest and the largest squared distance; "0 0" when there is no pair.
 */
#include <stdio.h>

#define MAX_N 20000

static int x[MAX_N], y[MAX_N];

int main(void)
{
    int n;
    unsigned seed;
    if (scanf("%d %u", &n, &seed) != 2 || n < 0 || n > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (int)((state >> 8) % 20001) - 10000;
        state = state * 1664525u + 1013904223u;
        y[i] = (int)((state >> 8) % 20001) - 10000;
        if (seed == 0 && scanf("%d %d", &x[i], &y[i]) != 2)
            return 1;
    }
    int closest = n > 1 ? 2000000000 : 0, farthest = 0;
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            int dx = x[i] - x[j], dy = y[i] - y[j];
            int d = dx * dx + dy * dy;
            if (d < closest)
                closest = d;
            if (d > farthest)
                farthest = d;
        }
    printf("%d %d\n", closest, farthest);
    return 0;
}
