"""What a function names of other objects, itself or through functions of its own object.

No rule of the ABI forbids a rewrite to call what gcc's code does not, and compilers do that, when
one has found a call to be dead that the other has not. But there are names by which code finds out
where it runs, who watches it and what time it is, or leaves something behind. A rewrite that is
faster has no use for them; one that wants to be right only while it is watched does.
"""

from __future__ import annotations

from collections.abc import Iterator

from gccllm.asm.code import ObjectCode
from gccllm.assurance.abi.graph import callee_of
from gccllm.assurance.abi.kinds import Finding, Kind
from gccllm.assurance.abi.values import Place

__all__ = ["PROBES", "new_names"]

PROBES = frozenset(
    """
    getenv secure_getenv __secure_getenv environ __environ _environ program_invocation_name
    program_invocation_short_name __progname __progname_full __libc_argv _dl_argv getauxval
    getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid getlogin getpwuid
    time clock clock_gettime clock_getres gettimeofday ftime times getrusage timespec_get
    sleep usleep nanosleep clock_nanosleep alarm ualarm setitimer getitimer timer_create pause
    uname gethostname sysconf getpagesize sysinfo get_nprocs get_nprocs_conf getloadavg
    sched_getcpu
    sched_yield sched_getaffinity sched_setaffinity getcpu isatty ttyname getcwd
    get_current_dir_name access faccessat stat stat64 fstat fstat64 lstat lstat64 statx readlink
    opendir readdir
    open open64 openat openat64 creat fopen fopen64 fdopen freopen tmpfile mkstemp read pread
    pread64 write pwrite pwrite64 close dup dup2 dup3 pipe pipe2 unlink rename mkdir rmdir
    mmap mmap64 munmap mprotect mremap madvise mlock msync shm_open shmget shmat memfd_create
    fork vfork clone execve execv execvp execl execlp system popen posix_spawn wait waitpid wait4
    kill raise tgkill signal sigaction sigprocmask sigaltstack sigsetjmp siglongjmp longjmp
    ptrace prctl arch_prctl syscall personality setrlimit getrlimit setrlimit64 getrlimit64 prlimit
    prlimit64 nice setpriority getpriority dlopen dlsym dlmopen dladdr dl_iterate_phdr
    pthread_create pthread_atfork atexit on_exit __cxa_atexit socket connect send recv
    rand srand rand_r random srandom drand48 lrand48 mrand48 getrandom getentropy arc4random
    ioctl fcntl fcntl64 poll select epoll_create inotify_init backtrace
    """.split()
)
"""Of glibc: time, processes, files, memory maps, signals, threads, chance, the environment."""


def new_names(name: str, baseline: ObjectCode, candidate: ObjectCode) -> Iterator[Finding]:
    """A finding for each of :data:`PROBES` that only the candidate's ``name`` reaches."""
    known = _reached(name, baseline)
    for symbol, place in _reached(name, candidate).items():
        if symbol in PROBES and symbol not in known:
            yield Finding(
                Kind.NEW_NAME, symbol, place, f"{symbol} is used, and not by the baseline's {name}"
            )


def _reached(name: str, unit: ObjectCode) -> dict[str, Place]:
    """Symbols of other objects, each with the first place that names it."""
    found: dict[str, Place] = {}
    queue, seen = [name], {name}
    while queue:
        function = unit.functions.get(queue.pop())
        for op in function.ops.values() if function is not None else ():
            symbol = op.relocation.symbol if op.relocation is not None else None
            if symbol is not None and not symbol.defined and symbol.name:
                found.setdefault(symbol.name, op.place)
            named = callee_of(op, unit) or (symbol.name if symbol is not None else "")
            if named in unit.functions and named not in seen:
                seen.add(named)
                queue.append(named)
    return found
