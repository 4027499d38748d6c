/* Many files, each within the limit. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
    static char block[1 << 20];
    char name[32];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd < 0 || write(fd, block, sizeof block) != sizeof block)
            return 1;
        close(fd);
    }
    puts("succeeded");
    return 0;
}
