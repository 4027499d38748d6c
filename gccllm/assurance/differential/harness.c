/* Runs two versions of one function side by side on captured and mutated states.
 *
 * The states come on stdin (wire.py). In the first of two runs each is settled: which of its
 * objects lie apart, and how much of them the baseline needs. In the second they are mutated.
 */
#include "memory.h"
#include "mutate.h"

enum { CAPTURED_NS = 400000000, MUTATED_NS = 10000000, PATIENCE = 8 };

/* ---- settling ------------------------------------------------------------------------------ */

static uint64_t wanted;

static bool works(enum placing how)
{
    struct outcome result;
    place(how, true);
    return run_baseline(&result) && digest(&result) == wanted;
}

static void shrink(int64_t i, bool at_end)
{
    struct placed *p = &here[i];
    int64_t unit = layout_of(i)->size > 0 ? layout_of(i)->size : 1;
    int64_t whole = at_end ? p->size : p->lead, fixed = at_end ? p->lead : 0;
    int64_t low = 0, high = (whole - fixed + unit - 1) / unit;
    const int64_t size = p->size, lead = p->lead;
    while (low < high) {
        int64_t middle = (low + high) / 2, bytes = fixed + middle * unit;
        if (bytes > whole)
            bytes = whole;
        if (at_end)
            p->size = bytes;
        else {
            p->lead = bytes;
            p->size = size - (lead - bytes);
            memcpy(p->initial, p->object->bytes + (lead - bytes), (size_t)p->size);
        }
        if (works(at_end ? AT_END : AT_START))
            high = middle;
        else
            low = middle + 1;
    }
    int64_t bytes = fixed + high * unit;
    if (bytes > whole)
        bytes = whole;
    if (at_end)
        p->size = bytes;
    else {
        p->lead = bytes;
        p->size = size - (lead - bytes);
        memcpy(p->initial, p->object->bytes + (lead - bytes), (size_t)p->size);
    }
}

static bool settle(const struct state *s)
{
    struct outcome first, again;
    bool together[MOST_OBJECTS], any = false, apart = true;
    stage(s);
    place(AS_CAPTURED, true);
    if (!run_baseline(&first) || first.ending != RETURNED)
        return false;
    wanted = digest(&first);
    if (!run_baseline(&again) || digest(&again) != wanted)
        return false;
    for (int64_t i = 0; i < s->objects; i++) {
        together[i] = here[i].joined;
        any |= together[i];
        here[i].joined = 0;
    }
    if (any && !works(AT_END)) {
        apart = false;
        for (int64_t i = 0; i < s->objects; i++)
            here[i].joined = together[i];
    }
    if (!apart)
        for (int64_t i = 0; i < s->objects; i++)
            if (here[i].joined) {
                here[i].joined = 0;
                here[i].joined = !works(AT_END);
            }
    for (int64_t i = 1; i < s->objects; i++)
        if (in_arena(i) && (i + 1 == s->objects || !here[i + 1].joined))
            shrink(i, true);
    for (int64_t i = 1; i < s->objects; i++)
        if (in_arena(i) && !here[i].joined)
            shrink(i, false);
    return works(AT_END) && works(AT_START);
}

static void settle_all(void)
{
    limit_ns = CAPTURED_NS;
    for (int64_t i = 0; i < q.states && (int64_t)cpu_ns() < q.nanoseconds; i++) {
        if (!settle(&states[i]))
            continue;
        printf("settled %lld", (long long)i);
        for (int64_t j = 0; j < states[i].objects; j++)
            printf(" %d %lld %lld", (int)here[j].joined, (long long)here[j].lead,
                   (long long)here[j].size);
        printf("\n");
    }
}

/* ---- testing ------------------------------------------------------------------------------- */

static struct {
    int64_t pairs, outside_pairs, captured, skipped, undefined, unstable, reach, ended;
    int64_t misled[NOWHERE + 1]; /* differences, by how a pointer was misled */
} count;

/* The counters of blocks, where the versions have any (runtime.c of the coverage). */
extern uint8_t __gccllm_reached[] __attribute__((weak, visibility("hidden")));
extern const uint64_t __gccllm_counters __attribute__((weak, visibility("hidden")));
static uint8_t *counted_before, *counted_misled[NOWHERE + 1];

static void remember_blocks(void)
{
    if (&__gccllm_counters == NULL)
        return;
    if (!counted_before) {
        counted_before = room((int64_t)__gccllm_counters, 1);
        for (int how = OVERLAPPING; how <= NOWHERE; how++)
            counted_misled[how] = room((int64_t)__gccllm_counters, 1);
    }
    memcpy(counted_before, __gccllm_reached, __gccllm_counters);
}

/* A call that came to nothing shows nothing of the blocks that it entered. */
static void forget_blocks(void)
{
    if (counted_before)
        memcpy(__gccllm_reached, counted_before, __gccllm_counters);
}

static void print_bytes(const uint8_t *at, int64_t size)
{
    for (int64_t i = 0; i < size && i < 4096; i++)
        printf("%02x", at[i]);
}

static void report(const char *class, const struct difference *d, const struct outcome *baseline,
                   const struct outcome *candidate)
{
    printf("differs %s\t%s\t%d\t%llu\n", class, d->what, candidate->signal,
           (unsigned long long)candidate->address);
    printf("where %lld %lld %lld %lld\n", (long long)d->object, (long long)d->offset,
           (long long)d->expected, (long long)d->found);
    printf("words");
    for (int i = 0; i < 4; i++)
        printf(" %llx %llx", (unsigned long long)baseline->words[i],
               (unsigned long long)candidate->words[i]);
    printf("\n");
    for (int64_t i = 0; i < current->objects; i++) {
        const struct placed *p = &here[i];
        printf("object %lld %lld %lld %lld %llu ", (long long)p->object->layout,
               (long long)p->object->global, (long long)p->lead, (long long)p->size,
               (unsigned long long)(uintptr_t)p->at);
        print_bytes(p->initial, p->size);
        printf("\n");
    }
    fflush(stdout);
}

static bool beside_related(uint64_t address)
{
    for (int64_t i = 1; i < current->objects; i++)
        if (in_arena(i) && address - (uint64_t)first_byte(i) + PAGE < APART)
            return is_related(i);
    return false;
}

/* Whether a difference counts: "within", "outside" or "reach"; NULL when the state is no good. */
static const char *weigh(const struct outcome *baseline, const struct outcome *candidate)
{
    struct outcome again, other;
    uint64_t first = digest(baseline);
    for (int i = 0; i < 3; i++)
        if (!run_baseline(&again) || digest(&again) != first) {
            count.unstable++;
            return NULL;
        }
    limit_ns = CAPTURED_NS;
    if (candidate->ending == HUNG && run_other(1).ending != HUNG && !compare(&again).what) {
        count.unstable++; /* it was only slow, as on a busy machine */
        return NULL;
    }
    if (q.versions > 2) {
        if (run_other(2).ending != baseline->ending) {
            count.undefined++;
            return NULL;
        }
    }
    /* Elsewhere, with a guard page on either side, the baseline has to do the same, or it went by
     * what lies beside an object. */
    for (int how = AS_CAPTURED; how >= AT_END; how--) {
        const enum placing order[] = {AS_CAPTURED, AT_START, AT_END};
        place(order[how], true);
        if (!run_baseline(&again) || digest(&again) != first) {
            count.unstable++;
            return NULL;
        }
    }
    other = run_other(1);
    bool differs = compare(&again).what != NULL;
    if (mutated_outside)
        return "outside";
    if (differs || other.broken)
        return "within";
    /* Only in the tight place: misaligned, or it reaches beyond what the baseline needs. */
    if (candidate->ending == FAULTED && candidate->in_memory &&
        (candidate->writes || beside_related(candidate->address)))
        return "within";
    return "reach";
}

/* What calls with objects that overlap, or without one, enter counts if all of them agree: whether
 * callers may do so is not known (restrict, what they promise), so a difference refutes nothing. */
static void set_apart(void)
{
    for (uint64_t i = 0; counted_before && i < __gccllm_counters; i++)
        counted_misled[misled.how][i] |= __gccllm_reached[i];
    forget_blocks();
}

static void add_misled(void)
{
    for (int how = OVERLAPPING; counted_before && how <= NOWHERE; how++)
        for (uint64_t i = 0; !count.misled[how] && i < __gccllm_counters; i++)
            __gccllm_reached[i] |= counted_misled[how][i];
}

/* Both end the program in the same way.  What differs then is memory that nobody may look at any
 * more, for all that a compiler knows of abort and its kin: no difference, but not the same. */
static bool ended_alike(const struct outcome *one, const struct outcome *other)
{
    return one->ending == ENDED && other->ending == ENDED &&
           !memcmp(one->words, other->words, sizeof one->words);
}

static bool examine(int64_t index, enum placing how, bool tight)
{
    static bool outside_shown;
    struct outcome baseline, candidate;
    place(how, tight);
    remember_blocks();
    if (!run_baseline(&baseline)) {
        count.skipped++;
        note_skipped(baseline.ending == HUNG);
        forget_blocks();
        return true;
    }
    candidate = run_other(1);
    struct difference d = compare(&baseline);
    if (d.what && (misled.how || ended_alike(&baseline, &candidate))) {
        count.skipped++;
        count.misled[misled.how]++;
        forget_blocks();
        return true;
    }
    count.pairs++;
    count.outside_pairs += mutated_outside;
    count.ended += baseline.ending == ENDED;
    if (!d.what && misled.how)
        set_apart();
    if (!d.what)
        return true;
    const char *class = weigh(&baseline, &candidate);
    limit_ns = index < q.states ? CAPTURED_NS : MUTATED_NS;
    if (!class) {
        forget_blocks();
        return true;
    }
    place(how, tight);
    if (*class == 'w') {
        report(class, &d, &baseline, &candidate);
        return false;
    }
    count.reach++;
    if (!outside_shown)
        report(class, &d, &baseline, &candidate);
    outside_shown = true;
    return count.reach < PATIENCE * 64;
}

/* Small ones more often: they take less time and have more edges. */
static const struct state *chosen_state(void)
{
    const struct state *best = &states[below((uint64_t)q.states)];
    for (uint64_t i = below(3); i > 0; i--) {
        const struct state *other = &states[below((uint64_t)q.states)];
        if (other->bytes < best->bytes)
            best = other;
    }
    return best;
}

static void test_all(void)
{
    bool on = true;
    limit_ns = CAPTURED_NS;
    for (int64_t i = 0; on && i < q.states; i++)
        for (int how = AT_END; on && how <= AS_CAPTURED; how++) {
            rng = mixed((uint64_t)q.seed, (uint64_t)i) | 1;
            stage(&states[i]);
            mutated_outside = false;
            on = examine(i, (enum placing)how, true);
        }
    count.captured = count.pairs;
    limit_ns = MUTATED_NS;
    for (int64_t index = q.states; on && q.states && count.pairs < q.pairs; index++) {
        if (index % 64 == 0 && (int64_t)cpu_ns() > q.nanoseconds)
            break;
        rng = mixed((uint64_t)q.seed, (uint64_t)index) | 1;
        stage(chosen_state());
        mutate();
        on = examine(index, chance(12) ? AT_END : AT_START, chance(8));
    }
    add_misled();
    printf("end %lld %lld %lld %lld %lld %lld %lld %llu %lld %lld\n", (long long)count.pairs,
           (long long)count.captured, (long long)count.outside_pairs, (long long)count.skipped,
           (long long)count.undefined, (long long)count.unstable, (long long)count.reach,
           (unsigned long long)cpu_ns(), (long long)count.ended,
           (long long)count.misled[OVERLAPPING]);
}

int main(void)
{
    read_input();
    set_up_calls();
    set_up_memory();
    rng = 0x9E3779B97F4A7C15ULL;
    if (q.testing)
        test_all();
    else
        settle_all();
    fflush(stdout);
    _exit(0);
}
