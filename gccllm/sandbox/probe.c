/* probe: what the self-test runs inside a sandbox.  argv[1] names one attempt; "ordinary" must
 * work, every other one must fail.  Says "succeeded" or "refused"; dying is as good as refused. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void *add_one(void *number)
{
    ++*(int *)number;
    return NULL;
}

/* Reads stdin, writes a file and reads it back, allocates, starts a thread. */
static int ordinary(void)
{
    char line[64] = "", again[64] = "";
    int number = 41;
    pthread_t thread;
    char *memory = malloc(1 << 24);
    FILE *file = fopen("written", "w+");
    if (!memory || !file || !fgets(line, sizeof line, stdin))
        return 1;
    memset(memory, 1, 1 << 24);
    if (fputs(line, file) < 0 || fseek(file, 0, SEEK_SET) || !fgets(again, sizeof again, file))
        return 2;
    if (pthread_create(&thread, NULL, add_one, &number) || pthread_join(thread, NULL))
        return 3;
    printf("%s %d", strtok(again, "\n"), number);
    return fclose(file);
}

/* Would opening any of these paths succeed? */
static int opens(char **paths, int flags)
{
    for (; *paths; paths++)
        if (open(*paths, flags, 0600) >= 0)
            return 1;
    return 0;
}

static int forks(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static int flood(void)
{
    static char block[1 << 16];
    signal(SIGXFSZ, SIG_IGN);
    while (write(1, block, sizeof block) > 0)
        continue;
    return 0;
}

int main(int argc, char **argv)
{
    const char *attempt = argc > 1 ? argv[1] : "";
    char **rest = argv + 2;
    int done = 0;
    if (!strcmp(attempt, "ordinary"))
        return ordinary();
    if (!strcmp(attempt, "write"))
        done = opens(rest, O_WRONLY | O_CREAT);
    else if (!strcmp(attempt, "read"))
        done = opens(rest, O_RDONLY);
    else if (!strcmp(attempt, "socket"))
        done = socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
    else if (!strcmp(attempt, "fork"))
        done = forks();
    else if (!strcmp(attempt, "signal"))
        done = !kill(getppid(), SIGCONT);
    else if (!strcmp(attempt, "trace"))
        done = !ptrace(PTRACE_ATTACH, getppid(), 0, 0);
    else if (!strcmp(attempt, "exec"))
        done = execl("/bin/sh", "sh", "-c", "echo succeeded", (char *)NULL) == 0;
    else if (!strcmp(attempt, "code"))
        done = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0) != MAP_FAILED;
    else if (!strcmp(attempt, "flood"))
        return flood();
    puts(done ? "succeeded" : "refused");
    return 0;
}
