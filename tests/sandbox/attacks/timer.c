/* A timer tells a timed run from a tested one. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
int main(void)
{
    struct itimerval soon = {{0, 1000}, {0, 1000}};
    timer_t timer;
    signal(SIGPROF, SIG_IGN);
    int done = !setitimer(ITIMER_PROF, &soon, NULL);
    done |= !timer_create(CLOCK_MONOTONIC, NULL, &timer);
    puts(done ? "succeeded" : "refused");
    return 0;
}
