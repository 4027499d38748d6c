#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    puts(kill(getppid(), SIGKILL) ? "refused" : "succeeded");
    return 0;
}
