#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *wait_long(void *unused)
{
    sleep(1000);
    return unused;
}
int main(void)
{
    pthread_attr_t small;
    pthread_t thread;
    int threads = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    while (threads < 5000 && !pthread_create(&thread, &small, wait_long, NULL))
        threads++;
    puts(threads >= 5000 ? "succeeded" : "refused");
    return 0;
}
