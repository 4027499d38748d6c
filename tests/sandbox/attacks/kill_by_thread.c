/* Signals by the less usual calls. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    pid_t up = getppid();
    int done = !syscall(SYS_tkill, up, SIGKILL);
    done |= !syscall(SYS_rt_sigqueueinfo, up, SIGKILL, &info);
    done |= !syscall(SYS_rt_tgsigqueueinfo, up, up, SIGKILL, &info);
    puts(done ? "succeeded" : "refused");
    fflush(stdout);
    syscall(SYS_tgkill, up, up, SIGKILL);
    puts("succeeded");
    return 0;
}
