/* Stands in for a program while its workload runs: notes each run, and lets the program do it.
 *
 *     recorder FOLDER REAL NAME ARGUMENT...
 *
 * runs REAL as NAME with the arguments, and leaves in FOLDER/run-XXXXXX
 *
 *     args, env, cwd   ended by NUL, as execve has them
 *     stdin            what could be read there, if anything was
 *     root/PATH        each regular file that was there to be opened or looked at, as it was before
 *     status           "exit N" or "signal N", and "traced" or "untraced"
 *
 * Files are seen by ptrace, at the few system calls that name one. Where that is forbidden, those
 * named by arguments are taken. stdin is read ahead where it is a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char folder[PATH_MAX];
static bool stdin_read;
enum { MOST_FILES = 4096, MOST_BYTES = 1 << 28 };
static int files;
static off_t bytes;

static void note(const char *name, char *const *words)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    for (; file && *words; words++)
        fwrite(*words, 1, strlen(*words) + 1, file);
    if (file)
        fclose(file);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void copy_all(int from, int to)
{
    static char buffer[1 << 16];
    for (ssize_t length; (length = read(from, buffer, sizeof buffer)) > 0;)
        for (ssize_t done = 0, n; done < length; done += n)
            if ((n = write(to, buffer + done, (size_t)(length - done))) < 0)
                return;
}

/* Keep the file at an absolute path as it is now, once. */
static void keep(const char *path)
{
    static const char *const aside[] = {"/proc/", "/dev/", "/sys/", "/etc/ld.so"};
    char real[PATH_MAX], target[2 * PATH_MAX];
    struct stat status;
    if (!realpath(path, real) || stat(real, &status) || !S_ISREG(status.st_mode))
        return;
    for (size_t i = 0; i < sizeof aside / sizeof *aside; i++)
        if (starts_with(real, aside[i]))
            return;
    if (strstr(real, ".so.") || starts_with(real, folder) || files >= MOST_FILES ||
        bytes + status.st_size > MOST_BYTES)
        return;
    /* as it was named, for that is where the program looks */
    int size = snprintf(target, sizeof target, "%s/root%s", folder, path);
    if (size >= (int)sizeof target || access(target, F_OK) == 0)
        return;
    for (char *at = target + strlen(folder) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(target, 0700);
        *at = '/';
    }
    int from = open(real, O_RDONLY | O_CLOEXEC);
    int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from >= 0 && to >= 0) {
        copy_all(from, to);
        files++;
        bytes += status.st_size;
    }
    close(from);
    close(to);
}

/* Without "." and "..", but links as they are. */
static void tidy(char *path)
{
    char *to = path;
    for (char *at = path; *at;) {
        char *end = strchrnul(at + 1, '/');
        size_t size = (size_t)(end - at);
        if (size == 3 && memcmp(at, "/..", 3) == 0) {
            while (to > path && *--to != '/') {
            }
        } else if (size > 1 && !(size == 2 && at[1] == '.')) {
            memmove(to, at, size);
            to += size;
        }
        at = end;
    }
    *to = '\0';
}

/* Keep what `name` means for a process whose folder (a descriptor, or AT_FDCWD) is `at`. */
static void keep_named(pid_t pid, int at, const char *name)
{
    char link[64], path[2 * PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, sizeof path, "%s", name);
    } else {
        if (at == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/%d/cwd", pid);
        else
            snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, at);
        ssize_t length = readlink(link, path, PATH_MAX - 1);
        if (length <= 0)
            return;
        snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
    }
    tidy(path);
    keep(path);
}

static void see_call(pid_t pid)
{
    struct user_regs_struct r;
    char name[PATH_MAX];
    if (ptrace(PTRACE_GETREGS, pid, 0, &r))
        return;
    int at = AT_FDCWD;
    unsigned long long address = r.rdi;
    switch (r.orig_rax) {
    case SYS_read:
    case SYS_readv:
    case SYS_pread64:
    case SYS_splice:
    case SYS_copy_file_range:
        stdin_read = true;
        return;
    case SYS_openat:
    case SYS_openat2:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_faccessat:
    case SYS_faccessat2:
        at = (int)r.rdi;
        address = r.rsi;
    }
    /* page by page: the end of the string may be the end of the mapping */
    size_t have = 0;
    while (have < sizeof name - 1) {
        size_t step = 4096 - (address + have) % 4096;
        if (step > sizeof name - 1 - have)
            step = sizeof name - 1 - have;
        struct iovec here = {name + have, step};
        struct iovec there = {(void *)(uintptr_t)(address + have), step};
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (got <= 0)
            return;
        if (memchr(name + have, '\0', (size_t)got)) {
            if (*name)
                keep_named(pid, at, name);
            return;
        }
        have += (size_t)got;
    }
}

/* The calls that name a file, and those that read descriptor 0. */
static bool watch_calls(void)
{
    static const int named[] = {SYS_open, SYS_openat, SYS_openat2, SYS_stat, SYS_lstat,
                                SYS_newfstatat, SYS_statx, SYS_access, SYS_faccessat,
                                SYS_faccessat2};
    static const int reading[] = {SYS_read, SYS_readv, SYS_pread64, SYS_splice,
                                  SYS_copy_file_range};
    struct sock_filter code[64];
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)named[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
        code[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)reading[i], 0, 3);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                 offsetof(struct seccomp_data, args));
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                 offsetof(struct seccomp_data, nr));
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = code};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Follow the program and what it starts until it has ended; its wait status. */
static int follow(pid_t program)
{
    const int options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                        PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    int status, ended = 0;
    bool over = false;
    for (pid_t pid; !over && (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (pid == program) {
                ended = status;
                over = true;
            }
            continue;
        }
        int signal_number = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_SECCOMP)
            see_call(pid);
        static bool begun;
        if (!begun && pid == program) {
            begun = true;
            ptrace(PTRACE_SETOPTIONS, pid, 0, options);
            signal_number = 0;
        } else if (event || signal_number == SIGSTOP || signal_number == SIGTRAP)
            signal_number = 0;
        ptrace(PTRACE_CONT, pid, 0, signal_number);
    }
    return ended;
}

/* What is on stdin: a file is left where it is, a pipe is read ahead; nothing for the rest. */
static int take_stdin(off_t *start, bool *ahead)
{
    struct stat status;
    *start = *ahead = 0;
    if (fstat(0, &status))
        return -1;
    if (S_ISREG(status.st_mode)) {
        *start = lseek(0, 0, SEEK_CUR);
        return 0;
    }
    if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode))
        return -1;
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/stdin", folder);
    int copy = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (copy < 0)
        return -1;
    copy_all(0, copy);
    lseek(copy, 0, SEEK_SET);
    dup2(copy, 0);
    close(copy);
    *ahead = true;
    return 0;
}

static void keep_stdin(off_t start)
{
    char path[PATH_MAX + 8], own[64];
    snprintf(path, sizeof path, "%s/stdin", folder);
    /* by its name, for the position of our descriptor is everybody's */
    snprintf(own, sizeof own, "/proc/%d/fd/0", getpid());
    int from = open(own, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from >= 0 && to >= 0 && lseek(from, start, SEEK_SET) == start)
        copy_all(from, to);
    close(from);
    close(to);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 127;
    char cwd[PATH_MAX], *words[] = {cwd, NULL};
    snprintf(folder, sizeof folder, "%s/run-XXXXXX", argv[1]);
    if (!mkdtemp(folder) || !getcwd(cwd, sizeof cwd)) {
        execv(argv[2], argv + 3);
        return 127;
    }
    note("args", argv + 4);
    note("env", environ);
    note("cwd", words);
    for (char **word = argv + 4; *word; word++) {
        const char *value = strchr(*word, '=');
        keep_named(getpid(), AT_FDCWD, *word);
        if (value && value[1])
            keep_named(getpid(), AT_FDCWD, value + 1);
    }
    off_t start;
    bool ahead;
    bool readable = take_stdin(&start, &ahead) == 0;
    int told[2];
    if (pipe2(told, O_CLOEXEC))
        return 127;
    pid_t child = fork();
    if (child == 0) {
        bool traced = !ptrace(PTRACE_TRACEME, 0, 0, 0);
        if (write(told[1], &traced, 1) != 1)
            _exit(127);
        if (traced) {
            raise(SIGSTOP);
            watch_calls();
        }
        execv(argv[2], argv + 3);
        _exit(127);
    }
    bool traced = false;
    if (child < 0 || read(told[0], &traced, 1) != 1)
        return 127;
    int status = 0;
    if (traced)
        status = follow(child);
    else
        waitpid(child, &status, 0);
    if (readable && !ahead && (stdin_read || !traced))
        keep_stdin(start);
    char ending[64], *ends[] = {ending, NULL};
    snprintf(ending, sizeof ending, "%s %d %s", WIFSIGNALED(status) ? "signal" : "exit",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
             traced ? "traced" : "untraced");
    note("status", ends);
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
