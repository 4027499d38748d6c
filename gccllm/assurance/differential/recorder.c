/* Linked into a copy of the baseline: notes the arguments of some calls of one function, and the
 * memory behind them, on descriptor 3.
 *
 * The stub at the function's entry (recording.py) saves all general registers; this file is
 * compiled with -mgeneral-regs-only, so that the vector registers stay as they are: a caller may
 * keep values even in caller-saved registers across a call (-fipa-ra).  Memory is read by
 * pwrite, which stops short where a page is missing instead of faulting.
 */
#include <stdint.h>
#include <sys/syscall.h>

enum { OUT = 3, PAGE = 4096, BEFORE = 512, NEAR = 4096, FAR = 65536, INNER = 1024 };
enum { VECTORS = 8, STACK = 16, BLOCK = 30, MOST_REGIONS = 40, ALWAYS = 24, FOLLOWED = 32 };

struct region { uint64_t pointer, start, length; int64_t layout, global; };
/* what the stub leaves on the stack, from below */
struct saved {
    uint64_t vector[VECTORS][2], rax, general[6], r10, r11, back, stack[STACK];
};

/* the generated part: each layout's size, number of pointers, then (offset, target) of each */
extern const int64_t gd_record_layouts[];
extern const int64_t gd_record_starts[];
/* how many globals, then address, size and layout of each */
extern const int64_t gd_record_globals[];
extern const int64_t gd_record_limit;

static uint64_t hits, rng = 0x9E3779B97F4A7C15ULL, written;
static struct region regions[MOST_REGIONS];
static int found;

static long put(const void *from, uint64_t length, uint64_t at)
{
    long result;
    register uint64_t offset __asm__("r10") = at;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_pwrite64), "D"(OUT), "S"(from), "d"(length), "r"(offset)
                     : "rcx", "r11", "memory");
    return result;
}

static uint64_t chosen(uint64_t limit)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % limit;
}

static void add(uint64_t pointer, int64_t layout, int64_t global)
{
    if (found == MOST_REGIONS || (global < 0 && (pointer < PAGE || pointer >> 47)))
        return;
    for (int i = 0; i < found; i++)
        if (regions[i].pointer == pointer && regions[i].layout == layout)
            return;
    regions[found++] = (struct region){pointer, pointer, 0, layout, global};
}

/* The pointers in `length` bytes at `from`, which are known to be readable. */
static void follow(const char *from, uint64_t length, int64_t layout)
{
    const int64_t *l = gd_record_layouts + gd_record_starts[layout];
    int64_t size = l[0], count = l[1];
    if (!count || size <= 0)
        return;
    for (int64_t element = 0; element < FOLLOWED; element++)
        for (int64_t i = 0; i < count; i++) {
            uint64_t at = (uint64_t)(element * size + l[2 + 2 * i]);
            if (at + 8 > length)
                return;
            uint64_t pointer;
            __builtin_memcpy(&pointer, from + at, 8);
            add(pointer, l[3 + 2 * i], -1);
        }
}

__attribute__((visibility("hidden"))) void gd_record(const struct saved *saved)
{
    hits++;
    if ((hits > ALWAYS && chosen(hits) >= ALWAYS) || written > (uint64_t)gd_record_limit)
        return;
    uint64_t header[3 + BLOCK] = {0x314C4C4143434347ULL, hits, 0};
    uint64_t *block = header + 3;
    for (int i = 0; i < 6; i++)
        block[i] = saved->general[i];
    for (int i = 0; i < VECTORS; i++)
        block[6 + i] = saved->vector[i][0];
    /* the top of the stack may be near */
    if (put(saved->stack, sizeof saved->stack, written) == (long)sizeof saved->stack)
        for (int i = 0; i < STACK; i++)
            block[6 + VECTORS + i] = saved->stack[i];
    uint64_t start = written, at = written + sizeof header;
    found = 0;
    for (int64_t i = 0; i < gd_record_globals[0]; i++)
        add((uint64_t)gd_record_globals[1 + 3 * i], gd_record_globals[3 + 3 * i], i);
    int outer = found;
    follow((const char *)block, 8 * BLOCK, 0);
    int arguments = found;
    /* some with much memory, for large buffers, and more with little */
    uint64_t most = hits % 4 == 1 ? FAR : NEAR, inner = hits % 8 == 1 ? FAR : INNER;
    for (int i = 0; i < found; i++) {
        struct region *r = &regions[i];
        uint64_t in_page = r->pointer & (PAGE - 1), after = i < arguments ? most : inner;
        uint64_t before = after == FAR ? in_page + FAR / 2 : in_page < BEFORE ? in_page : BEFORE;
        if (i < outer) {
            before = 0;
            after = (uint64_t)gd_record_globals[2 + 3 * i];
        } else if (after < (uint64_t)gd_record_layouts[gd_record_starts[r->layout]])
            after = (uint64_t)gd_record_layouts[gd_record_starts[r->layout]];
        long got;
        for (;;) {
            r->start = r->pointer - before;
            got = put((const void *)r->start, before + after, at + sizeof *r);
            if (got > (long)before || before <= in_page)
                break;
            before = in_page; /* what lies further in front is not there */
        }
        r->length = got > (long)before ? (uint64_t)got : 0;
        put(r, sizeof *r, at);
        at += sizeof *r + ((r->length + 7) & ~7ULL);
        if (r->length)
            follow((const char *)r->pointer, r->length - before, r->layout);
    }
    header[2] = (uint64_t)found;
    put(header, sizeof header, start);
    written = at;
}
