/* One run of a program: started, watched, waited for, cleaned up after, and its result. */
#ifndef GCCLLM_RUN_H
#define GCCLLM_RUN_H

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "child.h"
#include "folder.h"
#include "protocol.h"
#include "settings.h"

enum { INPUTS_FD = 3, PROGRAMS_FD = 4, FIRST_FREE_FD = 5 };

/* How often the size of a running program's folder is looked at. */
static const uint64_t WATCH_NANOSECONDS = 100 * 1000 * 1000;

struct result {
    enum ending ending;
    uint32_t code;
    uint64_t user, system, wall;
};

static int work_fd;

/* In a process namespace of our own? Else the list of this process's children. */
static bool namespaced;
static FILE *children;

static void watch_children(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    children = namespaced ? NULL : fopen(path, "re");
}

/* ---- waiting and cleaning up --------------------------------------------------------------- */

/* Kill whatever a program left.  Whoever runs programs is a subreaper: orphans become its own
 * children, and without children nothing is left.  Under bubblewrap the namespace is killed
 * (neither process 1 nor the caller is met by that), elsewhere the children. */
static void kill_rest(void)
{
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
        if (namespaced)
            kill(-1, SIGKILL);
        else if (children) {
            rewind(children);
            for (int pid; fscanf(children, "%d", &pid) == 1;)
                kill(pid, SIGKILL);
        }
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
            return;
    }
}

/* Has the working folder outgrown its limits?  The file system's counters are the quick look;
 * on a shared disk they move for other reasons too, so the folder itself is counted. */
static bool folder_too_big(int folder, const struct statvfs *before)
{
    struct statvfs now;
    if (fstatvfs(folder, &now))
        return false;
    bool bytes = before->f_bfree > now.f_bfree &&
                 (before->f_bfree - now.f_bfree) * now.f_frsize > settings.scratch;
    bool entries = before->f_ffree > now.f_ffree &&
                   before->f_ffree - now.f_ffree > settings.entries;
    if (!bytes && !entries)
        return false;
    struct usage u = {0, 0, settings.scratch, settings.entries};
    return usage_exceeds(folder, &u, 0);
}

static bool nobody_left;

/* Has the other end left?  bwrap's own death signal does not reach a runner of another uid. */
static bool hung_up(void)
{
    struct pollfd commands = {0, 0, 0};
    return poll(&commands, 1, 0) == 1 && commands.revents & (POLLHUP | POLLERR);
}

/* Wait for the program; kill it at its deadline, when its folder is too big, or when there is
 * nobody left to tell. */
static struct result wait_for(pid_t pid, int folder, const struct statvfs *before)
{
    struct result r = {0};
    struct rusage used;
    int status;
    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    const uint64_t begin = clock_ns();
    uint64_t end, slept = 0;
    bool late = false, too_big = false, alone = false;
    for (;;) {
        pid_t got = wait4(pid, &status, WNOHANG, &used);
        end = clock_ns();
        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            fail("wait", errno);
        late = late || end - begin >= settings.wall;
        if (slept && end - slept >= WATCH_NANOSECONDS) {
            too_big = folder_too_big(folder, before);
            alone = nobody_left = hung_up();
        }
        slept = end;
        if (late || too_big || alone) {
            kill(pid, SIGKILL);
            while (wait4(pid, &status, 0, &used) < 0)
                if (errno != EINTR)
                    fail("wait", errno);
            end = clock_ns();
            break;
        }
        uint64_t left = settings.wall - (end - begin);
        if (left > WATCH_NANOSECONDS)
            left = WATCH_NANOSECONDS;
        struct timespec t = {(time_t)(left / SECOND), (long)(left % SECOND)};
        sigtimedwait(&child_ended, NULL, &t); /* SIGCHLD is blocked: none is missed */
    }
    uint64_t user = timeval_ns(used.ru_utime), system = timeval_ns(used.ru_stime);
    r.user = user > shared->user ? user - shared->user : 0;
    r.system = system > shared->system ? system - shared->system : 0;
    r.wall = shared->started && end > shared->started ? end - shared->started : 0;
    if (WIFEXITED(status)) {
        r.ending = EXITED;
        r.code = (uint32_t)WEXITSTATUS(status);
    } else {
        r.code = (uint32_t)WTERMSIG(status);
        bool out_of_time = r.code == SIGXCPU ||
                           (r.code == SIGKILL && user + system >= settings.cpu * SECOND);
        r.ending = late || out_of_time    ? TIMED_OUT
                   : too_big              ? TOO_MUCH_OUTPUT
                   : r.code == SIGSYS     ? FORBIDDEN
                   : r.code == SIGXFSZ    ? TOO_MUCH_OUTPUT
                                          : SIGNALLED;
    }
    return r;
}

/* ---- one run ------------------------------------------------------------------------------- */

static int must_open(int fd, const char *what)
{
    if (fd < 0)
        fail(what, errno);
    return fd;
}

static int open_input(const char *pattern, uint32_t number)
{
    char name[32];
    snprintf(name, sizeof name, pattern, number);
    int fd = openat(INPUTS_FD, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return must_open(fd, "input");
}

/* The case's own files, or -1 if it has none. */
static int open_case_files(uint32_t input)
{
    char name[32];
    snprintf(name, sizeof name, "%u.files", input);
    int fd = open_folder(INPUTS_FD, name);
    if (fd < 0 && errno != ENOENT)
        fail("files of the case", errno);
    return fd;
}

/* Take over the variables of a case, each NAME=VALUE ended by NUL; none where it has no such file. */
static void load_environment(uint32_t input)
{
    static char text[MAX_VARIABLE_BYTES + 1];
    char name[32];
    own_variables = 0;
    if (input == NO_CASE)
        return;
    snprintf(name, sizeof name, "%u.env", input);
    int fd = openat(INPUTS_FD, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return;
    ssize_t length = read(must_open(fd, "variables"), text, MAX_VARIABLE_BYTES + 1);
    close(fd);
    if (length < 0 || length > MAX_VARIABLE_BYTES)
        fail("variables", length < 0 ? errno : E2BIG);
    text[length] = '\0';
    for (char *at = text; at < text + length; at += strlen(at) + 1) {
        if (own_variables == MAX_VARIABLES)
            fail("variables", E2BIG);
        environment[own_variables++] = at;
    }
}

static int open_program(const char *name)
{
    return must_open(openat(PROGRAMS_FD, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), "program");
}

/* An empty working folder. */
static int fresh_folder(void)
{
    if (empty_folder(work_fd) || mkdirat(work_fd, "run", 0700))
        fail("working folder", errno);
    return must_open(open_folder(work_fd, "run"), "working folder");
}

static bool too_long(int fd)
{
    struct stat st;
    return fstat(fd, &st) || (uint64_t)st.st_size > settings.output;
}

/* A result, at the end of the reply: its head goes in last, when it is known whether all of it
 * fitted. */
static void put_result(uint32_t flags, const struct descriptors *d, int originals,
                       struct result *r)
{
    size_t head = reply.length;
    bool bad = !buffer_grow(&reply, 2 * sizeof(uint32_t) + 3 * sizeof(uint64_t));
    bad |= buffer_put_file(&reply, d->out, settings.output) < 0;
    bad |= buffer_put_file(&reply, d->err, settings.output) < 0;
    if (d->notes < 0)
        put_u64(0);
    else
        bad |= buffer_put_file(&reply, d->notes, settings.output) < 0;
    if (r->ending == EXITED && (too_long(d->out) || too_long(d->err)))
        r->ending = TOO_MUCH_OUTPUT;
    size_t count = reply.length;
    put_u32(0);
    struct collection found = {.into = &reply, .max_files = (uint32_t)settings.collected,
                               .max_bytes = 4 * settings.output};
    if (flags & FLAG_COLLECT && (r->ending == EXITED || r->ending == SIGNALLED)) {
        /* a folder that it made unreadable must not end the session for the others */
        if (collect_folder(&found, d->folder, originals, 0) || found.too_much) {
            r->ending = TOO_MUCH_OUTPUT;
            reply.length = count + sizeof(uint32_t);
            found.files = 0;
        }
    }
    if (bad)
        fail("collecting", errno);
    memcpy(reply.data + count, &found.files, sizeof found.files);
    uint32_t ending = r->ending;
    memcpy(reply.data + head, &ending, sizeof ending);
    memcpy(reply.data + head + 4, &r->code, sizeof r->code);
    memcpy(reply.data + head + 8, &r->user, 8);
    memcpy(reply.data + head + 16, &r->system, 8);
    memcpy(reply.data + head + 24, &r->wall, 8);
}

/* Does the next run find the folder as this one did?  Empty, untouched, never even listed. */
static bool same_folder(int folder, const struct stat *before)
{
    struct stat now;
    if (fstat(folder, &now) || now.st_nlink != before->st_nlink || now.st_size != before->st_size ||
        now.st_mode != before->st_mode ||
        memcmp(&now.st_atim, &before->st_atim, sizeof now.st_atim) ||
        memcmp(&now.st_mtim, &before->st_mtim, sizeof now.st_mtim) ||
        memcmp(&now.st_ctim, &before->st_ctim, sizeof now.st_ctim))
        return false;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
    if (fd < 0)
        return false;
    char entries[1024];
    bool empty = true;
    for (long length; empty && (length = syscall(SYS_getdents64, fd, entries, sizeof entries));) {
        empty = length > 0;
        for (long at = 0; at < length && empty;) {
            uint16_t size; /* struct linux_dirent64: d_reclen at 16, d_name at 19 */
            memcpy(&size, entries + at + 16, sizeof size);
            empty = is_dot(entries + at + 19);
            at += size;
        }
    }
    close(fd);
    return empty;
}

/* Run one program and put its result into the reply.  `d` has all descriptors but the streams and
 * the notes; these are opened and closed here, and the input is closed.  `untouched`: the program
 * starts below a worker, in an empty folder that looks so; else NULL.  False when the folder does
 * not look so any more. */
static bool perform(char **argv, uint32_t flags, struct descriptors *d, int originals,
                    const struct stat *untouched)
{
    bool notes = flags & (FLAG_PROFILE | FLAG_NOTES);
    d->out = must_open(memfd_create("stdout", MFD_CLOEXEC), "stdout");
    d->err = must_open(memfd_create("stderr", MFD_CLOEXEC), "stderr");
    d->notes = notes ? must_open(memfd_create("notes", MFD_CLOEXEC), "notes") : -1;
    struct statvfs before;
    if (fstatvfs(d->folder, &before))
        fail("working folder", errno);
    memset(shared, 0, sizeof *shared);
    /* fork copies the tables of our memory; vfork lends it, which takes a third of the time */
    pid_t pid = untouched ? vfork() : fork();
    if (pid < 0)
        fail("fork", errno);
    if (pid == 0)
        become_program(argv, flags, d, untouched ? BELOW_WORKER : FROM_NOTHING);
    struct result r = wait_for(pid, d->folder, &before);
    kill_rest();
    if (shared->failed) {
        if (strcmp(shared->failed, "exec"))
            fail(shared->failed, shared->error);
        /* a program that the kernel can't load is the program's own fault: as a shell has it */
        dprintf(d->err, "cannot execute: %s\n", strerror(shared->error));
    }
    bool clean = untouched && same_folder(d->folder, untouched);
    /* looking for files would leave a trace of its own */
    put_result(clean ? flags & ~(uint32_t)FLAG_COLLECT : flags, d, originals, &r);
    close(d->input);
    close(d->out);
    close(d->err);
    if (notes)
        close(d->notes);
    return clean;
}

/* One run from nothing: a folder of its own, filled with the case's files (-1: none). */
static void run_alone(struct command *c, int input, int originals)
{
    struct descriptors d = {
        .folder = fresh_folder(), .input = input, .program = open_program(c->program)};
    if (originals >= 0 && copy_folder(originals, d.folder, 0))
        fail("copying the case's files", errno);
    perform(c->argv, c->flags, &d, originals, NULL);
    close(d.folder);
    close(d.program);
    if (originals >= 0)
        close(originals);
    if (empty_folder(work_fd))
        fail("emptying the working folder", errno);
}

/* A command for one run of a case. */
static void run_one(struct command *c)
{
    load_environment(c->input);
    run_alone(c, open_input("%u.in", c->input), open_case_files(c->input));
    send_reply();
}

#endif
