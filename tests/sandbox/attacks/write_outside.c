/* argv: paths outside the working folder. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int done = 0;
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_WRONLY | O_CREAT, 0666);
        done |= fd >= 0 && write(fd, "x", 1) == 1;
        done |= !truncate(argv[i], 0);
        done |= !chmod(argv[i], 0777);
        done |= !unlink(argv[i]);
        done |= !rename(argv[i], "stolen");
        done |= !link(argv[i], "linked");
    }
    puts(done ? "succeeded" : "refused");
    return 0;
}
