/* Linked into a copy of the baseline for one profile run: samples the program counter on every
 * SIGPROF (user+sys time, at the kernel's tick) and leaves the addresses, relative to the
 * executable's start, on descriptor 3. A program that ends by _exit or a signal leaves nothing. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define SAMPLES 65536

extern char __executable_start[];
static uint64_t samples[SAMPLES];
static volatile unsigned taken;

static void sample(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    const ucontext_t *interrupted = context;
    if (taken < SAMPLES) {
        samples[taken++] = (uint64_t)interrupted->uc_mcontext.gregs[REG_RIP]
                           - (uint64_t)__executable_start;
    }
}

__attribute__((constructor)) static void start_sampling(void)
{
    struct sigaction action = {.sa_sigaction = sample, .sa_flags = SA_SIGINFO | SA_RESTART};
    const struct itimerval every = {{0, 1000}, {0, 1000}};
    sigaction(SIGPROF, &action, 0);
    setitimer(ITIMER_PROF, &every, 0);
}

__attribute__((destructor)) static void leave_samples(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &never, 0);
    const char *at = (const char *)samples;
    for (size_t left = taken * sizeof samples[0]; left > 0;) {
        const ssize_t done = write(3, at, left);
        if (done <= 0) {
            return;
        }
        at += done;
        left -= (size_t)done;
    }
}
