/* Times the versions of a region on states as the harness makes them.
 *
 * Linked with the assembly that the harness makes. Version 0 is the baseline with the harness's
 * countdowns, to find out which states end; the others have none: 1 is the baseline, the last one
 * leaves at once, so it costs what loading and storing the machine's state costs.
 *
 * One call is too short for the time stamp counter, so a pass is timed: a row of states one after
 * the other on one image of memory, which each pass starts from anew. Versions that do the same
 * change it in the same way. Passes of all versions take turns; a version's time of an image is
 * the lower quartile of its passes, which what else the machine does hardly moves.
 * Prints how many states there are, and for each version from 1 on the ticks for all of them, from
 * the first and from the second half of the rounds; 0 for one that faults.
 */
#define _GNU_SOURCE
#include <stdint.h>

/* The harness draws trip counts below seventy, mostly below ten, which finds mistakes soonest. Here
 * few() is another function: a quarter below 17, half up to 80, a quarter up to 256. */
static uint64_t below(uint64_t limit);
static uint64_t usual(void)
{
    uint64_t kind = below(4);
    return kind == 0 ? below(17) : kind == 3 ? 80 + below(177) : 16 + below(65);
}
#define few(nothing) FEW_##nothing
#define FEW_ usual()
#define FEW_void __attribute__((unused)) harness_few(void)
#define main harness_main
#include HARNESS
#undef main
#include <stddef.h>
#include <x86intrin.h>

enum { IMAGES = 4, ROW = 24, ROUNDS = 40, MOST_VERSIONS = 32, MOST_SEEN = 600 };

struct row {
    struct machine states[ROW];
    uint8_t *memory[MAX_BUFFERS];
    int count;
};

static struct row rows[IMAGES];
static uint64_t ticks[IMAGES][MOST_VERSIONS][ROUNDS];
static size_t state_size;

/* As the harness's prepare(), but on the memory that is there. */
static bool ends(uint64_t index)
{
    memset(shift, 0, sizeof shift);
    for (int i = 0; i < MOST_TRIES; i++) {
        generate(index, true);
        uint64_t exit = gl_config.guarded ? execute(gl_config.variants, gl_config.cap) : 0;
        if (exit == 0)
            exit = execute(0, gl_config.cap);
        if (exit < FAULT)
            return true;
        if (exit == EXCLUDED || exit == HANG || !adjust(i))
            return false;
    }
    return false;
}

static void restore(const struct row *row)
{
    for (int64_t b = first_buffer(); b < gl_config.buffers; b++)
        memcpy((void *)gl_buffers[b].base, row->memory[b], (size_t)gl_buffers[b].size);
}

/* The first state of the row that faults or does not end where those before it leave the memory. */
static int first_bad(const struct row *row)
{
    restore(row);
    for (int s = 0; s < row->count; s++) {
        gl_in = row->states[s];
        gl_budget = (uint64_t)gl_config.cap;
        gl_enter(gl_code[0]);
        if (gl_out.exit >= FAULT)
            return s;
    }
    return -1;
}

static bool fill_row(struct row *row, uint64_t index)
{
    uint64_t last = index + MOST_SEEN;
    while (index < last && !prepare(index))
        index++;
    for (; index < last && row->count < ROW; index++)
        if (ends(index))
            row->states[row->count++] = gl_in;
    for (int64_t b = first_buffer(); b < gl_config.buffers; b++) {
        row->memory[b] = malloc((size_t)gl_buffers[b].size);
        if (!row->memory[b])
            return false;
        memcpy(row->memory[b], initial[b], (size_t)gl_buffers[b].size);
    }
    for (int bad; (bad = first_bad(row)) >= 0;) {
        row->count--;
        memmove(row->states + bad, row->states + bad + 1,
                (size_t)(row->count - bad) * sizeof *row->states);
    }
    return true;
}

/* In a fixed order the branch predictor would learn the row by heart, for one version or another. */
static void shuffle(struct row *row)
{
    for (uint64_t s = (uint64_t)row->count; s > 1; s--) {
        uint64_t other = below(s);
        struct machine held = row->states[s - 1];
        row->states[s - 1] = row->states[other];
        row->states[other] = held;
    }
}

/* Ticks of one pass, 0 when a state faults. */
static uint64_t pass(const struct row *row, int64_t version)
{
    unsigned core;
    bool faulted = false;
    restore(row);
    _mm_lfence();
    uint64_t start = __rdtscp(&core);
    for (int s = 0; s < row->count; s++) {
        memcpy(&gl_in, &row->states[s], state_size);
        gl_enter(gl_code[version]);
        faulted |= gl_out.exit >= FAULT;
    }
    _mm_lfence();
    uint64_t took = __rdtscp(&core) - start;
    return faulted ? 0 : took;
}

static int smaller(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t quartile(uint64_t *first)
{
    qsort(first, ROUNDS / 2, sizeof *first, smaller);
    return first[0] ? first[ROUNDS / 8] : 0;
}

int main(void)
{
    int64_t versions = gl_config.variants;
    int kept = 0;
    set_up();
    if (versions > MOST_VERSIONS)
        return 2;
    state_size = offsetof(struct machine, vector);
    for (int i = 0; i < 32; i++)
        if (gl_config.vectors >> i & 1)
            state_size = offsetof(struct machine, vector) + (size_t)(i + 1) * sizeof gl_in.vector[0];
    for (int i = 0; i < IMAGES; i++) {
        if (!fill_row(&rows[i], (uint64_t)i * MOST_SEEN))
            return 2;
        kept += rows[i].count;
    }
    for (int round = -1; round < ROUNDS; round++) /* the first one warms up */
        for (int i = 0; i < IMAGES; i++) {
            if (round >= 0)
                shuffle(&rows[i]);
            for (int64_t k = 1; k < versions; k++) {
                int64_t v = 1 + (k + round + 1) % (versions - 1); /* nobody always comes first */
                ticks[i][v][round < 0 ? 0 : round] = pass(&rows[i], v);
            }
        }
    printf("states %d\n", kept);
    for (int64_t v = 1; v < versions; v++) {
        uint64_t halves[2] = {0, 0};
        bool faulted = false;
        for (int i = 0; i < IMAGES; i++)
            for (int h = 0; h < 2; h++) {
                uint64_t took = quartile(ticks[i][v] + h * (ROUNDS / 2));
                faulted |= !took && rows[i].count;
                halves[h] += took;
            }
        printf("%lld %llu %llu\n", (long long)v, faulted ? 0 : (unsigned long long)halves[0],
               faulted ? 0 : (unsigned long long)halves[1]);
    }
    return 0;
}
