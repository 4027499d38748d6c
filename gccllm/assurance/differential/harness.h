/* What the parts of the harness share: the question as read from stdin, and random numbers. */
#ifndef GCCLLM_DIFFERENTIAL_HARNESS_H
#define GCCLLM_DIFFERENTIAL_HARNESS_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, BLOCK = 30, MOST_OBJECTS = 64, MOST_BYTES = 1 << 20 };
enum kind { SIGNED, UNSIGNED, BOOL, FLOATING, POINTER, OPAQUE };
enum { ARGUMENTS = -2, PRIVATE = -1 }; /* struct object's `global` */

/* All fields are 64 bits, as in the tables that wire.py writes. */
struct leaf { int64_t offset, kind, size, count, low, high; };
struct layout { int64_t size, alignment, leaves; const struct leaf *leaf; };
/* `lead` bytes lie before the place that pointers lead to; `joined`: it follows the one before
 * without a gap; `phase`: where it started within its page when it was captured. */
struct object { int64_t layout, global, lead, size, joined, phase; const uint8_t *bytes; };
struct link { int64_t from, at, to, offset; };
struct state { int64_t objects, links, bytes; struct object *object; const struct link *link; };
/* The object that the pointer at `pointer` of the block leads to has unit * (n + more) bytes; n is
 * the block's leaf `first`, times the leaf `second` unless that is -1. */
struct relation { int64_t pointer, first, second, unit, more; };

struct question {
    int64_t testing, seed, pairs, nanoseconds, versions, stack_words, layouts, constants, states,
        relations, globals;
    uint64_t masks[4];
};

static struct question q;
static struct layout *layouts;
static const int64_t *constants;
static struct state *states;
static const struct relation *relations;

/* the generated part: the versions (0 the baseline, 1 the candidate, 2 the checked one) */
extern void *const gd_versions[];
extern uint8_t *const gd_globals[];

/* ---- reading ------------------------------------------------------------------------------- */

static const int64_t *input, *input_end;

static int64_t take(void)
{
    if (input >= input_end)
        exit(3);
    return *input++;
}

static const void *take_bytes(int64_t bytes)
{
    const void *here = input;
    if (bytes < 0 || bytes > (input_end - input) * 8)
        exit(3);
    input += (bytes + 7) / 8;
    return here;
}

static void *room(int64_t count, size_t size)
{
    void *made = calloc(count > 0 ? (size_t)count : 1, size);
    if (!made)
        exit(3);
    return made;
}

static void read_input(void)
{
    size_t size = 0, most = 1 << 20;
    char *all = room(1, most);
    for (ssize_t got; (got = read(0, all + size, most - size)) > 0;) {
        size += (size_t)got;
        if (size == most && !(all = realloc(all, most *= 2)))
            exit(3);
    }
    input = (const int64_t *)(void *)all;
    input_end = input + size / 8;
    memcpy(&q, take_bytes(sizeof q), sizeof q);
    layouts = room(q.layouts, sizeof *layouts);
    for (int64_t i = 0; i < q.layouts; i++) {
        struct layout *l = &layouts[i];
        l->size = take();
        l->alignment = take();
        l->leaves = take();
        l->leaf = take_bytes(l->leaves * (int64_t)sizeof *l->leaf);
    }
    constants = take_bytes(8 * q.constants);
    relations = take_bytes(q.relations * (int64_t)sizeof *relations);
    states = room(q.states, sizeof *states);
    for (int64_t i = 0; i < q.states; i++) {
        struct state *s = &states[i];
        s->objects = take();
        s->links = take();
        s->object = room(s->objects, sizeof *s->object);
        for (int64_t j = 0; j < s->objects; j++) {
            memcpy(&s->object[j], take_bytes(6 * 8), 6 * 8);
            s->object[j].bytes = take_bytes(s->object[j].size);
            s->bytes += s->object[j].size;
        }
        s->link = take_bytes(s->links * (int64_t)sizeof *s->link);
    }
}

/* ---- random numbers (xorshift64*) ---------------------------------------------------------- */

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

static uint64_t mixed(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0xD1342543DE82EF95ULL + b * 0x9E3779B97F4A7C15ULL + 0x632BE59BD9B4E019ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

#endif
