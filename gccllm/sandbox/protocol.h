/* How the tool and the runner talk: commands on descriptor 0, replies on descriptor 1.
 *
 * Protocol, in this machine's byte order.  A blob is a u64 length and so many bytes.
 *   command  u32 length of the rest · u32 flags · u32 case · u32 argc
 *            · argc + 1 strings, each ended by NUL: the program's name, its arguments
 *   result   u32 ending · u32 code · u64 user, system and wall nanoseconds · blob stdout
 *            · blob stderr · blob notes · u32 n · n × (blob path, blob contents)
 *   reply    u64 length of the rest · u32 0 · result
 *        or  u64 length of the rest · u32 1 · message; the runner then exits
 * flags: 1: collect files, 2: descriptor 3 is a file for notes, and timers are allowed,
 *        8: descriptor 3 is a file for notes.
 *
 * With flag 4 many inputs for one program, each a trial:
 *   command  u32 length of the rest · u32 flags · u32 n · u32 0 · the program's name and NUL
 *            · n × (u32 trial · u32 case whose files and variables it is given, or NO_CASE · u32 argc
 *                   · argc strings, each ended by NUL)
 *   reply    u64 length of the rest · u32 0 · u32 m · m × result: of the first m, at least one
 *
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

enum { FLAG_COLLECT = 1, FLAG_PROFILE = 2, FLAG_MANY = 4, FLAG_NOTES = 8 };
static const uint32_t NO_CASE = ~(uint32_t)0;
enum { MAX_COMMAND = 4 << 20, MAX_ARGUMENTS = 4096 };
enum ending { EXITED, SIGNALLED, TIMED_OUT, TOO_MUCH_OUTPUT, FORBIDDEN };

struct command {
    uint32_t flags, input; /* input: the case, or how many trials follow */
    const char *program;
    char *argv[MAX_ARGUMENTS + 2];
    char *at, *end;        /* what is left of the command: the trials */
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

static uint32_t take_u32(struct command *c)
{
    uint32_t value;
    if ((size_t)(c->end - c->at) < sizeof value)
        fail("command", EPROTO);
    memcpy(&value, c->at, sizeof value);
    c->at += sizeof value;
    return value;
}

/* The body ends with a NUL of our own, so a string always ends. */
static char *take_string(struct command *c)
{
    char *string = c->at;
    if (string >= c->end)
        fail("command", EPROTO);
    c->at += strlen(string) + 1;
    return string;
}

static void take_arguments(struct command *c, uint32_t argc)
{
    if (argc > MAX_ARGUMENTS)
        fail("arguments", E2BIG);
    c->argv[0] = "./program"; /* the same for all, or the stack would lie differently */
    for (uint32_t i = 1; i <= argc; i++)
        c->argv[i] = take_string(c);
    c->argv[argc + 1] = NULL;
}

/* False at the end of the stream, that is, of the session. */
static bool read_command(struct command *c)
{
    static char body[MAX_COMMAND + 1];
    uint32_t length;
    if (!read_all(0, &length, sizeof length))
        return false;
    if (length < 3 * sizeof length || length > MAX_COMMAND || !read_all(0, body, length))
        fail("command", EPROTO);
    body[length] = '\0';
    c->at = body;
    c->end = body + length;
    c->flags = take_u32(c);
    c->input = take_u32(c);
    uint32_t argc = take_u32(c);
    c->program = take_string(c);
    take_arguments(c, argc);
    if (strchr(c->program, '/') || is_dot(c->program) || !*c->program)
        fail("program's name", EPROTO);
    return true;
}

#endif
