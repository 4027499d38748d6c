/* Talks to the network. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void)
{
    puts(socket(AF_INET, SOCK_DGRAM, 0) >= 0 ? "succeeded" : "refused");
    return 0;
}
