/* Whole arrays of extremes. */
#ifndef GCCLLM_DIFFERENTIAL_FLOOD_H
#define GCCLLM_DIFFERENTIAL_FLOOD_H

#include "values.h"

enum { MOST_FLOODED = 512 };

/* An end of a leaf's range, of its type's, or a number that code looks for: the `way`-th. */
static uint64_t extreme(const struct leaf *x, uint64_t way)
{
    if (x->kind == BOOL)
        return way & 1;
    if (x->kind == FLOATING)
        return any_double(x);
    uint64_t v = 0, sign = 1ULL << (8 * x->size - 1);
    switch (way) {
    case 0: v = (uint64_t)x->low; break;
    case 1: v = (uint64_t)x->high; break;
    case 2: v = x->kind == SIGNED ? sign : 0; break;
    case 3: v = x->kind == SIGNED ? sign - 1 : ~0ULL; break;
    case 4: v = ~0ULL; break;
    case 5: v = 0; break;
    default: v = q.constants ? (uint64_t)constants[way % (uint64_t)q.constants] : 1;
    }
    v = cut(v, x);
    if (!stay_within || is_within(v, x))
        return v;
    return (uint64_t)(x->kind == SIGNED && (int64_t)v < x->low ? x->low : x->high);
}

/* What the elements of a flood hold: one of two extremes each, by their number. */
struct flood { uint64_t ways[2], period, from, to; };

static void flood_object(int64_t i, const struct flood *f)
{
    struct placed *p = &here[i];
    const struct layout *l = layout_of(i);
    int64_t elements = l->size > 0 ? p->size / l->size : 0;
    if (elements <= 0 || !l->leaves)
        return;
    const struct leaf *x = &l->leaf[below((uint64_t)l->leaves)];
    if (!changes(x))
        return;
    int64_t count = x->count > 0 ? x->count : 1, numbers = elements * count, start = 0;
    if (numbers > MOST_FLOODED) {
        start = (int64_t)below((uint64_t)(numbers - MOST_FLOODED));
        numbers = MOST_FLOODED;
    }
    uint64_t v[2] = {extreme(x, f->ways[0]), extreme(x, f->ways[1])};
    for (int64_t k = (int64_t)f->from * numbers / 8; k < (int64_t)f->to * numbers / 8; k++) {
        int64_t nth = start + k;
        int64_t at = p->lead % l->size + nth / count * l->size + x->offset + nth % count * x->size;
        uint64_t one = f->period ? (uint64_t)k / f->period & 1 : below(2);
        if (at >= 0 && at + x->size <= p->size)
            store(p->initial + at, x, v[one]);
    }
}

/* Whole arrays, or parts of them, and arguments hold extremes together: what saturates, overflows
 * or meets its limit does so only where both of its operands are at theirs. */
static void flood(void)
{
    uint64_t first = below(8);
    struct flood f = {{first, chance(8) ? first : below(8)}, chance(5) ? 0 : 1ULL << below(6), 0, 8};
    if (first > 5)
        f.ways[0] += below(1 << 16);
    if (chance(5)) {
        f.from = below(8);
        f.to = f.from + 1 + below(8 - f.from);
    }
    const struct layout *block = layout_of(0);
    for (int64_t i = 0; i < block->leaves; i++)
        if (changes(&block->leaf[i]) && chance(current->objects < 2 ? 10 : 2))
            store(here[0].initial + block->leaf[i].offset, &block->leaf[i],
                  extreme(&block->leaf[i], f.ways[below(2)]));
    if (current->objects < 2)
        return;
    bool all = chance(8);
    for (int64_t i = 1; all && i < current->objects; i++)
        flood_object(i, &f);
    if (!all)
        flood_object(1 + (int64_t)below((uint64_t)current->objects - 1), &f);
}

#endif
