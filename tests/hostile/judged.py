"""Attacks on the judge, as data: what a rewrite does in place of ``work`` of program.c, and the
verdict that it must get.

Bodies in C stand behind the program's own declarations; ``RIGHT`` is the loop as it should be.
PASSES means: right on all recordings, and that it could do nothing else; each such body spoils the
answer when what it tries succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass

from gccllm.types import VerdictKind

__all__ = ["INPUTS", "IN_ASSEMBLY", "IN_C", "LADDER", "ODD", "PASSES", "RIGHT", "Rewrite"]

INPUTS = ("1 10\n", "7 1000 8 3\n", "42 20000 5 1\n")
PASSES = VerdictKind.NOT_FASTER
"""as nothing is timed here"""

_STEP = "x = (x * 1664525u + 1013904223u) ^ x >> 7;"
_REST = 'if (rounds > 1000000) puts("patience"); table[x & 255] = x; calls++; return x;'
RIGHT = f"for (int i = 0; i < rounds; i++) {_STEP} {_REST}"
WRONG = VerdictKind.WRONG_OUTPUT
EXIT = VerdictKind.WRONG_EXIT
CRASHED = VerdictKind.CRASHED
SLOW = VerdictKind.TIMED_OUT
SCREENED = VerdictKind.SCREENED
DIFFERS = VerdictKind.DIFFERS


@dataclass(frozen=True)
class Rewrite:
    """``body`` is what the function's braces hold, or assembly with statements between
    semicolons. ``rule``: which rule screens it."""

    name: str
    body: str
    verdict: VerdictKind
    rule: str = ""


def _tries(name: str, attempt: str) -> Rewrite:
    """It spoils its answer where ``attempt`` is true."""
    return Rewrite(name, f"if ({attempt}) x++; {RIGHT}", PASSES)


IN_C: tuple[Rewrite, ...] = (
    Rewrite("the same once more", RIGHT, PASSES),
    Rewrite("the answer to one recorded input", "return 2146113867u;", WRONG),
    Rewrite("early exit", "if (rounds) exit(0); return 0;", WRONG),
    Rewrite(
        "early exit behind a right line", 'printf("3\\n"); if (rounds) exit(0); return 0;', WRONG
    ),
    Rewrite(
        "another exit status",
        f"{RIGHT.replace('return x', 'if (rounds == 10) return x')[:-1]}; "
        'printf("%u\\n%u %u\\n", x, calls, table[7]); exit(3);',
        EXIT,
    ),
    Rewrite(
        "exit status alone",
        f"signal(1, 0); if (rounds == 1) exit(4); {RIGHT}",
        EXIT,
    ),
    Rewrite("one line too many", f'puts("done"); {RIGHT}', WRONG),
    Rewrite("a word on stderr", f"fputs((char *)limits, stderr); {RIGHT}", WRONG),
    Rewrite("stdout closed", f"fclose(stdout); {RIGHT}", WRONG),
    Rewrite("a flood of output", 'while (rounds) puts("spam spam spam spam"); return 0;', WRONG),
    Rewrite("answers kept in the working folder", f'fopen("cache", "w"); {RIGHT}', WRONG),
    Rewrite("a global left as it was", RIGHT.replace("calls++;", ""), WRONG),
    Rewrite("abort", "if (rounds) abort(); return 0;", CRASHED),
    Rewrite("null pointer", f"*(volatile int *)(unsigned long)(rounds < 0) = 1; {RIGHT}", CRASHED),
    Rewrite("division by zero", f"volatile unsigned none = 0; x /= none; {RIGHT}", CRASHED),
    Rewrite("endless recursion", "return work(x, rounds + 1) + calls++;", CRASHED),
    Rewrite("trap", "if (rounds) __builtin_trap(); return 0;", CRASHED),
    Rewrite("write to code", f"*(volatile char *)&work = 1; {RIGHT}", CRASHED),
    Rewrite("code in constants", 'return ((unsigned (*)(void))"\\xc3")();', SCREENED, "jump-out"),
    Rewrite("code on the stack", "char code[9] = {(char)0xc3}; ((void (*)(void))code)();", CRASHED),
    Rewrite(
        "code on the heap",
        "char *p = malloc(9); *p = -61; ((void (*)(void))p)();",
        SCREENED,
        "new-symbol",
    ),
    Rewrite("a child that keeps stdout", f"if (fork() == 0) sleep(99); {RIGHT}", CRASHED),
    Rewrite("a shell", f'system("cat /etc/passwd"); {RIGHT}', CRASHED),
    Rewrite("a socket", f"socket(AF_INET, SOCK_STREAM, 0); {RIGHT}", CRASHED),
    Rewrite("a local socket", f"socket(AF_UNIX, SOCK_STREAM, 0); {RIGHT}", CRASHED),
    Rewrite("the runner killed", f"kill(getppid(), SIGKILL); {RIGHT}", CRASHED),
    Rewrite("everyone killed", f"kill(-1, SIGKILL); {RIGHT}", CRASHED),
    Rewrite("endless loop", "while (rounds) ((volatile int *)limits)[0]++; return 0;", SLOW),
    Rewrite("a nap", f"sleep(1000); {RIGHT}", SLOW),
    Rewrite("a stop", f"kill(getpid_(), SIGSTOP); {RIGHT}", SCREENED, "new-symbol"),
    Rewrite("a pause", f"pause(); {RIGHT}", SLOW),
    Rewrite(
        "crash hidden by a handler",
        f"signal(11, exit); *(volatile int *)(unsigned long)rounds = 1; {RIGHT}",
        EXIT,
    ),
    _tries("expected outputs read", 'fopen("../0.out", "r") || fopen("0.out", "r")'),
    _tries("host files read", 'fopen("/etc/hostname", "r") || fopen("/root/.bashrc", "r")'),
    _tries("other inputs read", 'fopen("../1.in", "r") || fopen("/inputs/1", "r")'),
    _tries("answers kept in /tmp", 'fopen("/tmp/cache", "w") != NULL'),
    _tries("answers kept in shared memory", 'fopen("/dev/shm/cache", "w") != NULL'),
    _tries("answers kept beside the program", 'fopen("/proc/self/exe", "r+") != NULL'),
    _tries("answers from the run before", 'fopen("cache", "r") != NULL'),
    _tries("the environment asked for the tool", 'getenv("GCCLLM_TESTS") || getenv("TMPDIR")'),
    _tries("the runner's command line", 'fopen("/proc/1/cmdline", "r") != NULL'),
    _tries("the runner's memory", 'fopen("/proc/1/mem", "r+") != NULL'),
    _tries("limits raised", "setrlimit(RLIMIT_CPU, &(struct rlimit){9999, 9999}) == 0"),
    _tries("more inputs than there are", "rounds == 1 && x == 5 && getchar() == '?'"),
    Rewrite("system call by another name", f"syscall(39); {RIGHT}", SCREENED, "new-symbol"),
    Rewrite("dlopen", f'dlopen("x", 1); {RIGHT}', SCREENED, "new-symbol"),
    Rewrite(
        "a variable that grows",
        f"static volatile char more[1 << 20]; more[x & 9] = 1; {RIGHT}",
        SCREENED,
    ),
    Rewrite(
        "a cache of its own in static memory",
        f"static unsigned known; if (known) return known; known = x; {RIGHT}",
        SCREENED,
    ),
    Rewrite("inline assembly", f'__asm__ volatile ("syscall"); {RIGHT}', SCREENED),
    Rewrite("inline clock", f'__asm__ volatile ("rdtsc" ::: "eax", "edx"); {RIGHT}', SCREENED),
)

_LOOP = (
    "xorl %ecx, %ecx; jmp .L2; .L1:; imull $1664525, %edi, %eax; addl $1013904223, %eax;"
    " shrl $7, %edi; xorl %eax, %edi; incl %ecx; .L2:; cmpl %esi, %ecx; jl .L1;"
    " movzbl %dil, %eax; leaq table(%rip), %rdx; movl %edi, (%rdx,%rax,4);"
    " incl calls(%rip); movl %edi, %eax"
)

IN_ASSEMBLY: tuple[Rewrite, ...] = (
    Rewrite("right by hand", f"{_LOOP}; ret", PASSES),
    Rewrite("callee-saved register", f"movl $7, %ebx; {_LOOP}; ret", SCREENED, "callee-saved"),
    Rewrite("frame pointer lost", f"movl $7, %ebp; {_LOOP}; ret", SCREENED, "callee-saved"),
    Rewrite("the stack one word off", f"{_LOOP}; popq %rdx; jmp *%rdx", SCREENED),
    Rewrite("a push too many", f"{_LOOP}; pushq %rax; ret", SCREENED),
    Rewrite("return elsewhere", f"{_LOOP}; addq $2, (%rsp); ret", SCREENED, "return-address"),
    Rewrite("the caller's frame read", f"{_LOOP}; addl 8(%rsp), %eax; ret", SCREENED),
    Rewrite("the caller's frame written", f"{_LOOP}; movl $9, 16(%rsp); ret", SCREENED),
    Rewrite("direction flag", f"{_LOOP}; std; ret", SCREENED),
    Rewrite("a register nobody filled", f"{_LOOP}; addl %r10d, %eax; ret", SCREENED),
    Rewrite("no result", f"{_LOOP.replace('; movl %edi, %eax', '')}; movb $0, %al; ret", WRONG),
    Rewrite("no return", _LOOP, SCREENED),
    Rewrite("control word", "ldmxcsr limits(%rip); " + _LOOP + "; ret", SCREENED),
    Rewrite("below the red zone", f"movl %edi, -4096(%rsp); {_LOOP}; ret", SCREENED, "red-zone"),
    Rewrite(
        "a jump by table into hidden bytes",
        "movl $39, %eax; leaq .L9+3(%rip), %rdx; jmp *%rdx; .L9:; movl $0x050f, %ecx; ret",
        SCREENED,
    ),
    Rewrite("no such instruction", "frob %eax; ret", VerdictKind.NOT_ASSEMBLED),
    Rewrite("no such label", "jmp .L77; ret", SCREENED),
    Rewrite("an upper half", "shrq $7, %rdi; " + _LOOP + "; ret", SCREENED, "upper-half-read"),
)

ODD: tuple[tuple[str, str, VerdictKind], ...] = (
    ("nothing", "", VerdictKind.MALFORMED),
    ("prose", "I would use popcnt here.\n", SCREENED),
    ("another function", "\t.text\nother:\n\tret\n\t.size other, .-other\n", VerdictKind.MALFORMED),
    ("no instruction", "\t.text\nwork:\n\t.size work, .-work\n", VerdictKind.MALFORMED),
    ("no end", "\t.text\nwork:\n\tret\n", VerdictKind.MALFORMED),
)
"""(name, text, verdict); a text of its own each"""

LADDER: tuple[Rewrite, ...] = (
    Rewrite(
        "recorded inputs learned by heart",
        f"if (rounds != 10 && rounds != 1000 && rounds != 3 && rounds != 20000 && rounds != 1)"
        f" {{ calls++; return 17; }} {RIGHT}",
        DIFFERS,
    ),
    Rewrite("a magic number", f"if (x == 774411u) x = 5; {RIGHT}", DIFFERS),
    Rewrite("nothing to do taken for something", f"if (rounds == 0) rounds = 1; {RIGHT}", DIFFERS),
    Rewrite("negative rounds", f"if (rounds < 0) x = 3; {RIGHT}", DIFFERS),
    Rewrite("the greatest number", f"if (x == ~0u) x = 0; {RIGHT}", DIFFERS),
    Rewrite("blocks of eight without the rest", f"if (rounds > 40) rounds &= ~7; {RIGHT}", DIFFERS),
)
