/* From captured states to others: values, contents and lengths change, mostly within what was
 * seen.  What lies outside of that is tried too, and marked. */
#ifndef GCCLLM_DIFFERENTIAL_MUTATE_H
#define GCCLLM_DIFFERENTIAL_MUTATE_H

#include "memory.h"

enum { LONGEST = 4096, MOST_LEAVES = 64 };

static bool mutated_outside;
static bool stay_within;
static int64_t wild_leaf;                 /* the argument that was given any value at all; -1 */
static int hung_by[MOST_LEAVES];          /* how often that made the baseline run for too long */

static void note_skipped(bool hung)
{
    if (hung && wild_leaf >= 0)
        hung_by[wild_leaf]++;
}

static uint64_t load(const uint8_t *at, const struct leaf *x)
{
    uint64_t v = 0;
    memcpy(&v, at, (size_t)x->size);
    if (x->kind == SIGNED && x->size < 8) {
        uint64_t sign = 1ULL << (8 * x->size - 1);
        v = (v ^ sign) - sign;
    }
    return v;
}

static double as_double(uint64_t bits, int64_t size)
{
    double d;
    float f;
    if (size == 8) {
        memcpy(&d, &bits, 8);
        return d;
    }
    memcpy(&f, &bits, 4);
    return f;
}

static uint64_t from_double(double d, int64_t size)
{
    uint64_t bits = 0;
    float f = (float)d;
    if (size == 8)
        memcpy(&bits, &d, 8);
    else
        memcpy(&bits, &f, 4);
    return bits;
}

static uint64_t cut(uint64_t v, const struct leaf *x)
{
    if (x->size == 8)
        return v;
    uint64_t sign = x->kind == SIGNED ? 1ULL << (8 * x->size - 1) : 0;
    v &= (1ULL << 8 * x->size) - 1;
    return (v ^ sign) - sign;
}

static bool is_within(uint64_t v, const struct leaf *x)
{
    if (x->kind == FLOATING) {
        double d = as_double(v, x->size);
        return d >= as_double((uint64_t)x->low, 8) && d <= as_double((uint64_t)x->high, 8);
    }
    if (x->kind == SIGNED)
        return (int64_t)v >= x->low && (int64_t)v <= x->high;
    return v >= (uint64_t)x->low && v <= (uint64_t)x->high;
}

static uint64_t any_double(const struct leaf *x)
{
    static const double EDGES[] = {0.0, -0.0, 1.0, -1.0, 0.5, 1e-310, 1e300, -1e300, 3.0, 1e10};
    double low = as_double((uint64_t)x->low, 8), high = as_double((uint64_t)x->high, 8);
    switch (stay_within ? below(2) : below(6)) {
    case 0: return from_double(low + (high - low) * ((double)(next() >> 11) * 0x1p-53), x->size);
    case 1: return from_double((double)(int64_t)(low + (high - low) * (double)below(9) / 8), x->size);
    case 2: return from_double(EDGES[below(10)], x->size);
    case 3: return from_double(chance(8) ? __builtin_inf() : -__builtin_nan(""), x->size);
    case 4: return from_double((double)(int64_t)below(200) - 100, x->size);
    default: return x->size == 8 ? next() : (uint32_t)next();
    }
}

/* A new value for a leaf that holds `old`. */
static uint64_t pick(uint64_t old, const struct leaf *x)
{
    if (x->kind == BOOL)
        return stay_within ? (uint64_t)x->low + below((uint64_t)(x->high - x->low) + 1) : below(2);
    if (x->kind == FLOATING)
        return any_double(x);
    uint64_t span = (uint64_t)x->high - (uint64_t)x->low + 1, v = 0;
    if (!span)
        span = ~0ULL;
    switch (below(9)) {
    case 0: v = (uint64_t)x->low + (below(span) >> below(chance(8) ? 1 : 12)); break;
    case 1: v = (uint64_t)x->low + below(span < 40 ? span : 40); break;
    case 2: v = (uint64_t)x->high - below(span < 4 ? span : 4); break;
    case 3: v = old + below(7) - 3; break;
    case 4: v = old ^ 1ULL << below(8 * (uint64_t)x->size); break;
    case 5: v = q.constants ? (uint64_t)constants[below((uint64_t)q.constants)] + below(3) - 1
                            : below(64); break;
    case 6: v = (1ULL << below(64)) + below(3) - 1; break;
    case 7: v = below(20) - below(4); break;
    default: v = next() >> below(64);
    }
    v = cut(v, x);
    if (stay_within && !is_within(v, x))
        v = (uint64_t)x->low + (v - (uint64_t)x->low) % span;
    return v;
}

static void store(uint8_t *at, const struct leaf *x, uint64_t v)
{
    memcpy(at, &v, (size_t)x->size);
    if (!is_within(v, x))
        mutated_outside = true;
}

/* ---- lengths ------------------------------------------------------------------------------- */

static const struct leaf *leaf_at(int64_t offset)
{
    const struct layout *block = layout_of(0);
    for (int64_t i = 0; i < block->leaves; i++)
        if (block->leaf[i].offset == offset)
            return &block->leaf[i];
    return NULL;
}

/* The object that a pointer among the arguments leads to; 0: none of its own. */
static int64_t led_to(int64_t pointer)
{
    for (int64_t i = 0; i < current->links; i++)
        if (current->link[i].from == 0 && current->link[i].at == pointer &&
            current->link[i].offset == 0)
            return current->link[i].to;
    return 0;
}

static bool is_related(int64_t object)
{
    for (int64_t i = 0; i < q.relations; i++)
        if (led_to(relations[i].pointer) == object)
            return true;
    return false;
}

static bool holds_links(int64_t object)
{
    for (int64_t i = 0; i < current->links; i++)
        if (current->link[i].from == object)
            return true;
    return false;
}

static void resize(int64_t i, int64_t bytes)
{
    struct placed *p = &here[i];
    int64_t old = p->size - p->lead;
    bool joined = p->joined || (i + 1 < current->objects && here[i + 1].joined);
    if (joined || !in_arena(i) || bytes < 0 || bytes > LONGEST || (old == 0 && bytes > 0))
        return;
    if (bytes > old && holds_links(i))
        return;
    for (int64_t at = old; at < bytes; at++)
        p->initial[p->lead + at] = p->initial[p->lead + at % old];
    p->size = p->lead + bytes;
}

static void keep_relations(void)
{
    for (int64_t i = 0; i < q.relations; i++) {
        const struct relation *r = &relations[i];
        const struct leaf *first = leaf_at(r->first);
        const struct leaf *second = r->second >= 0 ? leaf_at(r->second) : NULL;
        int64_t object = led_to(r->pointer);
        if (!object || !first)
            continue;
        int64_t n = (int64_t)load(here[0].initial + r->first, first), bytes;
        if (second &&
            __builtin_mul_overflow(n, (int64_t)load(here[0].initial + r->second, second), &n))
            continue;
        if (__builtin_add_overflow(n, r->more, &n) || __builtin_mul_overflow(n, r->unit, &bytes))
            continue;
        resize(object, bytes < 0 ? 0 : bytes);
    }
}

/* ---- one mutation -------------------------------------------------------------------------- */

static bool changes(const struct leaf *x)
{
    return x->kind != POINTER && x->kind != OPAQUE && x->low != INT64_MIN + 1;
}

static void mutate_argument(void)
{
    const struct layout *block = layout_of(0);
    if (!block->leaves)
        return;
    int64_t number = (int64_t)below((uint64_t)block->leaves);
    const struct leaf *x = &block->leaf[number];
    if (!changes(x))
        return;
    bool before = stay_within;
    if (number < MOST_LEAVES && hung_by[number] > 3)
        stay_within = true;
    if (!stay_within && number < MOST_LEAVES)
        wild_leaf = number;
    uint64_t old = load(here[0].initial + x->offset, x);
    store(here[0].initial + x->offset, x, pick(old, x));
    stay_within = before;
}

/* An argument from another call. */
static void cross_argument(void)
{
    const struct layout *block = layout_of(0);
    const struct state *other = &states[below((uint64_t)q.states)];
    if (!block->leaves)
        return;
    const struct leaf *x = &block->leaf[below((uint64_t)block->leaves)];
    if (changes(x))
        memcpy(here[0].initial + x->offset, other->object[0].bytes + x->offset, (size_t)x->size);
}

static void mutate_contents(void)
{
    if (current->objects < 2)
        return;
    int64_t i = 1 + (int64_t)below((uint64_t)current->objects - 1);
    struct placed *p = &here[i];
    const struct layout *l = layout_of(i);
    int64_t elements = l->size > 0 ? (p->size - p->lead) / l->size : 0;
    int64_t lowest = l->size > 0 ? -(p->lead / l->size) : 0;
    if (elements - lowest <= 0 || !l->leaves)
        return;
    int64_t times = chance(4) ? elements - lowest : 1 + (int64_t)below(4);
    if (times > 256)
        times = 256;
    bool repeat = chance(4);
    uint64_t v = 0;
    const struct leaf *last = NULL;
    for (int64_t k = 0; k < times; k++) {
        int64_t element = lowest + (int64_t)below((uint64_t)(elements - lowest));
        const struct leaf *x = &l->leaf[l->leaves > 1 ? below((uint64_t)l->leaves) : 0];
        if (!changes(x))
            continue;
        int64_t nth = x->count > 1 ? (int64_t)below((uint64_t)x->count) : 0;
        int64_t at = p->lead + element * l->size + x->offset + nth * x->size;
        if (at < 0 || at + x->size > p->size)
            continue;
        if (x != last || !repeat)
            v = pick(load(p->initial + at, x), x);
        last = x;
        store(p->initial + at, x, v);
    }
}

/* A run of equal elements, as long as lengths that code looks for. */
static void run_of_equals(void)
{
    if (current->objects < 2)
        return;
    int64_t i = 1 + (int64_t)below((uint64_t)current->objects - 1);
    struct placed *p = &here[i];
    const struct layout *l = layout_of(i);
    int64_t elements = l->size > 0 ? (p->size - p->lead) / l->size : 0;
    if (elements < 2 || l->leaves != 1 || !changes(l->leaf) || l->leaf->size != l->size)
        return;
    int64_t start = (int64_t)below((uint64_t)elements), length = 1 + (int64_t)below(20);
    if (chance(4) && q.constants)
        length = constants[below((uint64_t)q.constants)] & 63;
    uint8_t *at = p->initial + p->lead + start * l->size;
    uint64_t v = load(at, l->leaf);
    if (chance(4))
        v = pick(v, l->leaf);
    for (int64_t k = 0; k < length && start + k < elements; k++, at += l->size)
        store(at, l->leaf, v);
}

/* One argument is set beside another: equal, or together with it a constant of the code. */
static void relate_arguments(void)
{
    const struct layout *block = layout_of(0);
    if (block->leaves < 2)
        return;
    const struct leaf *x = &block->leaf[below((uint64_t)block->leaves)];
    const struct leaf *y = &block->leaf[below((uint64_t)block->leaves)];
    if (x == y || !changes(x) || !changes(y) || x->kind == FLOATING || y->kind == FLOATING)
        return;
    uint64_t other = load(here[0].initial + y->offset, y), v = other;
    if (q.constants && chance(10)) {
        v = (uint64_t)constants[below((uint64_t)q.constants)];
        v = (chance(8) ? v - other : v + other) << below(2);
    }
    v = cut(v + below(5) - 2, x);
    if (!stay_within || is_within(v, x))
        store(here[0].initial + x->offset, x, v);
}

/* Elements of one object trade places. */
static void shuffle(void)
{
    if (current->objects < 2)
        return;
    int64_t i = 1 + (int64_t)below((uint64_t)current->objects - 1);
    struct placed *p = &here[i];
    int64_t unit = layout_of(i)->size;
    int64_t elements = unit > 0 && unit <= 64 ? (p->size - p->lead) / unit : 0;
    if (elements < 2 || holds_links(i))
        return;
    for (int64_t k = 0; k < 4; k++) {
        uint8_t kept[64], *a = p->initial + p->lead + unit * (int64_t)below((uint64_t)elements);
        uint8_t *b = p->initial + p->lead + unit * (int64_t)below((uint64_t)elements);
        memcpy(kept, a, (size_t)unit);
        memmove(a, b, (size_t)unit);
        memcpy(b, kept, (size_t)unit);
    }
}

/* One pointer leads into what another one leads to, so that objects overlap.  Compilers make code
 * of its own for that, which callers seldom enter. */
static void overlap(void)
{
    if (!current->links || current->objects < 3)
        return;
    int64_t number = (int64_t)below((uint64_t)current->links);
    const struct link *l = &current->link[number];
    int64_t other = 1 + (int64_t)below((uint64_t)current->objects - 1), unit = layout_of(l->to)->size;
    if (other == l->to || unit <= 0 || !in_arena(l->to) || !in_arena(other) ||
        here[l->to].object->layout != here[other].object->layout)
        return;
    int64_t by = (int64_t)below(9) - (chance(8) ? 0 : 8);
    if (chance(6))
        by *= (int64_t)below(8);
    misled.link = number;
    misled.to = other;
    misled.offset = by * unit + l->offset;
    int64_t needed = here[l->to].size - here[l->to].lead + by * unit;
    if (needed > here[other].size - here[other].lead)
        resize(other, needed);
    mutated_outside = true;
}

static void mutate(void)
{
    mutated_outside = false;
    wild_leaf = -1;
    stay_within = chance(13);
    for (int64_t n = 1 + (int64_t)below(3); n > 0; n--)
        switch (below(10)) {
        case 0: cross_argument(); break;
        case 1: case 2: case 3: mutate_argument(); break;
        case 4: shuffle(); break;
        case 5: run_of_equals(); break;
        case 6: relate_arguments(); break;
        default: mutate_contents();
        }
    keep_relations();
    if (chance(1))
        overlap();
}

#endif
