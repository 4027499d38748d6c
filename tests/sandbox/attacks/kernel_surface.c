/* argv[1]: the number of a system call that only an attack on the kernel has a use for. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    puts(argc == 2 && syscall(atol(argv[1]), 0, 0, 0, 0, 0) >= 0 ? "succeeded" : "refused");
    return 0;
}
