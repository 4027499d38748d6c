#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
int main(void)
{
    puts(unshare(CLONE_NEWUSER) ? "refused" : "succeeded");
    return 0;
}
