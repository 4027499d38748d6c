#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    char path[64];
    int done = 0;
    static const char *const NAMES[] = {"mem", "maps", "environ", "cmdline", "fd/0", "root"};
    int pids[] = {1, getpid(), getppid()};
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        for (int k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "/proc/%d/%s", pids[k], NAMES[i]);
            done |= open(path, O_RDONLY) >= 0;
        }
    puts(done ? "succeeded" : "refused");
    return 0;
}
