/* All-pairs shortest paths (Floyd-Warshall) in a directed graph.
 *
 * Input: n m seed, then m lines from to length (vertices from 0) if seed is 0; otherwise the
 * edges are generated. Lengths are at most 10000.
 * Output: the number of reachable ordered pairs, the longest and the sum of all the distances.
 */
#include <stdio.h>

#define MAX_N 600
#define FAR 1000000000

static int d[MAX_N][MAX_N];

static int min(int x, int y)
{
    return x < y ? x : y;
}

void shortest_paths(int n)
{
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                d[i][j] = min(d[i][j], d[i][k] + d[k][j]);
}

int main(void)
{
    int n, m;
    unsigned seed;
    if (scanf("%d %d %u", &n, &m, &seed) != 3 || n < 0 || n > MAX_N || (m > 0 && n == 0))
        return 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            d[i][j] = i == j ? 0 : FAR;
    unsigned state = seed;
    for (int i = 0; i < m; i++) {
        int edge[3];
        for (int k = 0; k < 3; k++) {
            state = state * 1664525u + 1013904223u;
            edge[k] = (int)((state >> 8) % (unsigned)(k < 2 ? n : 10000));
            if (seed == 0 && scanf("%d", &edge[k]) != 1)
                return 1;
        }
        if (edge[0] < 0 || edge[0] >= n || edge[1] < 0 || edge[1] >= n || edge[2] < 0 || edge[2] > 10000)
            return 1;
        d[edge[0]][edge[1]] = min(d[edge[0]][edge[1]], edge[2]);
    }
    shortest_paths(n);
    long pairs = 0, sum = 0;
    int longest = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (i != j && d[i][j] < FAR) {
                pairs++;
                sum += d[i][j];
                if (d[i][j] > longest)
                    longest = d[i][j];
            }
    printf("%ld %d %ld\n", pairs, longest, sum);
    return 0;
}
