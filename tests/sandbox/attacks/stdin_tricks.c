/* Spoils the input for the next run: contents, size, mode, position, lease. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void)
{
    char byte;
    int done = write(0, "x", 1) == 1 || pwrite(0, "x", 1, 0) == 1 || !ftruncate(0, 0);
    done |= !fchmod(0, 0) || !fchown(0, 0, 0) || !futimens(0, NULL);
    done |= !fcntl(0, F_SETLEASE, F_RDLCK);
    lseek(0, 0, SEEK_END);
    done |= read(0, &byte, 1) != 0;
    puts(done ? "succeeded" : "refused");
    return 0;
}
