/* What a program under test may do: resource limits, Landlock, and a seccomp allow-list.
 *
 * All of it is applied by the child itself, after fork and before exec, and none of it can be
 * taken back by the program that follows.  Sources: landlock(7), seccomp(2), the kernel's
 * Documentation/userspace-api/landlock.rst for the access bits of each ABI.
 *
 * Covered by seccomp because Landlock does not cover it: chmod, chown, utimes, xattrs and
 * truncate by path (they would reach the user's own files where there is no mount namespace).
 */
#ifndef GCCLLM_CONFINE_H
#define GCCLLM_CONFINE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the filter below is written for x86-64"
#endif

/* The program's own descriptor at exec.  It lies above MAX_DESCRIPTORS, so that once exec has
 * closed it the program can never own a descriptor of that number: the filter's only hole for
 * exec closes behind it. */
enum { PROGRAM_FD = 200 };

/* More than a program that reads stdin and a few files needs; a leak is noticed soon. */
enum { MAX_DESCRIPTORS = 64 };

/* ---- resource limits ---------------------------------------------------------------------- */

static int limit_resource(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now, wanted = {soft, hard};
    if (getrlimit(resource, &now))
        return -1;
    if (wanted.rlim_max > now.rlim_max) /* an ordinary user can't raise what the shell lowered */
        wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max;
    return setrlimit(resource, &wanted);
}

/* ---- Landlock ------------------------------------------------------------------------------ */

enum {
    LL_CREATE_RULESET = 444, LL_ADD_RULE = 445, LL_RESTRICT_SELF = 446, /* system calls */
    LL_VERSION = 1, LL_PATH_BENEATH = 1,
    LL_EXECUTE = 1 << 0, LL_WRITE_FILE = 1 << 1, LL_READ_FILE = 1 << 2, LL_READ_DIR = 1 << 3,
    LL_REMOVE_DIR = 1 << 4, LL_REMOVE_FILE = 1 << 5, LL_MAKE_DIR = 1 << 7, LL_MAKE_REG = 1 << 8,
    LL_REFER = 1 << 13, LL_TRUNCATE = 1 << 14, LL_IOCTL_DEV = 1 << 15,
    LL_ALL_OF_ABI_1 = (1 << 13) - 1,
    LL_BIND_TCP = 1, LL_CONNECT_TCP = 2,
    LL_SCOPE_ABSTRACT_SOCKET = 1, LL_SCOPE_SIGNAL = 2,
    /* the rights that make sense for something that is no folder */
    LL_OF_FILES = LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV,
};

struct ll_ruleset { uint64_t files, network, scoped; };
struct ll_path { uint64_t allowed; int32_t fd; } __attribute__((packed));

/* The kernel's Landlock ABI; 0 when it has none or it is switched off. */
static int landlock_abi(void)
{
    long abi = syscall(LL_CREATE_RULESET, NULL, 0, LL_VERSION);
    return abi < 1 ? 0 : (int)abi;
}

static int landlock_allow(int ruleset, int fd, uint64_t rights)
{
    struct stat st;
    struct ll_path rule = {rights, fd};
    if (fstat(fd, &st))
        return -1;
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= LL_OF_FILES;
    return (int)syscall(LL_ADD_RULE, ruleset, LL_PATH_BENEATH, &rule, 0);
}

/* A path that need not exist here (another distribution's library folder, say). */
static int landlock_allow_path(int ruleset, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES ? 0 : -1;
    int result = landlock_allow(ruleset, fd, rights);
    close(fd);
    return result;
}

/* Restrict this process to its program, the libraries, three devices and its working folder. */
static int landlock_confine(int abi, int program, int folder)
{
    static const char *const READABLE[] = {
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
    };
    static const char *const DEVICES[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
    struct ll_ruleset all = {LL_ALL_OF_ABI_1, 0, 0};
    if (abi >= 2)
        all.files |= LL_REFER;
    if (abi >= 3)
        all.files |= LL_TRUNCATE;
    if (abi >= 5)
        all.files |= LL_IOCTL_DEV;
    if (abi >= 4)
        all.network = LL_BIND_TCP | LL_CONNECT_TCP;
    if (abi >= 6)
        all.scoped = LL_SCOPE_ABSTRACT_SOCKET | LL_SCOPE_SIGNAL;
    /* older kernels refuse a structure longer than the one that they know */
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int ruleset = (int)syscall(LL_CREATE_RULESET, &all, size, 0);
    if (ruleset < 0)
        return -1;
    uint64_t in_folder = LL_WRITE_FILE | LL_READ_FILE | LL_READ_DIR | LL_REMOVE_DIR |
                         LL_REMOVE_FILE | LL_MAKE_DIR | LL_MAKE_REG | LL_REFER | LL_TRUNCATE;
    int bad = landlock_allow(ruleset, program, LL_EXECUTE | LL_READ_FILE);
    bad |= landlock_allow(ruleset, folder, in_folder & all.files);
    for (size_t i = 0; i < sizeof READABLE / sizeof *READABLE; i++)
        bad |= landlock_allow_path(ruleset, READABLE[i], LL_READ_FILE | LL_READ_DIR);
    for (size_t i = 0; i < sizeof DEVICES / sizeof *DEVICES; i++)
        bad |= landlock_allow_path(ruleset, DEVICES[i], LL_READ_FILE | LL_WRITE_FILE);
    /* the kernel itself opens a program's interpreter for execution */
    bad |= landlock_allow_path(ruleset, "/lib64/ld-linux-x86-64.so.2", LL_EXECUTE | LL_READ_FILE);
    bad |= (int)syscall(LL_RESTRICT_SELF, ruleset, 0);
    close(ruleset);
    return bad ? -1 : 0;
}

/* ---- seccomp ------------------------------------------------------------------------------- */

/* Harmless whatever the arguments: the most frequent ones first. */
static const int ALLOWED[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_lseek,
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mincore, SYS_msync,
    SYS_futex, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam,
    SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min,
    SYS_getpriority, SYS_set_tid_address, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq,
    SYS_arch_prctl, SYS_exit, SYS_exit_group,
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_time, SYS_times, SYS_getrusage, SYS_getcpu,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending,
    SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_sigaltstack, SYS_pause, SYS_restart_syscall,
    SYS_getpid, SYS_gettid, SYS_getppid, SYS_getpgid, SYS_getpgrp, SYS_getsid,
    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid,
    SYS_getgroups, SYS_getrandom, SYS_getrlimit, SYS_uname, SYS_sysinfo, SYS_umask,
    /* files: where they may be is for the mount namespace and Landlock to say */
    SYS_open, SYS_openat, SYS_creat, SYS_close, SYS_close_range, SYS_stat, SYS_fstat, SYS_lstat,
    SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_access, SYS_faccessat,
    SYS_faccessat2, SYS_readlink, SYS_readlinkat, SYS_getcwd, SYS_chdir, SYS_fchdir,
    SYS_getdents, SYS_getdents64, SYS_mkdir, SYS_mkdirat, SYS_rmdir, SYS_unlink, SYS_unlinkat,
    SYS_rename, SYS_renameat, SYS_renameat2, SYS_ftruncate, SYS_fallocate, SYS_fsync,
    SYS_fdatasync, SYS_fadvise64, SYS_readahead, SYS_flock, SYS_copy_file_range, SYS_sendfile,
    SYS_dup, SYS_dup2, SYS_dup3, SYS_pipe, SYS_pipe2,
    SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6,
};

/* Refused with an error, because ordinary programs and the C library try them and carry on. */
static const struct { int call, error; } REFUSED[] = {
    {SYS_ioctl, ENOTTY}, {SYS_clone3, ENOSYS}, {SYS_prctl, EPERM}, {SYS_membarrier, ENOSYS},
    {SYS_memfd_create, ENOSYS}, {SYS_setrlimit, EPERM}, {SYS_sched_setaffinity, EPERM},
    {SYS_sched_setscheduler, EPERM}, {SYS_sched_setparam, EPERM}, {SYS_sched_setattr, EPERM},
    {SYS_sched_getattr, EPERM}, {SYS_setpriority, EPERM}, {SYS_mlock, EPERM},
    {SYS_mlock2, EPERM}, {SYS_munlock, EPERM}, {SYS_mlockall, EPERM}, {SYS_munlockall, EPERM},
    {SYS_mbind, EPERM}, {SYS_get_mempolicy, EPERM}, {SYS_set_mempolicy, EPERM},
    {SYS_alarm, EPERM}, {SYS_setitimer, EPERM}, {SYS_getitimer, EPERM},
    {SYS_timer_create, EPERM}, {SYS_setsid, EPERM}, {SYS_setpgid, EPERM},
    {SYS_tkill, EPERM}, {SYS_rt_sigqueueinfo, EPERM}, {SYS_rt_tgsigqueueinfo, EPERM},
    {SYS_chmod, EPERM}, {SYS_fchmod, EPERM}, {SYS_fchmodat, EPERM}, {SYS_chown, EPERM},
    {SYS_fchown, EPERM}, {SYS_lchown, EPERM}, {SYS_fchownat, EPERM}, {SYS_utime, EPERM},
    {SYS_utimes, EPERM}, {SYS_futimesat, EPERM}, {SYS_utimensat, EPERM},
    {SYS_truncate, EPERM}, {SYS_link, EPERM}, {SYS_linkat, EPERM}, {SYS_symlink, EPERM},
    {SYS_symlinkat, EPERM}, {SYS_mknod, EPERM}, {SYS_mknodat, EPERM},
    {SYS_getxattr, ENOTSUP}, {SYS_lgetxattr, ENOTSUP}, {SYS_fgetxattr, ENOTSUP},
    {SYS_listxattr, ENOTSUP}, {SYS_setxattr, ENOTSUP}, {SYS_fsetxattr, ENOTSUP},
    {SYS_lsetxattr, ENOTSUP},
};

/* What a sampling profiler linked into a trusted program needs on top. */
static const int ALLOWED_TO_PROFILE[] = {
    SYS_setitimer, SYS_getitimer, SYS_timer_create, SYS_timer_settime, SYS_timer_gettime,
    SYS_timer_getoverrun, SYS_timer_delete,
};

struct filter {
    struct sock_filter code[1024];
    size_t length;
};

static void put(struct filter *f, uint16_t op, uint8_t if_true, uint8_t if_false, uint32_t k)
{
    if (f->length < sizeof f->code / sizeof *f->code)
        f->code[f->length] = (struct sock_filter){op, if_true, if_false, k};
    f->length++; /* seccomp_confine notices one that did not fit */
}

static void put_return(struct filter *f, uint32_t action)
{
    put(f, BPF_RET | BPF_K, 0, 0, action);
}

/* Load the low or high 32 bits of a system call's argument. */
static void put_load(struct filter *f, int argument, bool high)
{
    size_t offset = offsetof(struct seccomp_data, args) + 8 * (size_t)argument + (high ? 4 : 0);
    put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* If the loaded value equals k, the next instruction; otherwise skip over `skip` of them. */
static void put_equal(struct filter *f, uint32_t k, uint8_t skip)
{
    put(f, BPF_JMP | BPF_JEQ | BPF_K, 0, skip, k);
}

static void put_call(struct filter *f, int call, uint32_t action)
{
    put_equal(f, (uint32_t)call, 1);
    put_return(f, action);
}

/* Allowed when the low half of an argument is `value` (a pid, a descriptor: the kernel looks at
 * no more); otherwise the end of the program. */
static void put_call_if_equal(struct filter *f, int call, int argument, uint32_t value)
{
    put_equal(f, (uint32_t)call, 4);
    put_load(f, argument, false);
    put_equal(f, value, 1);
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, SECCOMP_RET_KILL_PROCESS);
}

static void put_memory_rules(struct filter *f)
{
    /* mprotect, pkey_mprotect: never executable */
    static const int PROTECT[] = {SYS_mprotect, SYS_pkey_mprotect};
    for (size_t i = 0; i < 2; i++) {
        put_equal(f, (uint32_t)PROTECT[i], 4);
        put_load(f, 2, false);
        put(f, BPF_JMP | BPF_JSET | BPF_K, 1, 0, PROT_EXEC);
        put_return(f, SECCOMP_RET_ALLOW);
        put_return(f, SECCOMP_RET_KILL_PROCESS);
    }
    /* mmap: executable only as ld.so maps a library: not writable, not anonymous, not shared,
     * and not one of the descriptors that the runner handed over */
    put_equal(f, SYS_mmap, 10);
    put_load(f, 2, false);
    put(f, BPF_JMP | BPF_JSET | BPF_K, 0, 6, PROT_EXEC);
    put(f, BPF_JMP | BPF_JSET | BPF_K, 6, 0, PROT_WRITE);
    put_load(f, 3, false);
    put(f, BPF_JMP | BPF_JSET | BPF_K, 4, 0, MAP_ANONYMOUS | MAP_SHARED);
    put_load(f, 4, false);
    put(f, BPF_JMP | BPF_JGT | BPF_K, 1, 0, 2);
    put(f, BPF_JMP | BPF_JA, 0, 0, 1);
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, SECCOMP_RET_KILL_PROCESS);
}

static void put_thread_rules(struct filter *f)
{
    const uint32_t needed = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    const uint32_t banned = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                            CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_PTRACE |
                            CLONE_VFORK;
    put_equal(f, SYS_clone, 5);
    put_load(f, 0, false);
    put(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, needed | banned);
    put_equal(f, needed, 1);
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, SECCOMP_RET_KILL_PROCESS);
}

static void put_descriptor_rules(struct filter *f)
{
    /* fcntl: duplicates, flags and record locks; no leases, signals, seals or pipe sizes */
    put_equal(f, SYS_fcntl, 5);
    put_load(f, 1, false);
    put(f, BPF_JMP | BPF_JGT | BPF_K, 0, 1, F_SETLKW);
    put_equal(f, F_DUPFD_CLOEXEC, 1);
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, SECCOMP_RET_ERRNO | EPERM);
}

/* prlimit64: read only, that is, without a new limit */
static void put_limit_rule(struct filter *f)
{
    put_equal(f, SYS_prlimit64, 6);
    put_load(f, 2, false);
    put_equal(f, 0, 3);
    put_load(f, 2, true);
    put_equal(f, 0, 1);
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, SECCOMP_RET_ERRNO | EPERM);
}

static void put_own_rules(struct filter *f, pid_t pid)
{
    put_limit_rule(f);
    put_call_if_equal(f, SYS_tgkill, 0, (uint32_t)pid);
    put_call_if_equal(f, SYS_kill, 0, (uint32_t)pid);
    put_call_if_equal(f, SYS_execveat, 0, PROGRAM_FD);
}

/* The start of a filter: native calls only; leaves the call's number loaded. */
static void put_head(struct filter *f)
{
    f->length = 0;
    put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64); /* no int $0x80 */
    put_return(f, SECCOMP_RET_KILL_PROCESS);
    put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    put(f, BPF_JMP | BPF_JGE | BPF_K, 0, 1, 0x40000000); /* no x32 */
    put_return(f, SECCOMP_RET_KILL_PROCESS);
}

static void put_refusals(struct filter *f)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        put_call(f, REFUSED[i].call, SECCOMP_RET_ERRNO | (uint32_t)REFUSED[i].error);
}

static int install(const struct filter *f)
{
    if (f->length > sizeof f->code / sizeof *f->code) {
        errno = E2BIG;
        return -1;
    }
    struct sock_fprog program = {(unsigned short)f->length, (struct sock_filter *)f->code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* ---- seccomp in two steps ------------------------------------------------------------------ */

/* Loading the whole filter takes the kernel longer than starting a small program. A worker that
 * runs many programs therefore puts most of it on itself, and each program adds only the rest:
 * these are the calls that the worker needs and programs do not have. */
static const int FOR_THE_WORKER[] = {
    SYS_vfork, SYS_wait4, SYS_kill, SYS_tgkill, SYS_execveat, SYS_prctl, SYS_prlimit64,
    SYS_setrlimit, SYS_memfd_create, SYS_setsid, SYS_sched_setaffinity, SYS_fchmodat,
};

static bool is_for_the_worker(int call)
{
    for (size_t i = 0; i < sizeof FOR_THE_WORKER / sizeof *FOR_THE_WORKER; i++)
        if (FOR_THE_WORKER[i] == call)
            return true;
    return false;
}

/* Put a filter on this process: the program's (`worker` false; `pid` is its own, the only one that
 * it may signal), or the worker's, under which its programs start. */
static int seccomp_confine(pid_t pid, bool profiling, bool worker)
{
    static struct filter f;
    put_head(&f);
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++)
        put_call(&f, ALLOWED[i], SECCOMP_RET_ALLOW);
    if (profiling)
        for (size_t i = 0; i < sizeof ALLOWED_TO_PROFILE / sizeof *ALLOWED_TO_PROFILE; i++)
            put_call(&f, ALLOWED_TO_PROFILE[i], SECCOMP_RET_ALLOW);
    if (worker)
        for (size_t i = 0; i < sizeof FOR_THE_WORKER / sizeof *FOR_THE_WORKER; i++)
            put_call(&f, FOR_THE_WORKER[i], SECCOMP_RET_ALLOW);
    put_memory_rules(&f);
    put_thread_rules(&f);
    put_descriptor_rules(&f);
    if (!worker)
        put_own_rules(&f, pid);
    put_refusals(&f);
    put_return(&f, SECCOMP_RET_KILL_PROCESS);
    return install(&f);
}

/* What a program below a worker adds: with it, it may do what seccomp_confine allows alone. */
static int seccomp_complete(pid_t pid)
{
    static struct filter f;
    put_head(&f);
    put_own_rules(&f, pid);
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (is_for_the_worker(REFUSED[i].call))
            put_call(&f, REFUSED[i].call, SECCOMP_RET_ERRNO | (uint32_t)REFUSED[i].error);
    for (size_t i = 0; i < sizeof FOR_THE_WORKER / sizeof *FOR_THE_WORKER; i++)
        put_call(&f, FOR_THE_WORKER[i], SECCOMP_RET_KILL_PROCESS);
    put_return(&f, SECCOMP_RET_ALLOW);
    return install(&f);
}

#endif
