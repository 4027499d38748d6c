/* New values for what a state holds: mostly within what was seen. What lies outside of that is
 * tried too, and marked. */
#ifndef GCCLLM_DIFFERENTIAL_VALUES_H
#define GCCLLM_DIFFERENTIAL_VALUES_H

#include "memory.h"

enum { MOST_LEAVES = 64 };

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
    case 7: v = below(chance(8) ? 3 : 20) - below(chance(8) ? 1 : 4); break;
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

static bool changes(const struct leaf *x)
{
    return x->kind != POINTER && x->kind != OPAQUE && x->low != INT64_MIN + 1;
}

#endif
