/* Days since the first of January. Input: lines year month day. */
#include <stdio.h>

__attribute__((noinline)) int day_of_year(int year, int month, int day)
{
    static const short before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return -1;
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int days = before[month - 1] + day - 1;
    if (leap && month > 2)
        days++;
    return days;
}

int main(void)
{
    int year, month, day;
    while (scanf("%d %d %d", &year, &month, &day) == 3)
        printf("%d\n", day_of_year(year, month, day));
    return 0;
}
