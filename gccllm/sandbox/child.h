/* The child between fork and exec: descriptors, limits, confinement, then the program. */
#ifndef GCCLLM_CHILD_H
#define GCCLLM_CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "protocol.h"
#include "settings.h"

static const uint64_t SECOND = 1000 * 1000 * 1000;

/* Written by the child until exec, which unmaps it; then read by the runner. */
static struct shared {
    const char *failed;    /* the step that failed; the same address in both processes */
    int error;
    uint64_t started, user, system; /* nanoseconds, just before exec */
} *shared;

/* The kernel's Landlock ABI; 0: none. */
static int abi;

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

/* What every program finds in its environment, behind the variables of its own case. */
enum { MAX_VARIABLES = 1024, MAX_VARIABLE_BYTES = 1 << 18, STANDARD_VARIABLES = 3 };
static char *environment[MAX_VARIABLES + STANDARD_VARIABLES + 1];
static size_t own_variables;

static void complete_environment(void)
{
    static char home[MAX_PATH_BYTES + 16];
    snprintf(home, sizeof home, "HOME=%s/run", settings.work);
    char **at = environment + own_variables;
    *at++ = "LC_ALL=C";
    *at++ = "PATH=/nonexistent";
    *at++ = home;
    *at = NULL;
}

struct descriptors {
    int folder, input, out, err, notes, program; /* notes: -1 for none */
};

/* How much of the confinement is in force before a program starts. */
enum preparation { FROM_NOTHING, BELOW_WORKER };

/* `flags` as in protocol.h. Also called between vfork and exec: it changes nothing of the memory
 * that its parent counts on. */
static void become_program(char **argv, uint32_t flags, const struct descriptors *d,
                           enum preparation prepared)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    child_must(!sigprocmask(SIG_SETMASK, &none, NULL), "signal mask");
    child_must(!prctl(PR_SET_PDEATHSIG, SIGKILL), "death signal");
    child_must(setsid() >= 0, "session");
    child_must(!fchdir(d->folder), "working folder");
    child_must(dup2(d->input, 0) == 0 && dup2(d->out, 1) == 1 && dup2(d->err, 2) == 2 &&
                   (d->notes < 0 || dup2(d->notes, 3) == 3) &&
                   dup3(d->program, PROGRAM_FD, O_CLOEXEC) == PROGRAM_FD,
               "descriptors");
    child_must(settings.core < 0 || pin(), "core");
    child_must(set_limits(), "limits");
    child_must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
    child_must(!prctl(PR_SET_DUMPABLE, 0), "dumpable");
    if (settings.landlock && abi && prepared == FROM_NOTHING)
        child_must(!landlock_confine(abi, d->program, d->folder), "landlock");
    complete_environment();
    if (settings.seccomp && prepared == BELOW_WORKER)
        child_must(!seccomp_complete(getpid()), "seccomp");
    else if (settings.seccomp)
        child_must(!seccomp_confine(getpid(), flags & FLAG_PROFILE, false), "seccomp");
    /* what came before is ours and not the program's time */
    struct rusage so_far;
    getrusage(RUSAGE_SELF, &so_far);
    shared->user = timeval_ns(so_far.ru_utime);
    shared->system = timeval_ns(so_far.ru_stime);
    shared->started = clock_ns();
    for (int tries = 0; tries < 200; tries++) {
        syscall(SYS_execveat, PROGRAM_FD, "", argv, environment, AT_EMPTY_PATH);
        if (errno != ETXTBSY)
            break;
        /* another thread of the tool forked while the program was being written */
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    }
    child_must(false, "exec");
}

#endif
