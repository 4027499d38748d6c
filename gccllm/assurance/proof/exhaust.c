/* Runs two versions of a region on every value of their inputs and stops at the first difference.
 *
 * Linked with a generated assembly file that holds the versions, the stubs around them and the
 * tables.  Bits that are no input are junk, different for each value. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { REGISTERS = 16 };
struct machine { uint64_t gpr[REGISTERS]; uint64_t exit; };
struct field { uint64_t gpr, mask, shift; };

/* the generated part */
extern const uint64_t ex_counts[4]; /* values less one, fields, constants, whether there is a guard */
extern const struct field ex_fields[];
extern const struct field ex_constants[]; /* gpr, value, 0 */
extern const uint64_t ex_masks[][REGISTERS];
extern const void *const ex_code[3];
extern void ex_enter(const void *code);

struct machine ex_in, ex_out;

int main(void)
{
    uint64_t value = 0, run = 0;
    do {
        uint64_t junk = (value + 1) * 0x9E3779B97F4A7C15ULL;
        for (int i = 0; i < REGISTERS; i++) {
            ex_in.gpr[i] = junk ^ junk >> 31;
            junk += 0xD1342543DE82EF95ULL;
        }
        for (uint64_t i = 0; i < ex_counts[1]; i++) {
            const struct field *f = &ex_fields[i];
            ex_in.gpr[f->gpr] = (ex_in.gpr[f->gpr] & ~f->mask) | (value >> f->shift & f->mask);
        }
        for (uint64_t i = 0; i < ex_counts[2]; i++)
            ex_in.gpr[ex_constants[i].gpr] = ex_constants[i].mask;
        if (ex_counts[3]) {
            ex_enter(ex_code[2]);
            if (ex_out.exit)
                continue;
        }
        ex_enter(ex_code[0]);
        struct machine expected = ex_out;
        ex_enter(ex_code[1]);
        run++;
        const uint64_t *masks = ex_masks[expected.exit];
        uint64_t wrong = expected.exit ^ ex_out.exit;
        for (int i = 0; i < REGISTERS; i++)
            wrong |= (expected.gpr[i] ^ ex_out.gpr[i]) & masks[i];
        if (wrong) {
            printf("differs");
            for (int i = 0; i < REGISTERS; i++)
                printf(" %#llx", (unsigned long long)ex_in.gpr[i]);
            printf("\n");
            return 0;
        }
    } while (value++ != ex_counts[0]);
    printf("equal %llu\n", (unsigned long long)run);
    return 0;
}
