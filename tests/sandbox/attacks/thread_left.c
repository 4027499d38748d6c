/* main leaves, the thread stays: the process never ends by itself. */
#include <pthread.h>
static void *forever(void *unused)
{
    for (;;)
        __asm__ volatile("");
    return unused;
}
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, forever, NULL);
    pthread_exit(NULL);
}
