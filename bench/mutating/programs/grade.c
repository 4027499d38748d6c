/* Prices by weight, zone and age. Input: lines weight zone days. */
#include <stdio.h>

__attribute__((noinline)) int price(int weight, int zone, int days)
{
    if (weight <= 0 || zone < 1)
        return -1;
    int base = 120;
    if (weight > 31500)
        return -2;
    if (weight > 20000)
        base += 900;
    else if (weight > 5000)
        base += 450;
    else if (weight > 500)
        base += 100;
    if (zone == 3)
        base += 75;
    else if (zone > 3)
        base += 60 * zone;
    if (days == 0)
        base *= 2;
    else if (days < 3)
        base += base / 3;
    return base;
}

int main(void)
{
    int weight, zone, days;
    while (scanf("%d %d %d", &weight, &zone, &days) == 3)
        printf("%d\n", price(weight, zone, days));
    return 0;
}
