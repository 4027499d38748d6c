/* How long objects are, and where pointers lead. */
#ifndef GCCLLM_DIFFERENTIAL_SHAPE_H
#define GCCLLM_DIFFERENTIAL_SHAPE_H

#include "values.h"

enum { LONGEST = 4096 };

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
    misled.how = OVERLAPPING;
    misled.link = number;
    misled.to = other;
    misled.offset = by * unit + l->offset;
    int64_t needed = here[l->to].size - here[l->to].lead + by * unit;
    if (needed > here[other].size - here[other].lead)
        resize(other, needed);
    mutated_outside = true;
}

/* One pointer leads nowhere: functions of libraries often begin by looking for that. */
static void lead_nowhere(void)
{
    int64_t i = current->objects > 1 && chance(8) ? (int64_t)below((uint64_t)current->objects) : 0;
    struct placed *p = &here[i];
    const struct layout *l = layout_of(i);
    if (!l->leaves)
        return;
    const struct leaf *x = &l->leaf[below((uint64_t)l->leaves)];
    if (x->size != 8 || (x->kind != POINTER && x->kind != OPAQUE))
        return;
    int64_t at = x->offset + 8 * (x->count > 1 ? (int64_t)below((uint64_t)x->count) : 0);
    if (p->lead + at + 8 > p->size)
        return;
    memset(p->initial + p->lead + at, 0, 8);
    misled.how = NOWHERE;
    for (int64_t n = 0; n < current->links; n++)
        if (current->link[n].from == i && current->link[n].at == at)
            misled.link = n;
    mutated_outside = true;
}

#endif
