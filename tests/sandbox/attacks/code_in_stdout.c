/* Code written to stdout, which is memory, and mapped from there. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
    write(1, "\xc3", 1);
    void *p = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 1, 0);
    puts(p != MAP_FAILED ? "succeeded" : "refused");
    return 0;
}
