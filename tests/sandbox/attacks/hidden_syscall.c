/* `socket` by a syscall instruction inside another instruction's constant. */
#include <stdio.h>
int main(void)
{
    long result = 41;
    __asm__ volatile("jmp 1f+1\n"
                     "1: movl $0x90c3050f, %%ebx\n" /* bb 0f 05 c3 90: skip bb, run 0f 05 */
                     : "+a"(result)
                     : "D"(2L), "S"(1L), "d"(0L)
                     : "rbx", "rcx", "r11", "memory");
    puts(result >= 0 ? "succeeded" : "refused");
    return 0;
}
