/* Starts processes as long as the system lets it. */
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    for (int i = 0; i < 50; i++)
        if (fork() > 0)
            puts("succeeded");
    return 0;
}
