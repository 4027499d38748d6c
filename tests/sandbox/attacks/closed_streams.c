/* No streams at all, and other files in their numbers. */
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (int fd = 0; fd < 3; fd++)
        open("impostor", O_RDWR | O_CREAT, 0600);
    write(1, "succeeded", 9);
    return 0;
}
