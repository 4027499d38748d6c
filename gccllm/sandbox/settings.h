/* What one session is told on the runner's command line; the same for all its runs. */
#ifndef GCCLLM_SETTINGS_H
#define GCCLLM_SETTINGS_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

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

#endif
