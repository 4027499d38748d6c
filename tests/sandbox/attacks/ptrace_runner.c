#include <stdio.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(void)
{
    puts(ptrace(PTRACE_SEIZE, getppid(), 0, 0) ? "refused" : "succeeded");
    return 0;
}
