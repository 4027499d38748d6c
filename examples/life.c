/* Conway's game of life on a torus.
 *
 * Input: rows columns generations seed, then rows words of '.' and '#' if seed is 0; otherwise
 * the board is generated.
 * Output: the number of living cells and a checksum of the last board.
 */
#include <stdio.h>
#include <string.h>

#define MAX_N 512

static unsigned char cell[MAX_N + 2][MAX_N + 2], next[MAX_N + 2][MAX_N + 2];

void step(int rows, int columns)
{
    for (int i = 1; i <= rows; i++) {
        cell[i][0] = cell[i][columns];
        cell[i][columns + 1] = cell[i][1];
    }
    memcpy(cell[0], cell[rows], columns + 2);
    memcpy(cell[rows + 1], cell[1], columns + 2);
    for (int i = 1; i <= rows; i++)
        for (int j = 1; j <= columns; j++) {
            int around = cell[i - 1][j - 1] + cell[i - 1][j] + cell[i - 1][j + 1]
                       + cell[i][j - 1] + cell[i][j + 1]
                       + cell[i + 1][j - 1] + cell[i + 1][j] + cell[i + 1][j + 1];
            next[i][j] = around == 3 || (around == 2 && cell[i][j]);
        }
    memcpy(cell, next, sizeof cell);
}

int main(void)
{
    int rows, columns, generations;
    unsigned seed;
    if (scanf("%d %d %d %u", &rows, &columns, &generations, &seed) != 4)
        return 1;
    if (rows < 1 || rows > MAX_N || columns < 1 || columns > MAX_N)
        return 1;
    unsigned state = seed;
    for (int i = 1; i <= rows; i++)
        for (int j = 1; j <= columns; j++) {
            char c = 0;
            state = state * 1664525u + 1013904223u;
            if (seed == 0 && scanf(" %c", &c) != 1)
                return 1;
            cell[i][j] = seed == 0 ? c == '#' : state >> 30 == 0;
        }
    while (generations-- > 0)
        step(rows, columns);
    int alive = 0;
    unsigned checksum = 0;
    for (int i = 1; i <= rows; i++)
        for (int j = 1; j <= columns; j++) {
            alive += cell[i][j];
            checksum = checksum * 31u + cell[i][j];
        }
    printf("%d %u\n", alive, checksum);
    return 0;
}
