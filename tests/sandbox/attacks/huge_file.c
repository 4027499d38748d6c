#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("huge", O_RDWR | O_CREAT, 0600);
    int done = !ftruncate(fd, 1ll << 30);
    done |= pwrite(fd, "x", 1, 1ll << 30) == 1;
    done |= !ftruncate(1, 1ll << 30);
    puts(done ? "succeeded" : "refused");
    return 0;
}
