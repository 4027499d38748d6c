/* One call of one version: registers full of junk and canaries, faults caught, time limited.
 *
 * Faults and the time limit leave through gd_leave, which needs nothing but gd_host_sp.  The
 * time limit is a thread that looks at this one's CPU clock, for the sandbox refuses timers.
 */
#ifndef GCCLLM_DIFFERENTIAL_CALL_H
#define GCCLLM_DIFFERENTIAL_CALL_H

#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum { SAVED = 6, ABOVE = 32, BELOW = 64 }; /* words of the stack that are checked, made junk */
enum ending { RETURNED, ENDED, FAULTED, HUNG }; /* ENDED: it ended the program, as by abort */

struct outcome {
    enum ending ending;
    int signal;
    bool in_memory, writes;  /* a page fault, and by a write */
    uint64_t address;
    uint64_t words[4];       /* rax, rdx, low halves of xmm0 and xmm1, masked; who ended it, how */
    const char *broken;      /* a rule of the ABI that was broken; NULL */
};

#define SHARED __attribute__((visibility("hidden")))
SHARED uint64_t gd_in_gpr[16], gd_in_flags, gd_in_xmm[16][2];
SHARED uint64_t gd_out_words[4], gd_out_saved[SAVED], gd_out_sp, gd_out_flags;
SHARED uint32_t gd_out_mxcsr, gd_mxcsr;
SHARED uint64_t gd_host_sp, gd_target;
SHARED volatile uint32_t gd_inside;
SHARED extern char gd_leave[];
SHARED extern void gd_enter(void *target);

#define XMM(n) "\tmovups gd_in_xmm+16*" #n "(%rip), %xmm" #n "\n"
#define GPR(n, name) "\tmovq gd_in_gpr+8*" #n "(%rip), %" #name "\n"
__asm__(
    "\t.text\n\t.p2align 4\n\t.hidden gd_enter\n\t.globl gd_enter\ngd_enter:\n"
    "\tpush %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n"
    "\tmovq %rsp, gd_host_sp(%rip)\n\tmovq %rdi, gd_target(%rip)\n"
    XMM(0) XMM(1) XMM(2) XMM(3) XMM(4) XMM(5) XMM(6) XMM(7)
    XMM(8) XMM(9) XMM(10) XMM(11) XMM(12) XMM(13) XMM(14) XMM(15)
    "\tpushq gd_in_flags(%rip)\n\tpopfq\n"
    GPR(0, rax) GPR(1, rcx) GPR(2, rdx) GPR(3, rbx) GPR(4, rsp) GPR(5, rbp) GPR(6, rsi)
    GPR(7, rdi) GPR(8, r8) GPR(9, r9) GPR(10, r10) GPR(11, r11) GPR(12, r12) GPR(13, r13)
    GPR(14, r14) GPR(15, r15)
    "\tmovl $1, gd_inside(%rip)\n"
    "\tcall *gd_target(%rip)\n"
    "\tmovl $0, gd_inside(%rip)\n"
    "\tmovq %rax, gd_out_words(%rip)\n\tmovq %rdx, gd_out_words+8(%rip)\n"
    "\tmovq %xmm0, gd_out_words+16(%rip)\n\tmovq %xmm1, gd_out_words+24(%rip)\n"
    "\tmovq %rbx, gd_out_saved(%rip)\n\tmovq %rbp, gd_out_saved+8(%rip)\n"
    "\tmovq %r12, gd_out_saved+16(%rip)\n\tmovq %r13, gd_out_saved+24(%rip)\n"
    "\tmovq %r14, gd_out_saved+32(%rip)\n\tmovq %r15, gd_out_saved+40(%rip)\n"
    "\tmovq %rsp, gd_out_sp(%rip)\n\tmovq gd_host_sp(%rip), %rsp\n"
    "\tpushfq\n\tpopq gd_out_flags(%rip)\n\tstmxcsr gd_out_mxcsr(%rip)\n"
    "\t.globl gd_leave\n\t.hidden gd_leave\ngd_leave:\n"
    "\tmovq gd_host_sp(%rip), %rsp\n\tcld\n\tldmxcsr gd_mxcsr(%rip)\n"
    "\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\tret\n");

static struct outcome now;
static uint64_t *stack_top;
static volatile uint64_t calls, limit_ns;
static clockid_t own_clock;
static pthread_t caller;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(own_clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A version has called what ends the program: that, with its arguments, is its result. */
static __attribute__((noreturn)) void end_program(uint64_t who, uint64_t one, uint64_t two)
{
    gd_inside = 0;
    now.ending = ENDED;
    now.words[0] = who;
    now.words[1] = one;
    now.words[2] = two;
    __asm__ volatile("jmp gd_leave");
    __builtin_unreachable();
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    if (!gd_inside) {
        if (number == SIGUSR1)
            return;
        _exit(4);
    }
    gd_inside = 0;
    now.ending = number == SIGUSR1 ? HUNG : FAULTED;
    now.signal = number;
    now.in_memory = number == SIGSEGV && info->si_code > 0 && info->si_code != SI_KERNEL;
    now.address = (uint64_t)info->si_addr;
    now.writes = c->uc_mcontext.gregs[REG_ERR] & 2;
    c->uc_mcontext.gregs[REG_EFL] &= ~0x400; /* the direction flag */
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)gd_leave;
}

/* Ends a call that has used more CPU time than it may. */
static void *watch(void *unused)
{
    uint64_t seen = 0, since = 0;
    for (;;) {
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
        if (!gd_inside || calls != seen) {
            seen = calls;
            since = cpu_ns();
        } else if (cpu_ns() - since > limit_ns)
            pthread_kill(caller, SIGUSR1);
    }
    return unused;
}

static void set_up_calls(void)
{
    enum { SIZE = 8 << 20 };
    gd_mxcsr = 0x1F80; /* the default; not an initialiser, which would put it into .data */
    static uint8_t alternative[1 << 16];
    stack_t other = {.ss_sp = alternative, .ss_size = sizeof alternative};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    action.sa_sigaction = on_signal;
    const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGUSR1};
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &action, NULL);
    char *stack = mmap((void *)0x300000000000, SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    pthread_t watcher;
    if (stack == MAP_FAILED || mprotect(stack, PAGE, PROT_NONE) || sigaltstack(&other, NULL))
        exit(3);
    stack_top = (uint64_t *)(void *)(stack + SIZE);
    caller = pthread_self();
    if (pthread_getcpuclockid(caller, &own_clock) || pthread_create(&watcher, NULL, watch, NULL))
        exit(3);
}

/* Call a version with the argument block; `leaves` say which bits of it are arguments. */
static void call(int64_t version, const uint8_t *block, const struct layout *l)
{
    static const int REGISTER[6] = {RDI, RSI, RDX, RCX, 8, 9};
    static const int KEPT[SAVED] = {RBX, RBP, 12, 13, 14, 15};
    uint64_t words[BLOCK], canary = next();
    for (int i = 0; i < BLOCK; i++)
        words[i] = next();
    for (int64_t i = 0; i < l->leaves; i++) {
        const struct leaf *x = &l->leaf[i];
        memcpy((uint8_t *)words + x->offset, block + x->offset, (size_t)x->size);
        if (x->size < 4 && x->offset % 8 == 0) {
            /* gcc and clang extend what is narrower than int, and clang counts on it */
            uint64_t v = 0, sign = x->kind == SIGNED ? 1ULL << (8 * x->size - 1) : 0;
            memcpy(&v, block + x->offset, (size_t)x->size);
            uint32_t wide = (uint32_t)((v ^ sign) - sign);
            memcpy((uint8_t *)words + x->offset, &wide, 4);
        }
    }
    uint64_t *sp = stack_top - ABOVE - q.stack_words;
    sp -= ((uintptr_t)sp & 8) / 8;
    for (uint64_t *at = sp - BELOW; at < stack_top; at++)
        *at = canary ^ (uint64_t)(uintptr_t)at;
    memcpy(sp, words + 14, 8 * (size_t)q.stack_words);
    for (int i = 0; i < 16; i++) {
        gd_in_gpr[i] = next();
        gd_in_xmm[i][0] = gd_in_gpr[i] * 0x9E3779B97F4A7C15ULL;
        gd_in_xmm[i][1] = canary + gd_in_gpr[i];
    }
    for (int i = 0; i < 6; i++)
        gd_in_gpr[REGISTER[i]] = words[i];
    for (int i = 0; i < 8; i++)
        gd_in_xmm[i][0] = words[6 + i];
    gd_in_gpr[RSP] = (uint64_t)sp;
    gd_in_flags = 0x202 | (canary & 0x8D5);
    now = (struct outcome){.ending = RETURNED};
    calls++;
    gd_enter(gd_versions[version]);
    if (now.ending != RETURNED)
        return;
    for (int i = 0; i < 4; i++)
        now.words[i] = gd_out_words[i] & q.masks[i];
    for (int i = 0; i < SAVED; i++)
        if (gd_out_saved[i] != gd_in_gpr[KEPT[i]])
            now.broken = "a callee-saved register is changed";
    if (gd_out_sp != (uint64_t)sp)
        now.broken = "the stack pointer is not restored";
    if (gd_out_flags & 0x400)
        now.broken = "the direction flag is left set";
    if ((gd_out_mxcsr ^ gd_mxcsr) & 0xFFC0)
        now.broken = "mxcsr is changed";
    for (uint64_t *at = sp + q.stack_words; at < stack_top; at++)
        if (*at != (canary ^ (uint64_t)(uintptr_t)at))
            now.broken = "the caller's stack frame is written to";
}

#endif
