/* runner: a server that starts programs under test, one at a time, and says how they ended.
 *
 * It is started once for a session (as process 1 of its namespaces under bubblewrap, as an
 * ordinary process otherwise), reads commands on descriptor 0 and writes replies on descriptor 1.
 * It inherits two folders as descriptors: the inputs (N.in, N.files and N.env for case N) and the
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
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "many.h"
#include "protocol.h"
#include "run.h"
#include "settings.h"

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
    namespaced = getpid() == 1;
    watch_children();
    if (settings.landlock == 2 && !abi)
        fail("landlock", ENOSYS);
    begin_reply(0);
    put_u32((uint32_t)abi);
    send_reply();
    static struct command command;
    while (read_command(&command)) {
        begin_reply(0);
        if (command.flags & FLAG_MANY)
            run_many(&command);
        else
            run_one(&command);
    }
    return 0;
}
