/* How the tool and the runner talk: commands on descriptor 0, replies on descriptor 1.
 *
 * Protocol, in this machine's byte order.  A blob is a u64 length and so many bytes.
 *   command  u32 length of the rest · u32 flags (1: collect files, 2: profile) · u32 case
 *            · u32 argc · argc + 1 strings, each ended by NUL: the program's name, its arguments
 *   reply    u64 length of the rest · u32 0 · u32 ending · u32 code · u64 user, system and wall
 *            nanoseconds · blob stdout · blob stderr · blob profile · u32 n · n × (blob path,
 *            blob contents)
 *        or  u64 length of the rest · u32 1 · message; the runner then exits
 * The first reply, before any command, is u64 8 · u32 0 · u32 Landlock ABI: ready.
 */
#ifndef GCCLLM_PROTOCOL_H
#define GCCLLM_PROTOCOL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"

enum { FLAG_COLLECT = 1, FLAG_PROFILE = 2 };
enum { MAX_COMMAND = 4 << 20, MAX_ARGUMENTS = 4096 };
enum ending { EXITED, SIGNALLED, TIMED_OUT, TOO_MUCH_OUTPUT, FORBIDDEN };

struct command {
    uint32_t flags, input;
    const char *program;
    char *argv[MAX_ARGUMENTS + 2];
};

static struct buffer reply;

static int write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

static bool read_all(int fd, void *bytes, size_t length)
{
    char *at = bytes;
    while (length > 0) {
        ssize_t n = read(fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

static void put_u32(uint32_t value)
{
    buffer_put(&reply, &value, sizeof value);
}

static void put_u64(uint64_t value)
{
    buffer_put(&reply, &value, sizeof value);
}

/* Every reply is built in one buffer, so that a failure half-way leaves the stream intact. */
static void begin_reply(uint32_t status)
{
    reply.length = 0;
    put_u64(0);
    put_u32(status);
}

static void send_reply(void)
{
    uint64_t length = reply.length - sizeof length;
    memcpy(reply.data, &length, sizeof length);
    if (write_all(1, reply.data, reply.length))
        _exit(1);
}

static void fail(const char *what, int error)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s: %s", what, strerror(error));
    begin_reply(1);
    buffer_put(&reply, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
    send_reply();
    _exit(1);
}

/* False at the end of the stream, that is, of the session. */
static bool read_command(struct command *c)
{
    static char body[MAX_COMMAND + 1];
    uint32_t length, argc;
    if (!read_all(0, &length, sizeof length))
        return false;
    if (length < 3 * sizeof length || length > MAX_COMMAND || !read_all(0, body, length))
        fail("command", EPROTO);
    body[length] = '\0';
    memcpy(&c->flags, body, 4);
    memcpy(&c->input, body + 4, 4);
    memcpy(&argc, body + 8, 4);
    if (argc > MAX_ARGUMENTS)
        fail("arguments", E2BIG);
    char *at = body + 12, *end = body + length;
    c->program = at;
    c->argv[0] = "./program"; /* the same for all, or the stack would lie differently */
    for (uint32_t i = 0; i <= argc; i++) {
        if (at >= end)
            fail("command", EPROTO);
        if (i)
            c->argv[i] = at;
        at += strlen(at) + 1;
    }
    c->argv[argc + 1] = NULL;
    if (strchr(c->program, '/') || is_dot(c->program) || !*c->program)
        fail("program's name", EPROTO);
    return true;
}

#endif
