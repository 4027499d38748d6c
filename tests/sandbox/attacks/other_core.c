/* Off the core on which the comparison is made, or up in its schedule. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
int main(void)
{
    cpu_set_t all;
    struct sched_param first = {1};
    for (int i = 0; i < CPU_SETSIZE; i++)
        CPU_SET(i, &all);
    int done = !sched_setaffinity(0, sizeof all, &all);
    done |= !setpriority(PRIO_PROCESS, 0, -5) || !sched_setscheduler(0, SCHED_FIFO, &first);
    puts(done ? "succeeded" : "refused");
    return 0;
}
