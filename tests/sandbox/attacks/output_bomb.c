/* Both streams, and deaf to the signal that says enough. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
    static char block[1 << 16];
    memset(block, 'x', sizeof block);
    signal(SIGXFSZ, SIG_IGN);
    for (int fd = 1; fd <= 2; fd++)
        while (write(fd, block, sizeof block) > 0)
            continue;
    return 0;
}
