#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    char name[32];
    for (int i = 0; i < 3000000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    puts("succeeded");
    return 0;
}
