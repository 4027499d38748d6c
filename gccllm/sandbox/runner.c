/* runner: a server that starts programs under test, one at a time, and says how they ended.
 *
 * It is started once for a session (as process 1 of its namespaces under bubblewrap, as an
 * ordinary process otherwise), reads commands on descriptor 0 and writes replies on descriptor 1.
 * It inherits two folders as descriptors: the inputs (N.in and N.files for case N) and the
 * programs; reached by descriptor only, they need no name inside the sandbox.
 *
 * Arguments, all required, as NAME=VALUE: see settings.h.
 *
 * The protocol is described in protocol.h, what is asked of the kernel in confine.h.
 *
 * The program shares the runner's uid but can neither signal it (seccomp; process 1; Landlock's
 * scopes), trace it (not dumpable; seccomp), nor reach its descriptors.  Of a program the runner
 * believes nothing but its wait status and the files that it wrote.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* ---- waiting and cleaning up --------------------------------------------------------------- */

/* Kill whatever a program left.  Under bubblewrap that is the namespace, elsewhere the runner's
 * children: it is a subreaper, so orphans become its own. */
static void kill_rest(void)
{
    for (;;) {
        if (getpid() == 1)
            kill(-1, SIGKILL);
        else {
            char path[64];
            snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
            FILE *children = fopen(path, "re");
            for (int pid; children && fscanf(children, "%d", &pid) == 1;)
                kill(pid, SIGKILL);
            if (children)
                fclose(children);
        }
        if (wait4(-1, NULL, 0, NULL) < 0 && errno == ECHILD)
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
            alone = hung_up();
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

static int open_input(uint32_t input)
{
    char name[32];
    snprintf(name, sizeof name, "%u.in", input);
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

static bool too_long(int fd)
{
    struct stat st;
    return fstat(fd, &st) || (uint64_t)st.st_size > settings.output;
}

/* The reply: the result's head goes in last, when it is known whether all of it fitted. */
static void answer(const struct command *c, const struct descriptors *d, int originals,
                   struct result *r)
{
    begin_reply(0);
    size_t head = reply.length;
    bool bad = !buffer_grow(&reply, 2 * sizeof(uint32_t) + 3 * sizeof(uint64_t));
    bad |= buffer_put_file(&reply, d->out, settings.output) < 0;
    bad |= buffer_put_file(&reply, d->err, settings.output) < 0;
    if (d->profile < 0)
        put_u64(0);
    else
        bad |= buffer_put_file(&reply, d->profile, settings.output) < 0;
    if (r->ending == EXITED && (too_long(d->out) || too_long(d->err)))
        r->ending = TOO_MUCH_OUTPUT;
    size_t count = reply.length;
    put_u32(0);
    struct collection found = {.into = &reply, .max_files = (uint32_t)settings.collected,
                               .max_bytes = 4 * settings.output};
    if (c->flags & FLAG_COLLECT && (r->ending == EXITED || r->ending == SIGNALLED)) {
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
    send_reply();
}

static void run(const struct command *c)
{
    if (empty_folder(work_fd) || mkdirat(work_fd, "run", 0700))
        fail("working folder", errno);
    int originals = open_case_files(c->input);
    struct descriptors d = {
        .folder = must_open(open_folder(work_fd, "run"), "working folder"),
        .input = open_input(c->input),
        .out = must_open(memfd_create("stdout", MFD_CLOEXEC), "stdout"),
        .err = must_open(memfd_create("stderr", MFD_CLOEXEC), "stderr"),
        .profile = -1,
        .program = must_open(openat(PROGRAMS_FD, c->program, O_PATH | O_NOFOLLOW | O_CLOEXEC),
                             "program"),
    };
    if (c->flags & FLAG_PROFILE)
        d.profile = must_open(memfd_create("profile", MFD_CLOEXEC), "profile");
    if (originals >= 0 && copy_folder(originals, d.folder, 0))
        fail("copying the case's files", errno);
    struct statvfs before;
    if (fstatvfs(d.folder, &before))
        fail("working folder", errno);
    memset(shared, 0, sizeof *shared);
    pid_t pid = fork();
    if (pid < 0)
        fail("fork", errno);
    if (pid == 0)
        become_program(c, &d);
    struct result r = wait_for(pid, d.folder, &before);
    kill_rest();
    if (shared->failed) {
        if (strcmp(shared->failed, "exec"))
            fail(shared->failed, shared->error);
        /* a program that the kernel can't load is the program's own fault: as a shell has it */
        dprintf(d.err, "cannot execute: %s\n", strerror(shared->error));
    }
    answer(c, &d, originals, &r);
    int opened[] = {d.folder, d.input, d.out, d.err, d.program, d.profile, originals};
    for (size_t i = 0; i < sizeof opened / sizeof *opened; i++)
        if (opened[i] >= 0)
            close(opened[i]);
    if (empty_folder(work_fd))
        fail("emptying the working folder", errno);
}

/* ---- start ---------------------------------------------------------------------------------- */

/* Bring the inherited folders to their places and close the rest; nothing is for programs. */
static void settle_descriptors(void)
{
    /* via high numbers: either may sit where the other belongs */
    int inputs = fcntl((int)settings.inputs, F_DUPFD, PROGRAM_FD);
    int programs = fcntl((int)settings.programs, F_DUPFD, PROGRAM_FD);
    if (dup2(inputs, INPUTS_FD) != INPUTS_FD || dup2(programs, PROGRAMS_FD) != PROGRAMS_FD)
        fail("inherited folders", errno);
    if (syscall(SYS_close_range, FIRST_FREE_FD, ~0U, 0))
        for (int fd = FIRST_FREE_FD; fd < 4096; fd++) /* before Linux 5.9 */
            close(fd);
    for (int fd = 0; fd < FIRST_FREE_FD; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC))
            fail("descriptors", errno);
}

static void drop_privileges(void)
{
    if (geteuid() == 0 || getuid() == 0) {
        uid_t uid = (uid_t)settings.uid;
        /* without the right to change groups there is no other group to lose */
        if ((setgroups(0, NULL) && errno != EPERM) || setresgid(uid, uid, uid) ||
            setresuid(uid, uid, uid))
            fail("dropping root", errno);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0) ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_CHILD_SUBREAPER, 1))
        fail("process settings", errno);
}

int main(int argc, char **argv)
{
    read_settings(argc, argv);
    settle_descriptors();
    work_fd = must_open(open(settings.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "work");
    struct stat st;
    if (fstat(work_fd, &st) || (st.st_uid == geteuid() && fchmod(work_fd, 01777)))
        fail("work", errno); /* bwrap's fresh tmpfs belongs to root, which is about to go */
    drop_privileges();
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, NULL);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail("memory", errno);
    abi = landlock_abi();
    if (settings.landlock == 2 && !abi)
        fail("landlock", ENOSYS);
    begin_reply(0);
    put_u32((uint32_t)abi);
    send_reply();
    static struct command command;
    while (read_command(&command))
        run(&command);
    return 0;
}
