#include <signal.h>
#include <stdio.h>
int main(void)
{
    puts(kill(-1, SIGKILL) ? "refused" : "succeeded");
    return 0;
}
