/* From captured states to others: values, contents and lengths change. */
#ifndef GCCLLM_DIFFERENTIAL_MUTATE_H
#define GCCLLM_DIFFERENTIAL_MUTATE_H

#include "flood.h"
#include "shape.h"

static void mutate_argument(void)
{
    const struct layout *block = layout_of(0);
    if (!block->leaves)
        return;
    int64_t number = (int64_t)below((uint64_t)block->leaves), others = block->leaves;
    while (others > 0 && !changes(&block->leaf[number])) {
        number = (number + 1) % block->leaves;
        others--;
    }
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

static void mutate(void)
{
    mutated_outside = false;
    wild_leaf = -1;
    stay_within = chance(13);
    for (int64_t n = 1 + (int64_t)below(3); n > 0; n--)
        switch (below(11)) {
        case 0: cross_argument(); break;
        case 1: case 2: case 3: mutate_argument(); break;
        case 4: shuffle(); break;
        case 5: run_of_equals(); break;
        case 6: relate_arguments(); break;
        case 7: flood(); break;
        default: mutate_contents();
        }
    keep_relations();
    if (chance(1)) {
        if (chance(10))
            overlap();
        else
            lead_nowhere();
    }
}

#endif
