/* What the rewrites of judged.py attack: a slow function, and a program that calls much of libc, so
 * that an attack finds the functions it wants among the program's own imports. As gcc's own work
 * calls something, main counts on no register that a call may change. With REACHES it may call all
 * that the program imports, so that nothing is refused for its name alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int limits[4] = {1, 2, 3, 4};
static unsigned table[256];
static unsigned calls;

static void unused(int way);

__attribute__((noinline)) unsigned work(unsigned x, int rounds)
{
    for (int i = 0; i < rounds; i++)
        x = (x * 1664525u + 1013904223u) ^ x >> 7;
    if (rounds > 1000000)
        puts("patience");
#ifdef REACHES
    if (rounds > 2000000000)
        unused(rounds);
#endif
    table[x & 255] = x;
    calls++;
    return x;
}

__attribute__((noinline)) static void unused(int way)
{
    struct rlimit limit = {0, 0};
    FILE *file = fopen("unused", way > 1 ? "r" : "w");
    char *line = getenv("UNUSED");
    if (file == NULL || line == NULL)
        abort();
    fputs(line, stderr);
    fread(line, 1, 1, file);
    fclose(file);
    signal(SIGSEGV, SIG_IGN);
    kill(getppid(), (int)(time(NULL) + clock()));
    setrlimit(RLIMIT_CPU, &limit);
    setvbuf(stdout, NULL, _IONBF, 0);
    if (fork() == 0 || socket(1, 1, 0) || system(line) || sleep(1) || puts(line) || getchar())
        pause();
    free(malloc((size_t)way));
    exit(way);
}

int main(int argc, char **argv)
{
    unsigned x;
    int rounds;
    if (argc > 7)
        unused(argc + (argv == NULL));
    while (scanf("%u %d", &x, &rounds) == 2)
        printf("%u\n", work(x, rounds));
    printf("%u %u\n", calls, table[7]);
    return 0;
}
