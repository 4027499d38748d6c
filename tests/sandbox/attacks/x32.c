#include <stdio.h>
#include <unistd.h>
int main(void)
{
    puts(syscall(0x40000000 + 39) > 0 ? "succeeded" : "refused");
    return 0;
}
