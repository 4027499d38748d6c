/* Many short runs of one program in one command, as fuzzing wants them.
 *
 * Starting a small program takes the kernel about half a millisecond; confining it from nothing as
 * much again.  So a worker, a child of the runner, confines itself once, to this program, and runs
 * it on one input after another: each run is a process of its own all the same, executed anew,
 * with limits, streams and a filter of its own.  What the runs share is the Landlock domain and
 * the working folder; the latter only as long as none leaves a trace in it.
 *
 * The program can't reach its worker: the filter forbids every signal but to itself, tracing and
 * other processes' memory; the worker is not dumpable.
 */
#ifndef GCCLLM_MANY_H
#define GCCLLM_MANY_H

#include "run.h"

/* A reply is sent when it has grown to this, or when the runs for it have taken so long. */
static const size_t ENOUGH_BYTES = 16 << 20;
static const uint64_t ENOUGH_NANOSECONDS = 500 * 1000 * 1000;

enum { MAX_TRIALS = 128 };

struct trials {
    uint32_t number, done;
    int inputs[MAX_TRIALS]; /* opened before the worker loses sight of their folder */
    uint64_t started;
};

static bool enough(const struct trials *t)
{
    if (t->done == 0 && !nobody_left)
        return false; /* or a machine that is slow enough would get nowhere */
    return t->done == t->number || nobody_left || reply.length > ENOUGH_BYTES ||
           clock_ns() - t->started > ENOUGH_NANOSECONDS;
}

/* The next trial of a command, its arguments in c->argv: the case whose files it is given. */
static uint32_t take_trial(struct command *c)
{
    c->input = take_u32(c);
    uint32_t files = take_u32(c);
    take_arguments(c, take_u32(c));
    return files;
}

/* In the worker: run trials until the folder is used or it is enough. */
static void work(struct command *c, struct trials *t)
{
    struct descriptors d = {.folder = fresh_folder(), .program = open_program(c->program)};
    struct stat untouched;
    watch_children();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
        fstat(d.folder, &untouched) || landlock_confine(abi, d.program, d.folder) ||
        seccomp_confine(getpid(), c->flags & FLAG_PROFILE, true))
        fail("confining a worker", errno);
    bool clean = true;
    while (clean && !enough(t)) {
        take_trial(c);
        d.input = t->inputs[t->done++];
        clean = perform(c->argv, c->flags, &d, -1, &untouched);
    }
}

/* Look through all trials without running any: opens the inputs; true when none needs files. */
static bool open_trials(struct command *c, struct trials *t)
{
    bool fileless = true;
    char *first = c->at;
    for (uint32_t i = 0; i < t->number; i++) {
        fileless &= take_trial(c) == NO_CASE;
        t->inputs[i] = open_input("t%u.in", c->input);
    }
    c->at = first;
    return fileless;
}

static void run_many(struct command *c)
{
    struct trials t = {.number = c->input, .started = clock_ns()};
    if (!t.number || t.number > MAX_TRIALS)
        fail("trials", EINVAL);
    bool fileless = open_trials(c, &t);
    load_environment(NO_CASE);
    size_t count = reply.length;
    put_u32(0);
    pid_t worker = -1;
    if (fileless && settings.seccomp && settings.landlock && abi) {
        worker = fork();
        if (worker < 0)
            fail("fork", errno);
        if (worker == 0)
            work(c, &t);
    } else
        while (!enough(&t)) {
            uint32_t files = take_trial(c);
            load_environment(files);
            run_alone(c, t.inputs[t.done], files == NO_CASE ? -1 : open_case_files(files));
            t.done++;
        }
    if (worker <= 0) {
        memcpy(reply.data + count, &t.done, sizeof t.done);
        send_reply();
    }
    if (worker == 0)
        _exit(0);
    int status = 0;
    while (worker > 0 && waitpid(worker, &status, 0) < 0)
        if (errno != EINTR)
            fail("wait", errno);
    if (WIFEXITED(status) && WEXITSTATUS(status))
        _exit(1); /* it has said why */
    if (!WIFEXITED(status))
        fail("a worker was killed", EINTR);
    kill_rest();
    for (uint32_t i = worker > 0 ? 0 : t.done; i < t.number; i++)
        close(t.inputs[i]);
    if (empty_folder(work_fd))
        fail("emptying the working folder", errno);
}

#endif
