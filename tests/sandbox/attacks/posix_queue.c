/* So does a message queue. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
int main(void)
{
    puts(mq_open("/gccllm", O_CREAT | O_RDWR, 0600, NULL) >= 0 ? "succeeded" : "refused");
    return 0;
}
