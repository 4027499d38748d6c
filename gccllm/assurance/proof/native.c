/* Runs pieces of code from whole machine states and prints what they leave behind.
 *
 * Linked with a generated assembly file: the code at fixed addresses, states, pages and bytes of
 * memory.  A state is entered by returning from a signal with it, and every exit of the code is a
 * breakpoint, so no instruction of ours stands between a state and the code. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096, REGISTERS = 16, FLAGS = 0x8D5 };

struct state {
    uint64_t gpr[REGISTERS];
    uint64_t flags;
    uint8_t vector[16][32];
};
struct run { uint64_t entry, state; };
struct byte { uint64_t address, value; };

/* the generated part */
extern const uint64_t nv_counts[4]; /* runs, pages, bytes, whether memory is printed */
extern const struct state nv_states[];
extern const struct run nv_runs[];
extern const uint64_t nv_pages[];
extern const struct byte nv_bytes[];

static const int ORDER[REGISTERS] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
                                     REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13,
                                     REG_R14, REG_R15};
static ucontext_t home;
static struct state out;
static uint64_t out_place, out_signal, out_address;
static volatile int running;
static uint64_t current;

/* Where the upper halves of the vector registers lie behind the legacy area; NULL without AVX.
 * Intel's manual, volume 1, 13.4: component 2 is at 576 in the standard format. */
static uint8_t *upper_halves(ucontext_t *c)
{
    uint8_t *area = (uint8_t *)c->uc_mcontext.fpregs;
    uint32_t magic;
    memcpy(&magic, area + 464, 4);
    return magic == 0x46505853 ? area + 576 : NULL;
}

static void enter(ucontext_t *c)
{
    const struct run *r = &nv_runs[current];
    const struct state *s = &nv_states[r->state];
    for (int i = 0; i < REGISTERS; i++)
        c->uc_mcontext.gregs[ORDER[i]] = (greg_t)s->gpr[i];
    c->uc_mcontext.gregs[REG_EFL] =
        (greg_t)(((uint64_t)c->uc_mcontext.gregs[REG_EFL] & ~(uint64_t)FLAGS) | (s->flags & FLAGS));
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)r->entry;
    uint8_t *upper = upper_halves(c);
    for (int i = 0; i < 16; i++) {
        memcpy(&c->uc_mcontext.fpregs->_xmm[i], s->vector[i], 16);
        if (upper)
            memcpy(upper + 16 * i, s->vector[i] + 16, 16);
    }
    if (upper) {
        uint8_t *header = (uint8_t *)c->uc_mcontext.fpregs + 512;
        header[0] |= 7; /* x87, SSE and AVX are there */
    }
}

static void leave(ucontext_t *c, int number, siginfo_t *info)
{
    uint8_t *upper = upper_halves(c);
    uint8_t *header = (uint8_t *)c->uc_mcontext.fpregs + 512;
    for (int i = 0; i < REGISTERS; i++)
        out.gpr[i] = (uint64_t)c->uc_mcontext.gregs[ORDER[i]];
    out.flags = (uint64_t)c->uc_mcontext.gregs[REG_EFL] & FLAGS;
    for (int i = 0; i < 16; i++) {
        memcpy(out.vector[i], &c->uc_mcontext.fpregs->_xmm[i], 16);
        memset(out.vector[i] + 16, 0, 16);
        if (upper && header[0] & 4)
            memcpy(out.vector[i] + 16, upper + 16 * i, 16);
    }
    out_place = (uint64_t)c->uc_mcontext.gregs[REG_RIP] - (number == SIGTRAP);
    out_signal = number == SIGTRAP ? 0 : (uint64_t)number;
    out_address = number == SIGTRAP ? 0 : (uint64_t)info->si_addr;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    if (!running) {
        running = 1;
        home = *c;
        enter(c);
        return;
    }
    leave(c, number, info);
    running = 0;
    memcpy(c->uc_mcontext.gregs, home.uc_mcontext.gregs, sizeof home.uc_mcontext.gregs);
}

static int set_up(void)
{
    static uint8_t stack[1 << 16];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    action.sa_sigaction = on_signal;
    int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    if (sigaltstack(&alternative, NULL))
        return 2;
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &action, NULL);
    for (uint64_t i = 0; i < nv_counts[1]; i++) {
        void *at = (void *)nv_pages[i];
        if (mmap(at, PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
            return 3;
    }
    return 0;
}

int main(void)
{
    int failed = set_up();
    if (failed)
        return failed;
    for (current = 0; current < nv_counts[0]; current++) {
        for (uint64_t i = 0; i < nv_counts[1]; i++)
            memset((void *)nv_pages[i], 0, PAGE);
        for (uint64_t i = 0; i < nv_counts[2]; i++)
            *(uint8_t *)nv_bytes[i].address = (uint8_t)nv_bytes[i].value;
        __asm__ volatile("int3" ::: "memory", "cc");
        uint64_t head[3] = {out_place, out_signal, out_address};
        fwrite(head, sizeof head, 1, stdout);
        fwrite(&out, sizeof out, 1, stdout);
        for (uint64_t i = 0; nv_counts[3] && i < nv_counts[1]; i++)
            fwrite((void *)nv_pages[i], PAGE, 1, stdout);
        fflush(stdout);
    }
    return 0;
}
