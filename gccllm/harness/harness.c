/* Runs versions of a region on random and edge states and compares what they leave behind.
 *
 * Linked with a generated assembly file that holds the versions (number 0 is the baseline), the code
 * that loads and stores the machine's state around them, and the tables below.  All memory that a
 * region may touch lies in buffers between guard pages.  States on which the baseline faults or
 * does not end are skipped; when it faults just beside a buffer, the pointers into that buffer are
 * moved by what was missing and it gets another try, which is how they come to lie tight.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { RSP = 4, PAGE = 4096, FAULT = 1000, HANG = 1001, EXCLUDED = 1002 };
enum { MAX_BUFFERS = 16, MAX_ORIGINS = 64, MOST_TRIES = 11 };
enum { INTEGER, SMALL, POINTER };
enum { GPR_MASKS = 0, FLAG_MASK = 16, VECTOR_BYTES = 17, K_MASKS = 49, MASKS = 57 };

struct machine {
    uint64_t gpr[16];
    uint64_t flags;
    uint64_t exit;
    uint64_t k[8];
    uint8_t vector[32][64];
};

struct config {
    int64_t states, seed, variants, buffers, origins, relations, immediates, overlap, chases,
        frame, phase, below, guarded, cap, candidate_cap, far_cap, vectors, masks;
};
struct buffer { int64_t base, size; };
struct origin { int64_t gpr, displacement, size, width, role, buffer, low, high, stride, unit; };
struct relation { int64_t first, second, step; };

/* the generated part */
extern const struct config gl_config;
extern const struct buffer gl_buffers[];
extern const struct origin gl_origins[];
extern const struct relation gl_relations[];
extern const int64_t gl_immediates[];
extern const int64_t gl_masks[][MASKS];
extern const void *const gl_code[]; /* the versions, then the guard */
extern void gl_enter(const void *code);
extern char gl_leave[];

struct machine gl_in, gl_out;
uint64_t gl_budget, gl_spill, gl_host_sp;
const void *gl_target;

static struct machine baseline;
static uint8_t *initial[MAX_BUFFERS], *expected[MAX_BUFFERS];
static int64_t shift[MAX_BUFFERS];
static uint64_t value[MAX_ORIGINS];
static volatile uint64_t fault_address;
static volatile int fault_signal;
static bool overlapping;

/* ---- random numbers (xorshift64*), and the values that find mistakes ------------------------ */

static uint64_t rng;

static uint64_t next(void)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return rng * 0x2545F4914F6CDD1DULL;
}

static uint64_t below(uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)next() * limit) >> 64);
}

static bool chance(unsigned of_16)
{
    return below(16) < of_16;
}

static void seed(uint64_t index)
{
    uint64_t z = (uint64_t)gl_config.seed * 0xD1342543DE82EF95ULL + index * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    rng = (z ^ (z >> 31)) | 1;
}

static uint64_t integer(void)
{
    uint64_t v;
    switch (below(10)) {
    case 0: return below(3) - 1;
    case 1: case 2: return below(65);
    case 3: return 0 - below(65);
    case 4:
        v = 1ULL << below(64);
        return v + below(3) - 1;
    case 5:
        v = 1ULL << below(64);
        return 0 - v + below(3) - 1;
    case 6: case 7:
        if (gl_config.immediates)
            return (uint64_t)gl_immediates[below((uint64_t)gl_config.immediates)] + below(3) - 1;
        return below(1000);
    case 8: return (uint64_t)(int64_t)(int32_t)next();
    default: return next() >> below(64);
    }
}

static int64_t first_buffer(void)
{
    return gl_config.frame ? 0 : 1; /* the frame is only looked at where rsp is used */
}

/* ---- one state ------------------------------------------------------------------------------ */

static uint64_t few(void)
{
    switch (below(8)) {
    case 0: return below(3);
    case 1: case 2: case 3: return below(9);
    case 4: return below(20);
    case 5: return below(40);
    case 6: return 8 * below(9) + below(3);
    default: return 16 * below(17) + below(3); /* several blocks of 64 bytes */
    }
}

static int64_t most(int64_t stride, int64_t size)
{
    int64_t step = stride < 0 ? -stride : stride;
    return step ? size / 2 / step : size;
}

static uint64_t place(const struct origin *o, uint64_t n, bool at_end)
{
    const struct buffer *b = &gl_buffers[o->buffer];
    int64_t count = (int64_t)n, limit = most(o->stride, b->size);
    if (count > limit)
        count = limit;
    int64_t reach = count > 0 ? (count - 1) * o->stride : 0;
    /* The loop may have moved on before it reads there: then what is missing shows in a fault. */
    bool tight = chance(4);
    int64_t low = (tight ? 0 : o->low) + (reach < 0 ? reach : 0);
    int64_t high = (tight ? 0 : o->high) + (reach > 0 ? reach : 0);
    int64_t slack = chance(8) ? 0 : o->unit * (int64_t)below(chance(8) ? 4 : 64);
    if (at_end)
        return (uint64_t)(b->base + b->size - high - slack + shift[o->buffer]);
    return (uint64_t)(b->base - low + slack + shift[o->buffer]);
}

/* Eight bytes of elements of `unit` bytes each, drawn from sixteen. */
static uint64_t elements(const uint64_t *some, int64_t unit)
{
    uint64_t v = 0, r = next();
    if (unit >= 8)
        return some[r & 15];
    for (int64_t i = 0; i < 8; i += unit, r >>= 4)
        v = v << (8 * unit) | (some[r & 15] & ((1ULL << (8 * unit)) - 1));
    return v;
}

/* What a buffer is full of: nothing, a number of the code, a value that is looked for, or any. */
static uint64_t common(void)
{
    uint64_t v = integer();
    if (chance(6))
        v = 0;
    else if (gl_config.immediates && chance(7))
        v = (uint64_t)gl_immediates[below((uint64_t)gl_config.immediates)];
    if (gl_config.origins && chance(6))
        v = value[below((uint64_t)gl_config.origins)];
    return v;
}

/* Elements that rise or fall, with few leaps. */
static void slope(uint8_t *to, int64_t size, int64_t unit)
{
    uint64_t v = integer(), least = below(2), sign = chance(8) ? 1 : ~0ULL;
    for (int64_t i = 0; i + unit <= size; i += unit) {
        v = below(64) ? v + sign * (least + below(2)) : integer();
        memcpy(to + i, &v, (size_t)unit);
    }
}

/* Contents of a buffer: elements of 1, 2, 4 or 8 bytes from a few values, in order, or anything. */
static void fill(int64_t number)
{
    static const char text[] = "aabcxyAZ 09.-\n_\xff";
    const struct buffer *b = &gl_buffers[number];
    uint64_t *to = (uint64_t *)initial[number], some[16], pool[64];
    int64_t unit = 8, words = b->size / 8;
    for (int64_t i = 0; i < gl_config.origins; i++)
        if (gl_origins[i].role == POINTER && gl_origins[i].buffer == number)
            unit = gl_origins[i].unit < 8 ? gl_origins[i].unit : 8;
    unsigned style = (unsigned)below(11);
    uint64_t sentinel = common();
    for (int i = 0; i < 16; i++)
        some[i] = style == 0 ? below(4)
                  : style == 1 ? (i < 15 ? 0 : next())
                  : style == 2 ? (i < 12 ? sentinel : next())
                  : style == 3 ? (i < 15 ? sentinel : integer())
                  : style == 4 ? (uint8_t)text[i]
                  : style < 8  ? integer()
                               : sentinel; /* long runs: what skips over many shows there */
    for (int i = 0; i < 64; i++)
        pool[i] = style < 6 || (style > 7 && i) ? elements(some, unit) : next();
    for (int64_t i = 0; i < words; i += 8) {
        uint64_t r = next();
        for (int j = 0; j < 8; j++, r >>= 6)
            to[i + j] = pool[r & 63];
    }
    if (style == 10)
        slope(initial[number], b->size, unit);
    if (gl_config.chases && chance(12))
        for (int64_t i = 0; i < words; i += 1 + (int64_t)below(2))
            to[i] = chance(2) ? 0 : (uint64_t)b->base + 8 * below((uint64_t)words - 8);
}

/* A value that ends a search, where the pointer's n-th step leads or before. */
static void end_search(const struct origin *o, uint64_t at, uint64_t n)
{
    const struct buffer *b = &gl_buffers[o->buffer];
    int64_t unit = o->unit < 8 ? o->unit : 8;
    uint64_t v = chance(8) ? 0 : value[below((uint64_t)gl_config.origins)];
    if (gl_config.immediates && chance(5))
        v = (uint64_t)gl_immediates[below((uint64_t)gl_config.immediates)] + below(3) - 1;
    if (!chance(12))
        n = chance(8) ? 0 : below(n + 1);
    at += n * (uint64_t)(o->stride ? o->stride : unit);
    if (chance(12) && at >= (uint64_t)b->base && at + (uint64_t)unit <= (uint64_t)(b->base + b->size))
        memcpy(initial[o->buffer] + (at - (uint64_t)b->base), &v, (size_t)unit);
}

static void relate(uint64_t n)
{
    for (int64_t i = 0; i < gl_config.relations; i++) {
        const struct relation *r = &gl_relations[i];
        bool first = gl_origins[r->first].role == POINTER;
        bool second = gl_origins[r->second].role == POINTER;
        uint64_t m = chance(13) ? n : few();
        if (!chance(first || second ? 15 : 10))
            continue;
        if (chance(2) && m)
            m = 0 - m;
        if (second && !first)
            value[r->first] = value[r->second] - m * (uint64_t)r->step;
        else
            value[r->second] = value[r->first] + m * (uint64_t)r->step;
    }
}

static void overlap(void)
{
    int64_t from = -1;
    overlapping = false;
    if (!gl_config.overlap || !chance(2))
        return;
    for (int64_t i = 0; i < gl_config.origins; i++) {
        if (gl_origins[i].role != POINTER)
            continue;
        if (from < 0) {
            from = i;
            continue;
        }
        int64_t away = (int64_t)below(9) - 4;
        if (chance(4))
            away = (int64_t)below(64) - 32;
        if (gl_origins[i].buffer != gl_origins[from].buffer)
            overlapping = true;
        value[i] = value[from] + (uint64_t)(away * gl_origins[i].unit);
    }
}

/* One state in 128 lets loops that walk no memory go round up to 2^18 times: what goes wrong only
 * where a sum or a counter has passed 16 or 32 bits shows in no short loop. */
static bool far(uint64_t index)
{
    return index % 128 == 127 && gl_config.buffers <= 1;
}

/* State `index`; a further try keeps the contents of the buffers. */
static void generate(uint64_t index, bool again)
{
    seed(index);
    uint64_t n = far(index) ? next() >> (46 + below(6)) : few();
    uint64_t *words = (uint64_t *)gl_in.vector;
    for (int i = 0; i < 16; i++)
        gl_in.gpr[i] = next();
    gl_in.flags = next() & 0x8D5;
    int vectors = (int)below(3);
    for (int r = 0; r < 32; r++)
        if (gl_config.vectors >> r & 1)
            for (int i = 0; i < 8; i++)
                words[8 * r + i] = vectors == 0 ? next() : vectors == 1 ? below(8) << 32 | below(8)
                                                                        : integer();
    for (int i = 0; i < 8; i++)
        gl_in.k[i] = chance(4) ? ~0ULL : next() >> below(64);
    const struct buffer *frame = &gl_buffers[0];
    gl_in.gpr[RSP] = (uint64_t)(frame->base + frame->size / 2) + 8 * below(2);
    if (gl_config.phase >= 0 && chance(14))
        gl_in.gpr[RSP] = (uint64_t)(frame->base + frame->size / 2 + gl_config.phase);
    bool ends[MAX_BUFFERS];
    for (int64_t b = 0; b < gl_config.buffers; b++)
        ends[b] = chance(11);
    for (int64_t i = 0; i < gl_config.origins; i++) {
        const struct origin *o = &gl_origins[i];
        int64_t step = o->stride ? o->stride : 1;
        if (o->role == POINTER)
            value[i] = place(o, n, ends[o->buffer]);
        else if (o->role == SMALL && chance(13))
            value[i] = chance(2) && !far(index)
                           ? few()
                           : n * (uint64_t)(chance(14) ? 1 : step < 0 ? -step : step);
        else
            value[i] = integer();
    }
    relate(n);
    overlap();
    for (int64_t b = first_buffer(); b < gl_config.buffers; b++)
        if (!again)
            fill(b);
    for (int64_t i = 0; i < gl_config.origins; i++)
        if (gl_origins[i].role == POINTER)
            end_search(&gl_origins[i], value[i], n);
    for (int64_t i = 0; i < gl_config.origins; i++) {
        const struct origin *o = &gl_origins[i];
        uint64_t v = value[i];
        if (o->gpr >= 0) {
            uint64_t keep = o->width >= 64 || chance(6) ? ~0ULL : (1ULL << o->width) - 1;
            gl_in.gpr[o->gpr] = (v & keep) | (next() & ~keep);
        } else {
            int64_t at = (int64_t)gl_in.gpr[RSP] - frame->base + o->displacement;
            if (at >= 0 && at + o->size <= frame->size)
                memcpy(initial[0] + at, &v, o->size < 8 ? (size_t)o->size : 8);
        }
    }
}

/* ---- running -------------------------------------------------------------------------------- */

static void on_fault(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    fault_address = (uint64_t)info->si_addr;
    fault_signal = number;
    gl_out.exit = FAULT;
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)gl_leave;
}

static uint64_t execute(int64_t variant, int64_t cap)
{
    for (int64_t b = first_buffer(); b < gl_config.buffers; b++)
        memcpy((void *)gl_buffers[b].base, initial[b], (size_t)gl_buffers[b].size);
    gl_budget = (uint64_t)cap;
    gl_enter(gl_code[variant]);
    return gl_out.exit;
}

/* After a fault of the baseline: move the pointers of the buffer that it ran out of, by what is
 * missing at first, then by more and more. */
static bool adjust(int tries)
{
    for (int64_t b = 1; b < gl_config.buffers; b++) {
        const struct buffer *x = &gl_buffers[b];
        int64_t a = (int64_t)fault_address, unit = 1;
        for (int64_t i = 0; i < gl_config.origins; i++)
            if (gl_origins[i].role == POINTER && gl_origins[i].buffer == b)
                unit = gl_origins[i].unit;
        int64_t more = tries < 3 ? 0 : unit << (tries - 2);
        if (a >= x->base + x->size && a < x->base + x->size + PAGE) {
            shift[b] -= (a - x->base - x->size) / unit * unit + unit + more;
            return true;
        }
        if (a < x->base && a >= x->base - PAGE) {
            shift[b] += (x->base - a + unit - 1) / unit * unit + more;
            return true;
        }
    }
    return false;
}

/* The baseline on state `index`; false when the state is to be skipped. */
static bool prepare(uint64_t index)
{
    memset(shift, 0, sizeof shift);
    int64_t cap = far(index) ? gl_config.far_cap : gl_config.cap;
    for (int i = 0; i < MOST_TRIES; i++) {
        generate(index, i > 0);
        uint64_t exit = 0;
        if (gl_config.guarded)
            exit = execute(gl_config.variants, cap);
        if (exit == EXCLUDED)
            return false; /* the function never enters the region in such a state */
        if (exit == 0)
            exit = execute(0, cap);
        if (exit < FAULT) {
            baseline = gl_out;
            for (int64_t b = first_buffer(); b < gl_config.buffers; b++)
                memcpy(expected[b], (void *)gl_buffers[b].base, (size_t)gl_buffers[b].size);
            return true;
        }
        if (exit == HANG || !adjust(i))
            return false;
    }
    return false;
}

static const char *const NAMES[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/* What differs between the baseline and what just ran; "" when nothing does. */
static const char *difference(void)
{
    static char text[200];
    if (gl_out.exit != baseline.exit) {
        snprintf(text, sizeof text, "leaves by exit %d, not %d", (int)gl_out.exit,
                 (int)baseline.exit);
        return text;
    }
    const int64_t *masks = gl_masks[baseline.exit];
    for (int i = 0; i < 16; i++)
        if ((gl_out.gpr[i] ^ baseline.gpr[i]) & (uint64_t)masks[GPR_MASKS + i]) {
            snprintf(text, sizeof text, "%s is %#llx, not %#llx", NAMES[i],
                     (unsigned long long)gl_out.gpr[i], (unsigned long long)baseline.gpr[i]);
            return text;
        }
    if ((gl_out.flags ^ baseline.flags) & ((uint64_t)masks[FLAG_MASK] | 0x400)) {
        snprintf(text, sizeof text, "flags are %#llx, not %#llx",
                 (unsigned long long)gl_out.flags, (unsigned long long)baseline.flags);
        return text;
    }
    for (int r = 0; r < 32; r++)
        if (gl_config.vectors >> r & 1 &&
            memcmp(gl_out.vector[r], baseline.vector[r], (size_t)masks[VECTOR_BYTES + r])) {
            snprintf(text, sizeof text, "vector register %d differs", r);
            return text;
        }
    for (int i = 0; i < 8; i++)
        if (gl_config.masks >> i & 1 && (gl_out.k[i] ^ baseline.k[i]) & (uint64_t)masks[K_MASKS + i]) {
            snprintf(text, sizeof text, "k%d differs", i);
            return text;
        }
    for (int64_t b = first_buffer(); b < gl_config.buffers; b++) {
        int64_t from = 0;
        if (b == 0 && !gl_config.below)
            from = (int64_t)baseline.gpr[RSP] - gl_buffers[0].base;
        const uint8_t *now = (const uint8_t *)gl_buffers[b].base;
        if (memcmp(now + from, expected[b] + from, (size_t)(gl_buffers[b].size - from))) {
            while (now[from] == expected[b][from])
                from++;
            snprintf(text, sizeof text, "%s byte at %#llx is %#x, not %#x",
                     b ? "memory:" : "stack:", (unsigned long long)(gl_buffers[b].base + from),
                     now[from], expected[b][from]);
            return text;
        }
    }
    return "";
}

static void describe(uint64_t index)
{
    printf("state %llu", (unsigned long long)index);
    if (overlapping)
        printf(" overlapping");
    for (int i = 0; i < 16; i++)
        printf(" %s=%#llx", NAMES[i], (unsigned long long)gl_in.gpr[i]);
    printf(" flags=%#llx", (unsigned long long)gl_in.flags);
    for (int64_t i = 0; i < gl_config.origins; i++) {
        const struct origin *o = &gl_origins[i];
        if (o->role != POINTER)
            continue;
        const struct buffer *b = &gl_buffers[o->buffer];
        printf(" [%#llx]=", (unsigned long long)value[i]);
        for (uint64_t a = value[i]; a < value[i] + 64; a++)
            if (a >= (uint64_t)b->base && a < (uint64_t)(b->base + b->size))
                printf("%02x", initial[o->buffer][a - (uint64_t)b->base]);
    }
    printf("\n");
}

static void set_up(void)
{
    static uint8_t stack[1 << 16];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    action.sa_sigaction = on_fault;
    int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    if (sigaltstack(&alternative, NULL))
        exit(2);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &action, NULL);
    for (int64_t b = 0; b < gl_config.buffers; b++) {
        const struct buffer *x = &gl_buffers[b];
        void *at = (void *)(x->base - PAGE);
        size_t size = (size_t)x->size;
        if (mmap(at, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                 -1, 0) != at ||
            mprotect((void *)x->base, size, PROT_READ | PROT_WRITE))
            exit(2);
        initial[b] = calloc(1, size);
        expected[b] = calloc(1, size);
        if (!initial[b] || !expected[b])
            exit(2);
    }
}

int main(void)
{
    set_up();
    int64_t variants = gl_config.variants, alive = variants - 1;
    bool *dead = calloc((size_t)variants, sizeof *dead);
    uint64_t *runs = calloc((size_t)variants, sizeof *runs);
    uint64_t run = 0, skipped = 0;
    if (!dead || !runs)
        return 2;
    for (int64_t index = 0; index < gl_config.states && alive; index++) {
        if (run == 0 && skipped >= 2000)
            break;
        if (!prepare((uint64_t)index)) {
            skipped++;
            continue;
        }
        run++;
        for (int64_t v = 1; v < variants; v++) {
            if (dead[v])
                continue;
            uint64_t exit = execute(v, gl_config.candidate_cap);
            const char *what = exit == FAULT ? "faults" : exit == HANG ? "does not end" : difference();
            if (!*what) {
                runs[v]++;
                continue;
            }
            dead[v] = true;
            alive--;
            printf("%lld %s %llu %llu ", (long long)v,
                   exit == FAULT ? "faulted" : exit == HANG ? "hung" : "differs",
                   (unsigned long long)runs[v], (unsigned long long)skipped);
            if (exit == FAULT)
                printf("signal %d at %#llx\t", fault_signal, (unsigned long long)fault_address);
            else
                printf("%s\t", what);
            describe((uint64_t)index);
        }
    }
    for (int64_t v = 1; v < variants; v++)
        if (!dead[v])
            printf("%lld equal %llu %llu \t\n", (long long)v, (unsigned long long)runs[v],
                   (unsigned long long)skipped);
    printf("end\n");
    return 0;
}
