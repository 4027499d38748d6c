/* argv: files of the host (a password file, the outputs that a recording expects). */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    int done = 0;
    for (int i = 1; i < argc; i++)
        done |= open(argv[i], O_RDONLY) >= 0 || opendir(argv[i]);
    puts(done ? "succeeded" : "refused");
    return 0;
}
