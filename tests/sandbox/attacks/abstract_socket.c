/* An abstract socket's name would survive in a network namespace. */
#include <stdio.h>
#include <sys/socket.h>
int main(void)
{
    puts(socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? "succeeded" : "refused");
    return 0;
}
