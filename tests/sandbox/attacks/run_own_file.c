/* A program of its own making, through every way to execute. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
    static const char SCRIPT[] = "#!/bin/sh\necho succeeded\n";
    char *argv[] = {"own", NULL};
    int fd = open("own", O_WRONLY | O_CREAT, 0755);
    write(fd, SCRIPT, sizeof SCRIPT - 1);
    close(fd);
    fd = open("own", O_RDONLY);
    syscall(SYS_execveat, 200, "own", argv, NULL, 0);
    syscall(SYS_execveat, 200, "/bin/sh", argv, NULL, 0);
    syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
    return 0;
}
