/* The 32-bit system calls have other numbers, which a careless filter lets through. */
#include <stdio.h>
int main(void)
{
    int result = 20; /* getpid */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    puts(result > 0 ? "succeeded" : "refused");
    return 0;
}
