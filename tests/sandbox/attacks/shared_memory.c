/* System V memory outlives its process. */
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>
int main(void)
{
    puts(shmget(0x67636c6d, 4096, IPC_CREAT | 0600) >= 0 ? "succeeded" : "refused");
    return 0;
}
