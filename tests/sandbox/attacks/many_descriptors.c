/* Wants the number that the filter lets through to exec. */
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    puts(dup2(0, 200) == 200 ? "succeeded" : "refused");
    return 0;
}
