/* First written, then made executable. */
#include <stdio.h>
#include <sys/mman.h>
int main(void)
{
    unsigned char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = 0xc3;
    puts(mprotect(p, 4096, PROT_READ | PROT_EXEC) ? "refused" : "succeeded");
    return 0;
}
