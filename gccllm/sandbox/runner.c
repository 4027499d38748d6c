/* runner: a server that starts programs under test, one at a time, and says how they ended.
 *
 * It is started once for a session (as process 1 of its namespaces under bubblewrap, as an
 * ordinary process otherwise), reads commands on descriptor 0 and writes replies on descriptor 1.
 * It inherits two folders as descriptors: the inputs (N.in and N.files for case N) and the
 * programs; reached by descriptor only, they need no name inside the sandbox.
 *
 * Arguments, all required, as NAME=VALUE: see read_settings().
 *
 * Protocol, in this machine's byte order.  A blob is a u64 length and so many bytes.
 *   command  u32 length of the rest · u32 flags (1: collect files, 2: profile) · u32 case
 *            · u32 argc · argc + 1 strings, each ended by NUL: the program's name, its arguments
 *   reply    u64 length of the rest · u32 0 · u32 ending · u32 code · u64 user, system and wall
 *            nanoseconds · blob stdout · blob stderr · blob profile · u32 n · n × (blob path,
 *            blob contents)
 *        or  u64 length of the rest · u32 1 · message; the runner then exits
 * The first reply, before any command, is u64 8 · u32 0 · u32 Landlock ABI: ready.
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

#include "confine.h"
#include "folder.h"

enum { INPUTS_FD = 3, PROGRAMS_FD = 4, FIRST_FREE_FD = 5 };
enum { FLAG_COLLECT = 1, FLAG_PROFILE = 2 };
enum { MAX_COMMAND = 4 << 20, MAX_ARGUMENTS = 4096 };
enum ending { EXITED, SIGNALLED, TIMED_OUT, TOO_MUCH_OUTPUT, FORBIDDEN };

/* How often the size of a running program's folder is looked at. */
static const uint64_t WATCH_NANOSECONDS = 100 * 1000 * 1000;
static const uint64_t SECOND = 1000 * 1000 * 1000;

static struct settings {
    const char *work;      /* work=PATH: the scratch folder, as the program sees it */
    uint64_t inputs;       /* inputs=N programs=N: the inherited descriptors */
    uint64_t programs;
    uint64_t uid;          /* uid=N: what to become when started as root */
    int64_t core;          /* core=N: pin programs to it; -1: don't */
    uint64_t wall, cpu;    /* wall=NANOSECONDS cpu=SECONDS */
    uint64_t memory;       /* memory=BYTES: RLIMIT_AS */
    uint64_t output;       /* output=BYTES: stdout, stderr and every file, each */
    uint64_t stack;        /* stack=BYTES */
    uint64_t processes;    /* processes=N: RLIMIT_NPROC; 0: leave it */
    uint64_t scratch;      /* scratch=BYTES: everything in the working folder together */
    uint64_t entries;      /* entries=N: files and folders in it */
    uint64_t collected;    /* collected=N: files in a reply */
    uint64_t landlock;     /* landlock=0|1|2: never, where the kernel has it, or give up */
    uint64_t seccomp;      /* seccomp=0|1 */
} settings;

/* Written by the child until exec, which unmaps it; then read by the runner. */
static struct shared {
    const char *failed;    /* the step that failed; the same address in both processes */
    int error;
    uint64_t started, user, system; /* nanoseconds, just before exec */
} *shared;

struct command {
    uint32_t flags, input;
    const char *program;
    char *argv[MAX_ARGUMENTS + 2];
};

struct result {
    enum ending ending;
    uint32_t code;
    uint64_t user, system, wall;
};

static struct buffer reply;
static int work_fd;
static int abi;

/* ---- talking ------------------------------------------------------------------------------- */

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

/* ---- the child, between fork and exec ------------------------------------------------------ */

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t timeval_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_usec * 1000;
}

static void child_must(bool good, const char *step)
{
    if (good)
        return;
    shared->error = errno;
    shared->failed = step;
    _exit(127);
}

static bool set_limits(void)
{
    int bad = limit_resource(RLIMIT_AS, settings.memory, settings.memory);
    /* the soft limit's SIGXCPU names the cause; one second later SIGKILL needs no consent */
    bad |= limit_resource(RLIMIT_CPU, settings.cpu, settings.cpu + 1);
    /* one byte more than allowed, so that a full file can be told from a cut one */
    bad |= limit_resource(RLIMIT_FSIZE, settings.output + 1, settings.output + 1);
    bad |= limit_resource(RLIMIT_STACK, settings.stack, settings.stack);
    bad |= limit_resource(RLIMIT_NOFILE, MAX_DESCRIPTORS, MAX_DESCRIPTORS);
    bad |= limit_resource(RLIMIT_CORE, 0, 0);
    bad |= limit_resource(RLIMIT_MEMLOCK, 0, 0);
    bad |= limit_resource(RLIMIT_MSGQUEUE, 0, 0);
    if (settings.processes)
        bad |= limit_resource(RLIMIT_NPROC, settings.processes, settings.processes);
    return !bad;
}

static bool pin(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)settings.core, &one);
    return !sched_setaffinity(0, sizeof one, &one);
}

struct descriptors {
    int folder, input, out, err, profile, program;
};

static void become_program(const struct command *c, const struct descriptors *d)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    child_must(!sigprocmask(SIG_SETMASK, &none, NULL), "signal mask");
    child_must(!prctl(PR_SET_PDEATHSIG, SIGKILL), "death signal");
    child_must(setsid() >= 0, "session");
    child_must(!fchdir(d->folder), "working folder");
    child_must(dup2(d->input, 0) == 0 && dup2(d->out, 1) == 1 && dup2(d->err, 2) == 2 &&
                   (d->profile < 0 || dup2(d->profile, 3) == 3) &&
                   dup3(d->program, PROGRAM_FD, O_CLOEXEC) == PROGRAM_FD,
               "descriptors");
    child_must(settings.core < 0 || pin(), "core");
    child_must(set_limits(), "limits");
    child_must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
    child_must(!prctl(PR_SET_DUMPABLE, 0), "dumpable");
    if (settings.landlock && abi)
        child_must(!landlock_confine(abi, d->program, d->folder), "landlock");
    static char home[MAX_PATH_BYTES + 16];
    snprintf(home, sizeof home, "HOME=%s/run", settings.work);
    char *environment[] = {"LC_ALL=C", "PATH=/nonexistent", home, NULL};
    if (settings.seccomp)
        child_must(!seccomp_confine(getpid(), c->flags & FLAG_PROFILE), "seccomp");
    /* what came before is ours and not the program's time */
    struct rusage so_far;
    getrusage(RUSAGE_SELF, &so_far);
    shared->user = timeval_ns(so_far.ru_utime);
    shared->system = timeval_ns(so_far.ru_stime);
    shared->started = clock_ns();
    for (int tries = 0; tries < 200; tries++) {
        syscall(SYS_execveat, PROGRAM_FD, "", c->argv, environment, AT_EMPTY_PATH);
        if (errno != ETXTBSY)
            break;
        /* another thread of the tool forked while the program was being written */
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    }
    child_must(false, "exec");
}

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
        bad |= collect_folder(&found, d->folder, originals, 0) < 0;
        if (found.too_much) {
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

/* ---- commands and settings ----------------------------------------------------------------- */

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

static void read_settings(int argc, char **argv)
{
    struct { const char *name; uint64_t *value; } numbers[] = {
        {"inputs", &settings.inputs}, {"programs", &settings.programs},
        {"uid", &settings.uid}, {"wall", &settings.wall}, {"cpu", &settings.cpu},
        {"memory", &settings.memory}, {"output", &settings.output}, {"stack", &settings.stack},
        {"processes", &settings.processes}, {"scratch", &settings.scratch},
        {"entries", &settings.entries}, {"collected", &settings.collected},
        {"landlock", &settings.landlock}, {"seccomp", &settings.seccomp},
        {"core", (uint64_t *)&settings.core},
    };
    const size_t known = sizeof numbers / sizeof *numbers;
    size_t found = 0;
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals)
            fail(argv[i], EINVAL);
        *equals = '\0';
        if (!strcmp(argv[i], "work"))
            settings.work = equals + 1;
        for (size_t k = 0; k < known; k++)
            if (!strcmp(argv[i], numbers[k].name)) {
                *numbers[k].value = (uint64_t)strtoll(equals + 1, NULL, 10);
                found++;
            }
    }
    if (found != known || !settings.work || strlen(settings.work) > MAX_PATH_BYTES)
        fail("settings", EINVAL);
}

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
