/* Looks for the session's other inputs and for descriptors that the runner forgot. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
int main(void)
{
    static const char *const PATHS[] = {
        "../../inputs/0.in", "../inputs/0.in", "/inputs/0.in", "/cell/0.in", "../../programs",
        "/programs", "/proc/self/fd/3",
    };
    struct stat st;
    int done = 0;
    for (unsigned i = 0; i < sizeof PATHS / sizeof *PATHS; i++)
        done |= open(PATHS[i], O_RDONLY) >= 0;
    for (int fd = 3; fd < 1024; fd++)
        done |= !fstat(fd, &st);
    puts(done ? "succeeded" : "refused");
    return 0;
}
