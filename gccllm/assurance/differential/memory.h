/* The memory of one call: objects between guard pages, put there, watched and compared. */
#ifndef GCCLLM_DIFFERENTIAL_MEMORY_H
#define GCCLLM_DIFFERENTIAL_MEMORY_H

#include "call.h"

enum { CANARIES = 16 };
enum placing { AT_END, AT_START, AS_CAPTURED };
static const uint64_t ARENAS = 0x200000000000, APART = 4 << 20, ROOM = 2 << 20;

struct placed {
    const struct object *object;
    int64_t lead, size, joined;
    uint8_t *initial;   /* the contents that both versions find */
    uint8_t *expected;  /* what the baseline left; the initial ones where it wrote nothing */
    uint8_t *at;
    uint8_t *after;     /* what the baseline left, where it wrote */
    int64_t before_canary, behind_canary;
};

static struct placed here[MOST_OBJECTS];
static const struct state *current;
static uint8_t canary_byte;

/* A pointer that does not lead where it did when it was captured, but into another object, or
 * nowhere; link -1: it led to no object then, either. */
enum misleading { TRUE_TO_CAPTURE, OVERLAPPING, NOWHERE };
static struct { enum misleading how; int64_t link, to, offset; } misled;

enum { GUARD = 1 << 20, HEAP = 1 << 20, HEAP_JUNK = 0xA5 };
static uint8_t heap[HEAP] __attribute__((aligned(64))), heap_after[HEAP];
static size_t heap_used, heap_expected;
__attribute__((visibility("hidden"))) extern uint8_t gd_guard[GUARD];

static void set_up_memory(void)
{
    if (mprotect(gd_guard, GUARD, PROT_NONE))
        exit(3);
    memset(heap, HEAP_JUNK, sizeof heap);
    uint64_t size = APART * MOST_OBJECTS;
    char *all = mmap((void *)ARENAS, size, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (all != (char *)ARENAS)
        exit(3);
    for (int i = 0; i < MOST_OBJECTS; i++) {
        if (mprotect(all + APART * (uint64_t)i + PAGE, ROOM, PROT_READ | PROT_WRITE))
            exit(3);
        uint8_t *two = mmap(NULL, 2 * MOST_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (two == MAP_FAILED)
            exit(3);
        here[i].initial = two;
        here[i].after = two + MOST_BYTES;
    }
}

static uint8_t *first_byte(int64_t i) { return (uint8_t *)ARENAS + APART * (uint64_t)i + PAGE; }

static const struct layout *layout_of(int64_t i) { return &layouts[here[i].object->layout]; }

static bool in_arena(int64_t i)
{
    return here[i].object->global == PRIVATE;
}

/* A state's objects as they were captured, for the mutations to work on. */
static void stage(const struct state *s)
{
    current = s;
    misled.how = TRUE_TO_CAPTURE;
    misled.link = -1;
    for (int64_t i = 0; i < s->objects; i++) {
        struct placed *p = &here[i];
        p->object = &s->object[i];
        p->lead = p->object->lead;
        p->size = p->object->size;
        p->joined = p->object->joined;
        memcpy(p->initial, p->object->bytes, (size_t)p->size);
    }
}

/* Give each object its address and write the pointers between them. `tight`: aligned as the type
 * has to be, no more. */
static void place(enum placing how, bool tight)
{
    for (int64_t i = 0; i < current->objects; i++)
        here[i].before_canary = here[i].behind_canary = 0;
    for (int64_t i = 0; i < current->objects; i++) {
        struct placed *p = &here[i];
        if (p->object->global >= 0)
            p->at = gd_globals[p->object->global];
        if (!in_arena(i))
            continue;
        int64_t total = p->size, behind = i + 1;
        while (behind < current->objects && here[behind].joined)
            total += here[behind++].size;
        uint64_t align = (uint64_t)layout_of(i)->alignment;
        uint64_t pointer = (uint64_t)(p->object->phase + p->object->lead);
        if (!tight)
            while (align < 16 && !(pointer & (2 * align - 1)))
                align *= 2;
        uint8_t *start = first_byte(i);
        if (how == AS_CAPTURED)
            start += PAGE + p->object->phase + (p->object->lead - p->lead);
        else if (how == AT_START)
            start += -(uint64_t)(start + p->lead) % align;
        else {
            start += ROOM - (uint64_t)total;
            start -= (uint64_t)(start + p->lead) % align;
        }
        uint8_t *end = start + total, *last = first_byte(i) + ROOM;
        p->before_canary = start - first_byte(i) < CANARIES ? start - first_byte(i) : CANARIES;
        here[behind - 1].behind_canary = last - end < CANARIES ? last - end : CANARIES;
        for (int64_t j = i; j < behind; j++) {
            here[j].at = start;
            start += here[j].size;
        }
        i = behind - 1;
    }
    for (int64_t i = 0; i < current->links; i++) {
        const struct link *l = &current->link[i];
        struct placed *from = &here[l->from];
        int64_t at = l->at + from->lead;
        int64_t to = i == misled.link ? misled.to : l->to;
        int64_t offset = i == misled.link ? misled.offset : l->offset;
        uint64_t value = (uint64_t)(here[to].at + here[to].lead + offset);
        if (i == misled.link && misled.how == NOWHERE)
            value = 0;
        if (at >= 0 && at + 8 <= from->size)
            memcpy(from->initial + at, &value, 8);
    }
    canary_byte = (uint8_t)next();
}

static void put(int64_t i, const uint8_t *contents)
{
    struct placed *p = &here[i];
    memcpy(p->at, contents, (size_t)p->size);
    memset(p->at - p->before_canary, canary_byte, (size_t)p->before_canary);
    memset(p->at + p->size, canary_byte, (size_t)p->behind_canary);
}

static bool all_are(const uint8_t *at, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (at[i] != canary_byte)
            return false;
    return true;
}

static bool canaries_stand(void)
{
    for (int64_t i = 1; i < current->objects; i++)
        if (!all_are(here[i].at - here[i].before_canary, here[i].before_canary) ||
            !all_are(here[i].at + here[i].size, here[i].behind_canary))
            return false;
    return true;
}

/* ---- memory from malloc and its kin, which the versions' calls are led to ------------------- */

void *gd_malloc(size_t size)
{
    size_t start = (heap_used + 31) & ~(size_t)15;
    if (size > HEAP || start + size > HEAP)
        return NULL;
    memcpy(heap + start - 8, &size, 8);
    heap_used = start + size;
    return heap + start;
}

void gd_free(void *block)
{
    (void)block;
}

void *gd_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *made = gd_malloc(total);
    return made ? memset(made, 0, total) : NULL;
}

void *gd_realloc(void *block, size_t size)
{
    uint8_t *old = block;
    if (old && (old < heap || old >= heap + HEAP))
        __builtin_trap(); /* its size is not known */
    void *made = gd_malloc(size);
    size_t had = 0;
    if (old && made) {
        memcpy(&had, old - 8, 8);
        memcpy(made, old, had < size ? had : size);
    }
    return made;
}

static uint64_t text_digest(const char *text)
{
    uint64_t d = text != NULL;
    while (text && *text)
        d = mixed(d, (uint8_t)*text++);
    return d;
}

/* The ways in which a program ends by itself (reach.py).  How a failed assertion names its function
 * differs from compiler to compiler: __PRETTY_FUNCTION__ is "f" or "int f(int)". */
__attribute__((noreturn)) void gd_abort(void)
{
    end_program(1, 0, 0);
}

__attribute__((noreturn)) void gd_exit(int status)
{
    end_program(2, (uint32_t)status, 0);
}

__attribute__((noreturn)) void gd_exit_at_once(int status)
{
    end_program(3, (uint32_t)status, 0);
}

__attribute__((noreturn)) void gd_assert_fail(const char *what, const char *file, unsigned line,
                                              const char *function)
{
    (void)function;
    end_program(4, text_digest(what), mixed(text_digest(file), line));
}

/* In place of all that may do more than compute (reach.py): such calls are skipped. */
__attribute__((noreturn)) void gd_stop(void)
{
    __builtin_trap();
}

/* ---- running ------------------------------------------------------------------------------- */

/* The baseline, whose traces the candidate then has to leave; false when the state is no good. */
static bool run_baseline(struct outcome *result)
{
    for (int64_t i = 1; i < current->objects; i++)
        put(i, here[i].initial);
    memset(heap, HEAP_JUNK, heap_used);
    heap_used = 0;
    call(0, here[0].initial, layout_of(0));
    *result = now;
    if (now.ending > ENDED || now.broken || !canaries_stand())
        return false;
    for (int64_t i = 1; i < current->objects; i++) {
        struct placed *p = &here[i];
        p->expected = p->initial;
        if (memcmp(p->at, p->initial, (size_t)p->size)) {
            memcpy(p->after, p->at, (size_t)p->size);
            p->expected = p->after;
        }
    }
    heap_expected = heap_used;
    memcpy(heap_after, heap, heap_used);
    return true;
}

static struct outcome run_other(int64_t version)
{
    for (int64_t i = 1; i < current->objects; i++)
        if (here[i].expected != here[i].initial || version > 1)
            put(i, here[i].initial);
    memset(heap, HEAP_JUNK, heap_used);
    heap_used = 0;
    call(version, here[0].initial, layout_of(0));
    return now;
}

struct difference {
    const char *what;
    int64_t object, offset, expected, found;
};

static bool memory_differs(struct difference *d)
{
    for (int64_t i = 1; i < current->objects; i++) {
        const struct placed *p = &here[i];
        if (!memcmp(p->at, p->expected, (size_t)p->size))
            continue;
        int64_t at = 0;
        while (p->at[at] == p->expected[at])
            at++;
        *d = (struct difference){"memory", i, at - p->lead, p->expected[at], p->at[at]};
        return true;
    }
    if (!canaries_stand()) {
        *d = (struct difference){"a write beside an object", 0, 0, 0, 0};
        return true;
    }
    if (heap_used != heap_expected || memcmp(heap, heap_after, heap_used)) {
        *d = (struct difference){"memory from malloc", 0, 0, 0, 0};
        return true;
    }
    return false;
}

/* What differs between the baseline's outcome and what just ran; `what` NULL: nothing. */
static struct difference compare(const struct outcome *baseline)
{
    struct difference d = {0};
    if (now.ending == FAULTED)
        d.what = now.in_memory ? now.writes ? "a write that faults" : "a read that faults"
                               : "a fault";
    else if (now.ending == HUNG)
        d.what = "no end";
    else if (now.broken)
        d.what = now.broken;
    else if (now.ending != baseline->ending)
        d.what = now.ending == ENDED ? "it ends the program" : "it does not end the program";
    else if (memcmp(now.words, baseline->words, sizeof now.words))
        d.what = now.ending == ENDED ? "how it ends the program" : "the result";
    else
        memory_differs(&d);
    return d;
}

/* ---- the same, wherever the objects lie ----------------------------------------------------- */

static uint64_t placeless(uint64_t value)
{
    if (value - ARENAS >= APART * MOST_OBJECTS)
        return value;
    for (int64_t i = 1; i < current->objects; i++)
        if (in_arena(i) && value - (uint64_t)here[i].at <= (uint64_t)here[i].size)
            return mixed((uint64_t)i, value - (uint64_t)here[i].at - (uint64_t)here[i].lead);
    return value;
}

/* A digest of a result and of all changes in memory. */
static uint64_t digest(const struct outcome *result)
{
    uint64_t d = result->ending;
    for (int i = 0; i < 4; i++)
        d = mixed(d, placeless(result->words[i]));
    for (int64_t i = 1; i < current->objects; i++) {
        const struct placed *p = &here[i];
        if (p->expected == p->initial)
            continue;
        for (int64_t at = 0; at < p->size;) {
            bool word = !((at - p->lead) & 7) && at + 8 <= p->size;
            int64_t size = word ? 8 : 1;
            if (memcmp(p->after + at, p->initial + at, (size_t)size)) {
                uint64_t v = 0;
                memcpy(&v, p->after + at, (size_t)size);
                d = mixed(d, mixed((uint64_t)(i << 32) + (uint64_t)(at - p->lead), placeless(v)));
            }
            at += size;
        }
    }
    return d;
}

#endif
