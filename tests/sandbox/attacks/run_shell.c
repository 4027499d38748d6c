#include <stdio.h>
#include <unistd.h>
int main(void)
{
    execl("/bin/sh", "sh", "-c", "echo succeeded", (char *)NULL);
    puts("refused");
    return 0;
}
