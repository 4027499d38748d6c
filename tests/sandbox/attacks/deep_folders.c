/* Nested too deeply for any path, and each closed to its owner. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void)
{
    for (int i = 0; i < 1000; i++)
        if (mkdir("a-name-that-is-not-short", 0300) || chdir("a-name-that-is-not-short"))
            break;
    mkdir("closed", 0);
    puts("refused");
    return 0;
}
